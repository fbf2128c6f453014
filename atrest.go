package trawl

import (
	"context"
	"errors"
	"io"

	"trawl/crawler"
	"trawl/crawler/explain"
	"trawl/crawler/weburl"
	"trawl/storage"
	"trawl/storage/backup"
	"trawl/storage/crawldir"
	"trawl/storage/ledger"
)

// readCache is the cache of a ledger that is only read from end to end, in bytes: more would not be used twice.
const readCache = 32 << 20

// atRest is a job that nobody works on. Each call locks its directory for as long as it takes.
type atRest struct {
	dir    string
	absent error // that nobody answers there
}

func (a *atRest) Close() {}

// openAtRest locks the directory of a job that nobody works on.
func openAtRest(path string) (*crawldir.Dir, error) {
	dir, err := crawldir.Open(path, false)
	if errors.Is(err, storage.ErrNotCrawl) {
		err = crawler.UsageError(err)
	}
	return dir, err
}

// readAtRest opens the ledger of a job that nobody works on; the returned function closes it.
func readAtRest(path string) (*ledger.Ledger, func(), error) {
	dir, err := openAtRest(path)
	if err != nil {
		return nil, nil, err
	}
	l, err := ledger.Open(dir.Ledger(), ledger.Options{ReadOnly: true, CacheBytes: readCache})
	if err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	return l, func() { l.Close(); dir.Close() }, nil
}

func (a *atRest) Status(ctx context.Context) (Status, error) {
	l, done, err := readAtRest(a.dir)
	if err != nil {
		return Status{}, err
	}
	defer done()
	at, err := l.Load(ctx)
	if err != nil {
		return Status{}, err
	}
	s := crawler.StatusOf(&at.State.Job, &at.Tallies)
	s.State = "stopped"
	if !at.State.Finished.IsZero() && !at.Work.Pending() {
		s.State, s.Finished = "done", at.State.Finished
	}
	if at.State.Paused {
		s.WaitsFor = "it is paused, and stays so when it goes on, until trawl resume"
	}
	return s, nil
}

func (a *atRest) Explain(_ context.Context, u weburl.URL) (Explanation, error) {
	l, done, err := readAtRest(a.dir)
	if err != nil {
		return Explanation{}, err
	}
	defer done()
	f, err := l.Facts(u)
	if err != nil {
		return Explanation{}, err
	}
	f.State = "stopped"
	if !f.Job.Finished.IsZero() {
		f.State = "done"
	}
	return explain.Explain(&f), nil
}

func (a *atRest) Export(ctx context.Context, w io.Writer, q ExportQuery) (int64, error) {
	l, done, err := readAtRest(a.dir)
	if err != nil {
		return 0, err
	}
	defer done()
	return q.Write(ctx, w, l)
}

func (a *atRest) Backup(ctx context.Context, w io.Writer) error {
	dir, err := openAtRest(a.dir)
	if err != nil {
		return err
	}
	_, err = backup.Write(ctx, dir, w, nil, Version())
	return errors.Join(err, dir.Close())
}

func (a *atRest) Check(ctx context.Context, repair bool) (CheckReport, error) {
	return checkDir(ctx, a.dir, repair)
}

func (a *atRest) Change(context.Context, crawler.Change) error { return a.absent }

func (a *atRest) Stop(context.Context) error { return a.absent }

func (a *atRest) Add(context.Context, io.Reader) (crawler.Added, error) {
	return crawler.Added{}, a.absent
}
