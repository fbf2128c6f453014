package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"sync"

	"trawl/crawler"
	"trawl/crawler/explain"
	"trawl/crawler/weburl"
	"trawl/internal/seeds"
	"trawl/scheduler"
	"trawl/storage/backup"
	"trawl/storage/crawldir"
	"trawl/storage/export"
	"trawl/storage/ledger"
)

// maxBadLines is how many bad lines of added seeds are told.
const maxBadLines = 20

// answers are what a running job answers to commands, over the control API. Safe for concurrent use.
type answers struct {
	core    *scheduler.Scheduler
	ledger  *ledger.Ledger
	dir     *crawldir.Dir
	jobText func(*crawler.Job) ([]byte, error)
	rerun   string // how the job is continued, for people
	log     *slog.Logger
	level   *slog.LevelVar // nil = cannot be set

	jobFile sync.Mutex    // one writer of job.yaml at a time, so that the last one writes the current settings
	copies  chan struct{} // a token for each backup under way
}

// Change is [control.Steering]'s.
func (a *answers) Change(ctx context.Context, c crawler.Change) error {
	if err := a.core.Change(ctx, c); err != nil {
		return err
	}
	if c.LogLevel != nil {
		setLevel(a.level, *c.LogLevel)
	}
	if err := a.writeJob(ctx); err != nil { // the change is made, and in the ledger, all the same
		a.log.Warn("job.yaml does not show what was set", "error", err)
	}
	return nil
}

// setLevel sets the log level that the job's state has; an empty one keeps what the command says.
func setLevel(of *slog.LevelVar, word string) {
	var level slog.Level
	if word == "" || of == nil || level.UnmarshalText([]byte(word)) != nil {
		return
	}
	of.Set(level)
}

// writeJob writes job.yaml: the current settings, as the command gave them or as they were changed since.
func (a *answers) writeJob(ctx context.Context) error {
	a.jobFile.Lock()
	defer a.jobFile.Unlock()
	notice, err := a.core.Notice(ctx)
	if err != nil {
		return err
	}
	text, err := a.jobText(&notice.Job)
	if err != nil {
		return err
	}
	return a.dir.WriteJob(text)
}

// Add admits seeds as they come, so that a list may be sent slowly.
func (a *answers) Add(ctx context.Context, list io.Reader) (added crawler.Added, err error) {
	bad := func(b *seeds.BadLine) {
		if added.Bad++; len(added.Lines) < maxBadLines {
			added.Lines = append(added.Lines, b.Error())
		}
	}
	admit := func(ctx context.Context, batch []seeds.Seed, _ bool) error {
		one, err := a.core.Add(ctx, batch)
		if errors.Is(err, scheduler.ErrEnding) {
			err = fmt.Errorf("%w: nothing is added any more; %s, with the seeds", err, a.rerun)
		}
		if err == nil {
			added.Seeds += int64(len(batch))
			added.New, added.Known, added.Refused = added.New+one.New, added.Known+one.Known, added.Refused+one.Refused
		}
		return err
	}
	adding := seeds.NewFeed(seeds.Lists{}.ReadFrom("line", list), bad, admit)
	err = adding.Run(ctx)
	<-adding.Ended() // the list is the request's, whose end ends a read
	if err != nil && added.New > 0 {
		err = fmt.Errorf("%w; %d URLs of the list had been added before", err, added.New)
	}
	return added, err
}

// Export is [control.Steering]'s.
func (a *answers) Export(ctx context.Context, w io.Writer, request url.Values) (int64, error) {
	q, err := export.ParseQuery(request)
	if err != nil {
		return 0, err
	}
	return q.Write(ctx, w, a.ledger)
}

// Explain is the story of a URL, from the job's own ledger.
func (a *answers) Explain(_ context.Context, u weburl.URL) (explain.Explanation, error) {
	f, err := a.ledger.Facts(u)
	if err != nil {
		return explain.Explanation{}, err
	}
	s := a.core.Status()
	f.State, f.WaitsFor = s.State, s.WaitsFor
	return explain.Explain(&f), nil
}

// backupsAtOnce is how many copies of a running ledger may be on their way: each keeps the tables on disk that it was
// made of.
const backupsAtOnce = 2

// errManyBackups: more would only fill the disk.
var errManyBackups = fmt.Errorf("%d backups are on their way: wait for one to end", backupsAtOnce)

// Backup writes a copy of the ledger.
func (a *answers) Backup(ctx context.Context, w io.Writer) error {
	select {
	case a.copies <- struct{}{}:
		defer func() { <-a.copies }()
	default:
		return errManyBackups
	}
	_, err := backup.Write(ctx, a.dir, w, a.ledger, Version())
	return err
}
