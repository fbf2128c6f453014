//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// diskSize is that of a disk of a node's own, enough for a crawl.
	diskSize = "192m"
	// syncedBefore is how old the queue's bytes are that no power failure takes: it syncs every second.
	syncedBefore = 2 * time.Second
)

// sizes remembers how large files were.
type sizes struct {
	mu  sync.Mutex
	was map[string][]sizeAt
}

type sizeAt struct {
	at   time.Time
	size int64
}

func newSizes() *sizes { return &sizes{was: make(map[string][]sizeAt)} }

// sample notes the sizes of all files below a directory.
func (s *sizes) sample(dir string) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error { // what goes meanwhile is no matter
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			s.was[path] = append(s.was[path], sizeAt{now, info.Size()})
		}
		return nil
	})
}

// before is a file's size at a time; a file that was not there yet has none.
func (s *sizes) before(path string, t time.Time) (size int64, was bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.was[path] {
		if one.at.After(t) {
			break
		}
		size, was = one.size, true
	}
	return size, was
}

// tearQueue cuts off the message blocks what they gained in the last seconds before a time. It returns the bytes.
func tearQueue(dir string, s *sizes, killed time.Time) (cut int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".blk") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		size, was := s.before(path, killed.Add(-syncedBefore))
		if !was || size >= info.Size() {
			return nil // a new file's name may be lost too, but then nothing tells what was in it
		}
		cut += info.Size() - size
		return os.Truncate(path, size)
	})
	return cut, err
}

// tearLedger writes half a record after the last one of the ledger's newest log: what a power failure may leave
// of a write that was not synced.
func tearLedger(dir string) error {
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) == 0 {
		return errors.Join(err, fmt.Errorf("no log of the ledger in %s", dir))
	}
	name := slices.Max(logs)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	end, last := logEnd(text)
	if last == nil {
		return nil // an empty log has no end to tear
	}
	half := slices.Clone(last[:max(12, len(last)/2)]) // its checksum and length are those of the whole record
	half[0]++
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(half, int64(end))
	return errors.Join(err, f.Close())
}

// logEnd finds where the records of a log end, and the last of them. The log consists of blocks of 32 KiB, a block of
// chunks: checksum (4 bytes), length (2), type (1), with some types further 4 or 12 bytes, and the data.
func logEnd(text []byte) (end int, last []byte) {
	const block = 32 << 10
	for at := 0; at+7 <= len(text); {
		length, sort := int(text[at+4])|int(text[at+5])<<8, text[at+6]
		head := 7
		switch {
		case sort == 0 && length == 0:
			if rest := at % block; block-rest < 20 { // the rest of a block that is too short for a head
				at += block - rest
				continue
			}
			return end, last
		case sort > 8:
			head = 19
		case sort > 4:
			head = 11
		}
		to := at + head + length
		if sort > 12 || to > len(text) {
			return end, last
		}
		last, end, at = text[at:to], to, to
		if block-at%block < 7 {
			at += block - at%block
		}
	}
	return end, last
}

// tearWARC appends half a record to the newest WARC file of a fetcher, which is what a kill between two
// writes leaves. It reports whether there was one.
func tearWARC(dir string, noise []byte) (bool, error) {
	files, err := filepath.Glob(filepath.Join(dir, "archive", "*.warc.gz*"))
	if err != nil || len(files) == 0 {
		return false, err
	}
	newest, at := "", time.Time{}
	for _, name := range files {
		if info, err := os.Stat(name); err == nil && info.ModTime().After(at) {
			newest, at = name, info.ModTime()
		}
	}
	head := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff} // of a gzip member
	return true, appendTo(newest, append(head, noise...))
}

func appendTo(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// mountDisk gives a node a disk of its own.
func mountDisk(n *node) error {
	if err := unix.Mount("chaos", n.disk(), "tmpfs", 0, "size="+diskSize); err != nil {
		return fmt.Errorf("mount a disk for %s: %w", n.name, err)
	}
	n.mounted = true
	return nil
}

// setReadOnly mounts a node's disk anew.
func setReadOnly(n *node, only bool) error {
	flags := uintptr(unix.MS_REMOUNT)
	if only {
		flags |= unix.MS_RDONLY
	}
	if err := unix.Mount("chaos", n.disk(), "tmpfs", flags, "size="+diskSize); err != nil {
		return fmt.Errorf("mount the disk of %s anew: %w", n.name, err)
	}
	return nil
}

// fill takes all room of a node's disk.
func fill(n *node) error {
	f, err := os.OpenFile(filler(n), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	block := make([]byte, 256<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	if errors.Is(err, unix.ENOSPC) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// filler is the file that fills a disk; it lies beside what trawl looks at.
func filler(n *node) string { return filepath.Join(n.disk(), "filler") }
