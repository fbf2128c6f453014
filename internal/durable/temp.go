package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// tempEnding is that of temporary files: ".NAME.PID-N.tmp" stands for NAME.
const tempEnding = ".tmp"

// createTemp makes a new file next to the one meant, and locks it until it is closed, which ends with the
// process at the latest: a process that finds the file sees by the lock whether it is still being written. The mode is
// subject to the umask, other than that of os.CreateTemp, since exports are for whom the user lets read files.
func createTemp(dir, base string, mode fs.FileMode) (*os.File, error) {
	for try := 0; ; try++ {
		name := filepath.Join(dir, fmt.Sprintf(".%s.%d-%d%s", base, os.Getpid(), try, tempEnding))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err == nil {
			if claim(f) {
				return f, nil
			}
			err = errors.Join(fs.ErrExist, f.Close())
		}
		if !errors.Is(err, fs.ErrExist) || try == 1000 {
			return nil, err
		}
	}
}

// claim locks a file that was just made, and reports false when removeStale was quicker. A file system
// without locks has no removeStale to fear.
func claim(f *os.File) bool {
	return !errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) && inPlace(f)
}

// inPlace reports whether the file still lies under its name.
func inPlace(f *os.File) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(opened, named)
}

// removeStale removes the temporary files of a path that nobody writes any more. What cannot be looked at
// is left alone: it is in nobody's way.
func removeStale(path string) {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(orHere(dir))
	if err != nil {
		return
	}
	for _, e := range entries {
		if isTempOf(e.Name(), base) && e.Type().IsRegular() {
			removeUnlocked(filepath.Join(dir, e.Name()))
		}
	}
}

// removeUnlocked: while we hold the lock, and the name is that of the file we locked, nobody else makes,
// renames or removes a file of this name.
func removeUnlocked(name string) {
	f, err := os.Open(name)
	if err != nil {
		return
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && inPlace(f) {
		os.Remove(name)
	}
}

// isTempOf reports whether createTemp may have made the name for a file called base.
func isTempOf(name, base string) bool {
	number, found := strings.CutPrefix(name, "."+base+".")
	number, ends := strings.CutSuffix(number, tempEnding)
	pid, try, dash := strings.Cut(number, "-")
	return found && ends && dash && isNumber(pid) && isNumber(try)
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
