package trawl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"

	"trawl/cluster"
	"trawl/crawler"
	"trawl/storage"
)

// maxBadLines is how many bad lines of added seeds are told.
const maxBadLines = 20

// Change changes a running job; target is a crawl directory on this machine, or HOST:PORT of a node's control
// address. The change is in the ledger when Change returns nil, and outlives restarts.
func Change(ctx context.Context, target string, secret cluster.Secret, c crawler.Change) error {
	client, err := running(target, secret)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Change(ctx, c)
}

// Stop asks a running job to end as after an interrupt.
func Stop(ctx context.Context, target string, secret cluster.Secret) error {
	client, err := running(target, secret)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Stop(ctx)
}

// Add gives a running job more seeds, a URL a line.
func Add(ctx context.Context, target string, secret cluster.Secret, list io.Reader) (crawler.Added, error) {
	client, err := running(target, secret)
	if err != nil {
		return crawler.Added{}, err
	}
	defer client.Close()
	return client.Add(ctx, list)
}

// running is a client of a job that runs.
func running(target string, secret cluster.Secret) (*cluster.ControlClient, error) {
	if isDir(target) {
		socket, err := storage.ControlSocket(target)
		if err != nil {
			return nil, err
		}
		return cluster.NewControlClient(socket, nil), nil
	}
	if !isHostPort(target) {
		return nil, usageError(fmt.Errorf("%s is neither a crawl directory nor HOST:PORT", target))
	}
	return controlClient(target, secret, "control")
}

// steering is the running job's end of the control API.
type steering struct{ r *run }

func (s steering) Change(ctx context.Context, c crawler.Change) error {
	if err := s.r.sched.Change(ctx, c); err != nil {
		return err
	}
	if c.LogLevel != nil {
		s.r.setLevel(*c.LogLevel)
	}
	return nil
}

// setLevel puts a log level in force that the job's state has; an empty one leaves what the command says.
func (r *run) setLevel(word string) {
	var level slog.Level
	if word == "" || r.o.Level == nil || level.UnmarshalText([]byte(word)) != nil {
		return
	}
	r.o.Level.Set(level)
}

func (s steering) Add(ctx context.Context, list io.Reader) (added crawler.Added, err error) {
	var batch []Seed
	flush := func() bool {
		if err = s.r.sched.Seed(ctx, batch, false); err == nil {
			added.Seeds += int64(len(batch))
		}
		batch = batch[:0:0]
		return err == nil
	}
	readLines("line", list, func(seed Seed, bad error) bool {
		if line, ok := errors.AsType[*BadLine](bad); ok {
			if added.Bad++; len(added.Lines) < maxBadLines {
				added.Lines = append(added.Lines, line.Error())
			}
			return true
		}
		if bad != nil {
			err = bad
			return false
		}
		if batch = append(batch, seed); len(batch) >= seedBatch {
			return flush()
		}
		return true
	})
	if err != nil {
		return added, err
	}
	flush()
	return added, err
}

func (s steering) Export(ctx context.Context, w io.Writer, request url.Values) error {
	q, err := readExportRequest(request)
	if err != nil {
		return err
	}
	_, err = storage.Export(w, q.format, q.rows(s.r.ledger))
	return errors.Join(err, ctx.Err())
}
