package crawldir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"trawl/crawler"
	"trawl/internal/durable"
	"trawl/storage"
)

// Layout is the version of the layout of a crawl directory.
const Layout = 1

// Names in a crawl directory.
const (
	versionName = "version"
	lockName    = "lock"
	socketName  = "control.sock"
	jobName     = "job.yaml"
	membersName = "members"
	leftName    = "exports.left"
	hostsName   = "seed-hosts"
	fetcherName = "name"
	LedgerDir   = "ledger"
	queueDir    = "queue"
	exportsDir  = "exports"
)

// Texts are the names of the files that belong to a crawl besides its ledger; each may be missing.
func Texts() []string { return []string{jobName, membersName} }

// Names of the directories of bodies below a crawl directory or a fetcher's own.
const (
	ArchiveDir  = crawler.ArchiveDir
	FilesDir    = crawler.FilesDir
	IncomingDir = "incoming" // files that are not whole yet; nothing points into it
)

// MakeDirs makes directories below dir where they are missing.
func MakeDirs(dir string, names ...string) error {
	for _, n := range names {
		mode := os.FileMode(durable.DirMode)
		if n == IncomingDir {
			mode = durable.PrivateDir
		}
		if err := os.MkdirAll(filepath.Join(dir, n), mode); err != nil {
			return err
		}
	}
	return nil
}

// MakeDurable is [MakeDirs], and the names are durable then, also those that an earlier process made and did not sync.
func MakeDurable(fsync durable.Fsync, dir string, names ...string) error {
	if err := fsync.MakeDir(dir, durable.DirMode); err != nil {
		return err
	}
	if err := MakeDirs(dir, names...); err != nil {
		return err
	}
	return fsync.SyncDirectory(dir)
}

// Dir is a crawl directory that this process has locked: one job and everything that belongs to it.
//
//	version       the number of this layout
//	job.yaml      the current settings
//	ledger/       the ledger; private, since it holds credentials and cookies
//	queue/        the embedded queues; private
//	archive/      bodies as WARC
//	files/        bodies as plain files
//	incoming/     bodies that are not whole or have no name yet; private
//	exports/      exports that were not given another place
//	trawl.log     the log
//	control.sock  where a running crawl is steered
//	seed-hosts    the hosts of the seeds, for a start without seeds
//	members       where a cluster's fetchers are found again after a restart of its scheduler
//	name          the name of a fetcher node, in its own directory
//	.backup-*     copies of the ledger on their way into a backup
//	lock          locked while a trawl works here; holds its process id
//
// The lock is the operating system's (flock), so it ends with the process however that ends, and a lock
// file that lies around means nothing. Methods are safe for concurrent use.
type Dir struct {
	path  string
	lock  *os.File
	fsync durable.Fsync
}

// Open opens a crawl directory and locks it. With create it is made when it is missing or empty.
// Otherwise a directory that holds no crawl is refused with ErrNotCrawl, one that another trawl works in
// with ErrInUse (commands then go to its [ControlSocket]), one of a newer trawl with ErrNewer.
func Open(path string, create bool) (*Dir, error) { return openOn(durable.System, path, create) }

func openOn(fsync durable.Fsync, path string, create bool) (*Dir, error) {
	if create {
		if err := fsync.MakeDir(path, durable.DirMode); err != nil {
			return nil, fmt.Errorf("make crawl directory: %w", err)
		}
	}
	version, err := inspectDir(path, create)
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(path, create)
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, lock: lock, fsync: fsync}
	if create {
		err = d.furnish(version == 0)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// inspectDir reads the version of the directory, 0 for one that is to be made.
func inspectDir(path string, create bool) (version int, err error) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, absent(path)
	} else if err != nil {
		return 0, fmt.Errorf("open crawl directory: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(path, versionName))
	switch {
	case errors.Is(err, fs.ErrNotExist) && create && unborn(entries):
		return 0, nil
	case errors.Is(err, fs.ErrNotExist) && create:
		return 0, fmt.Errorf("%s holds other files: %w; choose a new or an empty directory with `dir`", path, storage.ErrNotCrawl)
	case errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("%s holds no crawl: %w", path, storage.ErrNotCrawl)
	case err != nil:
		return 0, fmt.Errorf("open crawl directory: %w", err)
	}
	version, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || version < 1 {
		return 0, fmt.Errorf("%s: file %s does not hold a version: %w; choose another one, or restore the file from a backup", path, versionName, storage.ErrNotCrawl)
	}
	if version > Layout {
		return 0, fmt.Errorf("%s is %w (layout %d, this trawl knows up to %d); use that trawl", path, storage.ErrNewer, version, Layout)
	}
	return version, nil
}

// absent is a crawl directory that is not there: ErrNotCrawl and fs.ErrNotExist at once.
type absent string

func (a absent) Error() string { return string(a) + " does not exist: " + storage.ErrNotCrawl.Error() }
func (a absent) Is(target error) bool {
	return target == storage.ErrNotCrawl || target == fs.ErrNotExist
}

// unborn reports whether a directory is empty, but for what there is of one that is being made, by another
// process at this moment (the lock says so) or by one that died.
func unborn(entries []fs.DirEntry) bool {
	locked, begun := false, false
	for _, e := range entries {
		switch n := e.Name(); {
		case n == lockName:
			locked = true
		case strings.HasPrefix(n, "."+versionName):
		case n == LedgerDir, n == queueDir, n == ArchiveDir, n == FilesDir, n == exportsDir, n == IncomingDir:
			begun = true
		default:
			return false
		}
	}
	return locked || !begun
}

const (
	// lockPatience is how long a directory is waited for that another command only reads: status, say.
	lockPatience = 3 * time.Second
	// lockAgain is the time between two tries.
	lockAgain = 20 * time.Millisecond
	// readingMark stands in the lock file before the process id of a command that only reads.
	readingMark = "reading "
)

// lockDir locks the directory, to work in it or only to read. A working process holds it for long, so others are refused with its name
// at once; who reads is soon done, and is waited for.
func lockDir(path string, work bool) (*os.File, error) {
	name := filepath.Join(path, lockName)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, durable.PrivateFile)
	if errors.Is(err, unix.EROFS) {
		f, err = os.Open(name) // on a read-only file system the lock file must be there
	}
	if err != nil {
		return nil, fmt.Errorf("lock crawl directory: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = waitForReader(f)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%s is %w: trawl is running on it%s", path, storage.ErrInUse, owner(f))
	} else if err != nil {
		err = fmt.Errorf("lock crawl directory %s: %w", path, err)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	// The process id is for people, and the mark for those who wait; the lock does not depend on them.
	text := strconv.Itoa(os.Getpid()) + "\n"
	if !work {
		text = readingMark + text
	}
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(text), 0)
	}
	return f, nil
}

// waitForReader tries again while the lock is held by a command that only reads.
func waitForReader(f *os.File) error {
	again := time.NewTicker(lockAgain)
	defer again.Stop()
	for limit := time.Now().Add(lockPatience); time.Now().Before(limit); <-again.C {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		b := make([]byte, len(readingMark))
		if n, _ := f.ReadAt(b, 0); n > 0 && string(b[:n]) != readingMark && working(f) {
			return err
		}
	}
	return unix.EWOULDBLOCK
}

// working reports whether the process that the lock file names lives: a dead one's id stands there until the
// next holder has written its own.
func working(f *os.File) bool {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	return err != nil || !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}

// owner reports who has the lock, as far as the lock file says it.
func owner(f *os.File) string {
	b := make([]byte, 40)
	n, _ := f.ReadAt(b, 0)
	if pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(b[:n]), readingMark))); err == nil {
		return fmt.Sprintf(" (process %d)", pid)
	}
	return ""
}

// furnish makes what is missing. The version comes last, so that a directory with a version is whole.
func (d *Dir) furnish(fresh bool) error {
	for path, mode := range map[string]fs.FileMode{
		d.Ledger(): durable.PrivateDir, d.Queue(): durable.PrivateDir, d.incoming(): durable.PrivateDir,
		d.Archive(): durable.DirMode, d.Files(): durable.DirMode, d.Exports(): durable.DirMode,
	} {
		if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make crawl directory: %w", err)
		}
	}
	if !fresh {
		return nil
	}
	err := d.fsync.ReplaceFile(filepath.Join(d.path, versionName), durable.FileMode, func(f *os.File) error {
		_, err := fmt.Fprintf(f, "%d\n", Layout)
		return err
	})
	if err != nil {
		return fmt.Errorf("make crawl directory: %w", err)
	}
	return nil
}

// Close gives up the lock. What was opened in the directory must be closed before.
func (d *Dir) Close() error {
	if err := d.lock.Close(); err != nil {
		return fmt.Errorf("unlock crawl directory: %w", err)
	}
	return nil
}

// Path is the directory, as it was given.
func (d *Dir) Path() string { return d.path }

// JobFile is the path of the file with the current settings.
func (d *Dir) JobFile() string { return filepath.Join(d.path, jobName) }

// Ledger is the path of the ledger's directory.
func (d *Dir) Ledger() string { return filepath.Join(d.path, LedgerDir) }

// HoldsLedger reports whether there is a ledger in a directory, so that its crawl can be continued.
func HoldsLedger(path string) bool {
	info, err := os.Stat(filepath.Join(path, LedgerDir))
	return err == nil && info.IsDir()
}

// Queue is the path of the embedded queues' directory.
func (d *Dir) Queue() string { return filepath.Join(d.path, queueDir) }

// Archive is the path of the directory of WARC files.
func (d *Dir) Archive() string { return filepath.Join(d.path, ArchiveDir) }

// Files is the path of the directory of plain files.
func (d *Dir) Files() string { return filepath.Join(d.path, FilesDir) }

// incoming is the path of the directory of bodies that are not whole or have no name yet.
func (d *Dir) incoming() string { return filepath.Join(d.path, IncomingDir) }

// Exports is the path of the directory of exports that were not given another place.
func (d *Dir) Exports() string { return filepath.Join(d.path, exportsDir) }

// Members is the file with the addresses of a cluster's fetchers.
func (d *Dir) Members() string { return filepath.Join(d.path, membersName) }

// FetcherName is the file with the name of a fetcher node, in its own directory.
func (d *Dir) FetcherName() string { return filepath.Join(d.path, fetcherName) }

// Spool is the directory of a fetcher's bodies that are too large for memory, on the file system of the archive, so that a file is taken
// over by renaming it.
func (d *Dir) Spool() string { return filepath.Join(d.incoming(), "spool") }

// Partial is the directory of a fetcher's bodies that were interrupted, to resume them. It outlives the process.
func (d *Dir) Partial() string { return filepath.Join(d.incoming(), "partial") }

// SeedHosts is the file that keeps the hosts of the seeds for a start without seeds.
func (d *Dir) SeedHosts() string { return filepath.Join(d.path, hostsName) }

// LogFile is the path of the log.
func (d *Dir) LogFile() string { return filepath.Join(d.path, "trawl.log") }

// ControlSocket is [ControlSocket] of the directory.
func (d *Dir) ControlSocket() (string, error) { return ControlSocket(d.path) }
