package fetcher

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"trawl/crawler"
)

const (
	// spoolSmall is the memory a body gets first, in bytes.
	spoolSmall = 32 * crawler.KiB
	// spoolMemory is the most memory a body gets, in bytes; a larger one goes to a file.
	spoolMemory = 256 * crawler.KiB
	// spoolPrefix begins the name of each spool file.
	spoolPrefix = "body-"
)

// spools lends memory and files to bodies on their way to the archive. Its directory belongs to one
// process: what an earlier one left there is removed, since a body that was not archived has no record and
// its URL is fetched again. (Bodies that can be gone on with lie elsewhere, see partials.) Safe for
// concurrent use.
type spools struct {
	dir          string
	small, large sync.Pool // of *[]byte
}

// newSpools makes the directory (0700) if need be and empties it of spool files.
func newSpools(dir string) (*spools, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the spool directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the spool directory: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), spoolPrefix) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return nil, fmt.Errorf("remove a left-over spool file: %w", err)
			}
		}
	}
	s := &spools{dir: dir}
	s.small.New = func() any { b := make([]byte, 0, spoolSmall); return &b }
	s.large.New = func() any { b := make([]byte, 0, spoolMemory); return &b }
	return s, nil
}

// spool holds one body: in memory up to spoolMemory, then in a file. The first error stays. Owned by one
// goroutine.
type spool struct {
	from *spools
	part *partial // whose file it is, so that it outlives an interruption; nil = a file of its own
	buf  *[]byte
	file *os.File
	path string
	size int64
	err  error
}

func (s *spools) open() *spool { return &spool{from: s, buf: s.small.Get().(*[]byte)} }

// resume goes on with a body that was loaded.
func (s *spools) resume(p *partial) *spool {
	return &spool{from: s, part: p, file: p.file, path: p.path(), size: p.size}
}

// Write appends p whole, or keeps the error for body.
func (s *spool) Write(p []byte) (int, error) {
	if s.err == nil {
		s.err = s.add(p)
	}
	if s.err != nil {
		return 0, s.err
	}
	s.size += int64(len(p))
	return len(p), nil
}

// inMemory reports whether n more bytes touch no disk.
func (s *spool) inMemory(n int) bool { return s.file == nil && len(*s.buf)+n <= spoolMemory }

func (s *spool) add(p []byte) error {
	if s.inMemory(len(p)) {
		s.grow(len(p))
		*s.buf = append(*s.buf, p...)
		return nil
	}
	if s.file == nil {
		if err := s.leaveMemory(); err != nil {
			return err
		}
	}
	return s.write(p)
}

func (s *spool) leaveMemory() error {
	if err := s.create(); err != nil {
		return fmt.Errorf("open a spool file: %w", err)
	}
	if err := s.write(*s.buf); err != nil {
		return err
	}
	s.giveBack()
	return nil
}

// toFile moves a body that is in memory into its file, so that its partial has it.
func (s *spool) toFile() {
	if s.err == nil && s.file == nil && s.buf != nil && len(*s.buf) > 0 {
		s.err = s.leaveMemory()
	}
}

// create makes the file. Its permissions follow the umask, as the archive may give it a name among the
// user's files; until then it lies in a directory that is private.
func (s *spool) create() (err error) {
	if s.part != nil {
		s.file, err = s.part.create()
	} else {
		name := filepath.Join(s.from.dir, spoolPrefix+rand.Text())
		s.file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}
	if err != nil {
		s.file = nil
		return err
	}
	s.path = s.file.Name()
	return nil
}

func (s *spool) write(p []byte) error {
	n, err := s.file.Write(p)
	if s.part != nil {
		s.part.size += int64(n)
	}
	if err != nil {
		return fmt.Errorf("spool a body: %w", err)
	}
	return nil
}

// due reports whether sync should be called: so much came that it should outlive the process.
func (s *spool) due(now time.Time) bool {
	return s.part != nil && s.file != nil && s.err == nil && s.part.due(now)
}

// sync makes the body durable as far as it came.
func (s *spool) sync() error {
	if err := s.part.sync(); err != nil {
		s.err = err
	}
	return s.err
}

// grow moves a small buffer's content to a large one when p does not fit.
func (s *spool) grow(n int) {
	if len(*s.buf)+n <= cap(*s.buf) {
		return
	}
	large := s.from.large.Get().(*[]byte)
	*large = append(*large, *s.buf...)
	s.giveBack()
	s.buf = large
}

func (s *spool) giveBack() {
	if s.buf == nil {
		return
	}
	b := s.buf
	s.buf = nil
	pool := &s.from.small
	if cap(*b) >= spoolMemory {
		pool = &s.from.large
	}
	*b = (*b)[:0]
	pool.Put(b)
}

// body is what was written. Its bytes are valid until discard, its file until then or until its partial is
// released.
func (s *spool) body() (crawler.Body, error) {
	if s.file != nil && s.part == nil {
		if err := s.file.Close(); err != nil && s.err == nil {
			s.err = fmt.Errorf("close a spool file: %w", err)
		}
		s.file = nil
	}
	if s.err != nil {
		return crawler.Body{}, s.err
	}
	if s.path != "" {
		return crawler.Body{File: s.path, Size: s.size}, nil
	}
	return crawler.Body{Bytes: *s.buf, Size: s.size}, nil
}

// discard gives memory back and removes the file, unless the archive took it over or it is a partial's.
func (s *spool) discard() {
	if s.part != nil {
		s.file, s.path = nil, ""
	}
	if s.file != nil {
		s.file.Close() // it is removed, so what could not be written does not matter
		s.file = nil
	}
	if s.path != "" {
		os.Remove(s.path) // gone when the archive renamed it
		s.path = ""
	}
	s.giveBack()
}
