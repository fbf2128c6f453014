package trawl

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	r     *run
	every time.Duration
	name  string               // begins the names of backups
	dir   string               // where to, or else
	at    *url.URL             // below which
	store *control.BackupStore // of at
	// remove removes an old backup, as [os.Remove] does.
	remove func(path string) error

	last atomic.Pointer[backupTold]
}

// backupTold is how the newest backup went.
type backupTold struct {
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

func (o *Options) validateBackups() error {
	switch {
	case o.BackupEvery == 0 && o.BackupTo == "":
		return nil
	case o.BackupTo == "":
		return errors.New("`backup-every` needs `backup-to`: a directory, or an https:// URL")
	case o.BackupEvery < MinBackupEvery:
		return fmt.Errorf("`backup-to` needs `backup-every`, of %v or more", MinBackupEvery)
	}
	_, _, err := backupPlace(o.BackupTo)
	return err
}

// startBackups begins with what the options ask for.
func (r *run) startBackups() error {
	if err := r.dir.RemoveStaleBackups(); err != nil {
		r.o.Logger.Warn("the disk has less room than it could have", "error", err)
	}
	if r.o.BackupEvery == 0 {
		return nil
	}
	b := &timedBackups{r: r, every: r.o.BackupEvery, name: backupName(r.dir.Path()), remove: os.Remove}
	b.last.Store(&backupTold{})
	var err error
	if b.dir, b.at, err = backupPlace(r.o.BackupTo); err != nil {
		return crawler.UsageError(err)
	}
	if b.at != nil {
		b.store = control.NewBackupStore(r.o.Proxy)
	} else if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return crawler.UsageError(fmt.Errorf("`backup-to`: %w", err))
	}
	r.timed = b
	r.services.Go(func() error { b.run(r.life); return nil })
	return nil
}

// backupName begins the names of a crawl's backups: what its directory is called.
func backupName(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return fileName(strings.TrimSuffix(filepath.Base(dir), ".trawl"))
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
		return // the run ends; the next one goes on with backups
	}
	told := backupTold{at: begun}
	if err != nil {
		told.at, told.problem = b.last.Load().at, err.Error()
		b.r.o.Logger.Warn("the backup failed; the crawl goes on, and the next backup comes at its time: mend what is wrong, or stop and give another `backup-to`",
			"error", err, "next_in", b.every, "newest", backupAge(told.at))
	} else {
		b.r.o.Logger.Info("backed up", "to", where, "bytes", size, "took", time.Since(begun).Round(time.Millisecond))
	}
	b.last.Store(&told)
	if err == nil && b.at == nil {
		if err := b.prune(); err != nil { // the new backup is good all the same
			b.r.o.Logger.Warn("an old backup could not be removed: remove it by hand, or mend the directory's rights", "error", err)
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
	if err := backup.WriteFile(ctx, where, func(w io.Writer) error { return b.r.backup(ctx, w) }); err != nil {
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
	f, err := b.r.dir.BackupSpool()
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if err := b.r.backup(ctx, f); err != nil {
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
		if info, err := readBackupInfo(path); err != nil || info.Origin != b.r.origin.String() {
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

// now is the status of the running job.
func (r *run) now() Status {
	s := r.sched.Status()
	if lingers := r.lingers.Load(); lingers != nil {
		s.WaitsFor = (*lingers)()
	}
	if r.o.NATS != "" {
		s.QueueReplicas = r.conn.Replicas()
	}
	if r.timed != nil {
		told := r.timed.last.Load()
		s.LastBackup, s.BackupProblem = told.at, told.problem
	}
	return s
}
