package trawl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"sync/atomic"

	"trawl/cluster/control"
	"trawl/cluster/trust"
	"trawl/crawler"
	"trawl/scheduler"
	"trawl/storage/crawldir"
	"trawl/storage/export"
)

// maxBadLines is how many bad lines of added seeds are told.
const maxBadLines = 20

// Change changes a running job; target is a crawl directory on this machine, or HOST:PORT of a node's control
// address. The change is in the ledger when Change returns nil, and outlives restarts.
func Change(ctx context.Context, target string, keys *trust.Keyring, c crawler.Change) error {
	client, err := running(target, keys)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Change(ctx, c)
}

// Stop asks a running job to end as after an interrupt.
func Stop(ctx context.Context, target string, keys *trust.Keyring) error {
	client, err := running(target, keys)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Stop(ctx)
}

// Add gives a running job more seeds, a URL a line.
func Add(ctx context.Context, target string, keys *trust.Keyring, list io.Reader) (crawler.Added, error) {
	client, err := running(target, keys)
	if err != nil {
		return crawler.Added{}, err
	}
	defer client.Close()
	return client.Add(ctx, list)
}

// Add gives a running job the seeds of an argument, as [Lists.Read] reads them; see [Add]. bad hears of each that cannot be
// read. It returns when the job has them, or has failed to take them; a read of standard input that waits then ends with what
// comes next.
func (l Lists) Add(ctx context.Context, target string, keys *trust.Keyring, arg string, stdin io.Reader, bad func(error)) (crawler.Added, error) {
	lines, to := io.Pipe()
	var notRead atomic.Int64
	failed := make(chan error, 1)
	go func() {
		err := l.send(to, arg, stdin, func(err error) {
			notRead.Add(1)
			bad(err)
		})
		failed <- err
		to.CloseWithError(err) // nil is the end
	}()
	added, err := Add(ctx, target, keys, lines)
	lines.Close()
	added.Bad += notRead.Load()
	select {
	case ours := <-failed:
		if ours != nil && !errors.Is(ours, io.ErrClosedPipe) {
			return added, ours
		}
	default:
	}
	return added, err
}

// send writes the seeds of an argument as lines of a list.
func (l Lists) send(to io.Writer, arg string, stdin io.Reader, bad func(error)) error {
	for s, err := range l.read([]string{arg}, stdin) {
		if _, is := errors.AsType[*BadLine](err); is {
			bad(err)
			continue
		}
		if err == nil {
			_, err = io.WriteString(to, s.line+"\n")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// running is a client of a job that runs.
func running(target string, keys *trust.Keyring) (*control.Client, error) {
	if isDir(target) {
		socket, err := crawldir.ControlSocket(target)
		if err != nil {
			return nil, err
		}
		return control.NewClient(socket, nil), nil
	}
	if !isHostPort(target) {
		return nil, usageError(fmt.Errorf("%s is neither a crawl directory nor HOST:PORT", target))
	}
	return controlClient(target, keys, "control")
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
	if err := s.r.writeJob(ctx); err != nil { // the change is in force and in the ledger all the same
		s.r.o.Logger.Warn("job.yaml does not show what was set", "error", err)
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

// Add admits seeds as they come, so that a list may be sent slowly.
func (s steering) Add(ctx context.Context, list io.Reader) (added crawler.Added, err error) {
	seeds := func(yield func(Seed, error) bool) {
		Lists{}.list("line", list, func(s listed, err error) bool { return yield(s.Seed, err) })
	}
	bad := func(b *BadLine) {
		if added.Bad++; len(added.Lines) < maxBadLines {
			added.Lines = append(added.Lines, b.Error())
		}
	}
	admit := func(ctx context.Context, batch []Seed, _ bool) error {
		one, err := s.r.sched.Add(ctx, batch)
		if errors.Is(err, scheduler.ErrEnding) {
			err = fmt.Errorf("%w: nothing is added any more; %s, with the seeds", err, s.r.rightCommand(s.r.job.Kind))
		}
		if err == nil {
			added.Seeds += int64(len(batch))
			added.New, added.Known, added.Refused = added.New+one.New, added.Known+one.Known, added.Refused+one.Refused
		}
		return err
	}
	adding := newSeeding(seeds, bad, admit)
	err = adding.run(ctx)
	<-adding.ended // the list is the request's, whose end ends a read
	if err != nil && added.New > 0 {
		err = fmt.Errorf("%w; %d URLs of the list had been added before", err, added.New)
	}
	return added, err
}

func (s steering) Export(ctx context.Context, w io.Writer, request url.Values) (int64, error) {
	q, err := readExportRequest(request)
	if err != nil {
		return 0, err
	}
	n, err := export.Rows(w, q.format, q.rows(s.r.ledger))
	return n, errors.Join(err, ctx.Err())
}
