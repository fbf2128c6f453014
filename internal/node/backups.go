package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"trawl/cluster/control"
	"trawl/crawler"
	"trawl/storage/backup"
	"trawl/storage/crawldir"
)

const (
	// KeepBackups is how many timed backups of a crawl stay in a directory; older ones are removed. What was stored by
	// HTTP stays there.
	KeepBackups = 3
	// MinBackupEvery is the least time between two timed backups.
	MinBackupEvery = time.Second

	backupEnding = ".trawl-backup"
	backupTime   = "20060102T150405Z"
)

// timedBackups makes a backup of the running job again and again. What fails is told and tried again at the next time;
// the crawl goes on.
type timedBackups struct {
	every  time.Duration
	copy   func(ctx context.Context, w io.Writer) error // writes a backup
	spool  func() (*os.File, error)                     // makes a private file in the crawl directory
	origin crawler.Life                                 // of the ledger
	log    *slog.Logger

	name  string               // begins the names of backups
	dir   string               // where to, or else
	at    *url.URL             // below which
	store *control.BackupStore // of at
	// remove removes an old backup, as [os.Remove] does.
	remove func(path string) error

	last atomic.Pointer[newestBackup]
}

// newestBackup is how the newest backup went.
type newestBackup struct {
	at      time.Time // of the newest that succeeded
	problem string    // of the newest, "" when it succeeded
}

// backupPlace reads backup-to: a directory, or a URL below which backups are stored.
func backupPlace(to string) (dir string, at *url.URL, err error) {
	if !strings.Contains(to, "://") {
		return to, nil, nil
	}
	u, err := url.Parse(to)
	switch {
	case err != nil:
		return "", nil, errors.New("`backup-to`: that is no URL; give a directory, file:///DIRECTORY or https://HOST/PATH")
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost") && filepath.IsAbs(u.Path):
		return filepath.FromSlash(u.Path), nil, nil
	case u.Scheme == "http" && u.Host != "", u.Scheme == "https" && u.Host != "":
		return "", u, nil
	}
	return "", nil, fmt.Errorf("`backup-to` %s: give a directory, file:///DIRECTORY or https://HOST/PATH", control.PublicURL(u))
}

// Backups say when backups are made, and where to: a directory, file:///DIRECTORY, or an http(s) URL. Every = 0: none.
type Backups struct {
	Every time.Duration
	To    string
}

// Validate looks whether backups can be made so.
func (b Backups) Validate() error {
	switch {
	case b.Every == 0 && b.To == "":
		return nil
	case b.To == "":
		return errors.New("`backup-every` needs `backup-to`: a directory, or an https:// URL")
	case b.Every < MinBackupEvery:
		return fmt.Errorf("`backup-to` needs `backup-every`, of %v or more", MinBackupEvery)
	}
	_, _, err := backupPlace(b.To)
	return err
}

// newTimedBackups makes the place of backups where it is missing. copy writes a backup.
func newTimedBackups(o Backups, dir *crawldir.Dir, origin crawler.Life, proxy func(*url.URL) (*url.URL, error), copy func(context.Context, io.Writer) error, log *slog.Logger) (*timedBackups, error) {
	b := &timedBackups{every: o.Every, copy: copy, spool: dir.BackupSpool, origin: origin, log: log, name: backupName(dir.Path()), remove: os.Remove}
	b.last.Store(&newestBackup{})
	var err error
	if b.dir, b.at, err = backupPlace(o.To); err != nil {
		return nil, crawler.UsageError(err)
	}
	if b.at != nil {
		b.store = control.NewBackupStore(proxy)
	} else if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return nil, crawler.UsageError(fmt.Errorf("`backup-to`: %w", err))
	}
	return b, nil
}

// backupName begins the names of a crawl's backups: what its directory is called.
func backupName(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return FileName(strings.TrimSuffix(filepath.Base(dir), ".trawl"))
}

func (b *timedBackups) run(ctx context.Context) {
	if b.store != nil {
		defer b.store.Close()
	}
	t := time.NewTicker(b.every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			b.once(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (b *timedBackups) once(ctx context.Context) {
	begun := time.Now()
	name := b.name + "-" + begun.UTC().Format(backupTime) + backupEnding
	size, where, err := b.make(ctx, name)
	if ctx.Err() != nil {
		return // the run ends; the next one continues backups
	}
	told := newestBackup{at: begun}
	if err != nil {
		told.at, told.problem = b.last.Load().at, err.Error()
		b.log.Warn("the backup failed; the crawl goes on, and the next backup comes at its time: mend what is wrong, or stop and give another `backup-to`",
			"error", err, "next_in", b.every, "newest", backupAge(told.at))
	} else {
		b.log.Info("backed up", "to", where, "bytes", size, "took", time.Since(begun).Round(time.Millisecond))
	}
	b.last.Store(&told)
	if err == nil && b.at == nil {
		if err := b.prune(); err != nil { // the new backup is good all the same
			b.log.Warn("an old backup could not be removed: remove it by hand, or mend the directory's rights", "error", err)
		}
	}
}

func backupAge(at time.Time) string {
	if at.IsZero() {
		return "none"
	}
	return at.UTC().Format(time.RFC3339)
}

// make makes one backup, and tells its size and where it is.
func (b *timedBackups) make(ctx context.Context, name string) (size int64, where string, err error) {
	if b.at != nil {
		return b.upload(ctx, name)
	}
	where = filepath.Join(b.dir, name)
	if err := backup.WriteFile(ctx, where, func(w io.Writer) error { return b.copy(ctx, w) }); err != nil {
		return 0, "", err
	}
	info, err := os.Stat(where)
	if err != nil {
		return 0, "", fmt.Errorf("look at the backup: %w", err)
	}
	return info.Size(), where, nil
}

// upload stores a backup by HTTP. It is put on disk first: servers want to know its length, and a slow one must not keep
// the ledger's old tables.
func (b *timedBackups) upload(ctx context.Context, name string) (size int64, where string, err error) {
	f, err := b.spool()
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if err := b.copy(ctx, f); err != nil {
		return 0, "", err
	}
	if size, err = f.Seek(0, io.SeekCurrent); err != nil {
		return 0, "", fmt.Errorf("read the backup: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, "", fmt.Errorf("read the backup: %w", err)
	}
	at := b.at.JoinPath(name)
	return size, control.PublicURL(at), b.store.Put(ctx, at, f, size)
}

// prune removes all but the newest backups of this crawl. Others in the directory are left alone, also those with a like
// name.
func (b *timedBackups) prune() error {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return fmt.Errorf("look for old backups: %w", err)
	}
	ours := regexp.MustCompile(`^` + regexp.QuoteMeta(b.name) + `-\d{8}T\d{6}Z` + regexp.QuoteMeta(backupEnding) + `$`)
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return !ours.MatchString(e.Name()) || !e.Type().IsRegular() })
	slices.Reverse(entries) // they come sorted by name, so by time
	kept := 0
	var problems []error
	for _, e := range entries {
		path := filepath.Join(b.dir, e.Name())
		if info, err := backup.InfoOf(path); err != nil || info.Origin != b.origin.String() {
			continue
		}
		if kept++; kept > KeepBackups {
			problems = append(problems, b.remove(path))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("remove old backups: %w", err)
	}
	return nil
}
