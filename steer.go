package trawl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"

	"trawl/crawler"
	"trawl/crawler/explain"
	"trawl/crawler/weburl"
	"trawl/internal/seeds"
	"trawl/scheduler"
	"trawl/storage/backup"
	"trawl/storage/export"
)

// maxBadLines is how many bad lines of added seeds are told.
const maxBadLines = 20

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
	adding := seeds.NewFeed(Lists{}.ReadFrom("line", list), bad, admit)
	err = adding.Run(ctx)
	<-adding.Ended() // the list is the request's, whose end ends a read
	if err != nil && added.New > 0 {
		err = fmt.Errorf("%w; %d URLs of the list had been added before", err, added.New)
	}
	return added, err
}

func (s steering) Export(ctx context.Context, w io.Writer, request url.Values) (int64, error) {
	q, err := export.ParseQuery(request)
	if err != nil {
		return 0, err
	}
	return q.Write(ctx, w, s.r.ledger)
}

// explain answers for the running job, from its own ledger.
func (r *run) explain(_ context.Context, u weburl.URL) (Explanation, error) {
	f, err := r.ledger.Facts(u)
	if err != nil {
		return Explanation{}, err
	}
	s := r.sched.Status()
	f.State, f.WaitsFor = s.State, s.WaitsFor
	return explain.Explain(&f), nil
}

// backupsAtOnce is how many copies of a running ledger may be on their way: each keeps the tables on disk that it was
// made of.
const backupsAtOnce = 2

// errManyBackups: more would only fill the disk.
var errManyBackups = fmt.Errorf("%d backups are on their way: wait for one to end", backupsAtOnce)

// backup writes a copy of the ledger of the running job.
func (r *run) backup(ctx context.Context, w io.Writer) error {
	select {
	case r.copies <- struct{}{}:
		defer func() { <-r.copies }()
	default:
		return errManyBackups
	}
	_, err := backup.Write(ctx, r.dir, w, r.ledger, Version())
	return err
}
