package spool

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

// Spools lends memory and files to bodies on their way to the archive. Its directory belongs to one
// process: what an earlier one left there is removed, since a body that was not archived has no record and
// its URL is fetched again. (Bodies that can be resumed lie elsewhere, see [Partials].) Safe for
// concurrent use.
type Spools struct {
	Dir          string
	small, large sync.Pool // of *[]byte
}

// NewSpools makes the directory (0700) if need be and empties it of spool files.
func NewSpools(dir string) (*Spools, error) {
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
	s := &Spools{Dir: dir}
	s.small.New = func() any { b := make([]byte, 0, spoolSmall); return &b }
	s.large.New = func() any { b := make([]byte, 0, spoolMemory); return &b }
	return s, nil
}

// Spool holds one body: in memory up to spoolMemory, then in a file. The first error stays. Owned by one
// goroutine.
type Spool struct {
	from *Spools
	Part *Partial // whose file it is, so that it outlives an interruption; nil = a file of its own
	buf  *[]byte
	file *os.File
	path string
	Size int64
	Err  error
}

func (s *Spools) Open() *Spool { return &Spool{from: s, buf: s.small.Get().(*[]byte)} }

// Resume continues a body that was loaded.
func (s *Spools) Resume(p *Partial) *Spool {
	return &Spool{from: s, Part: p, file: p.file, path: p.path(), Size: p.Size}
}

// Write appends p whole, or keeps the error for body.
func (s *Spool) Write(p []byte) (int, error) {
	if s.Err == nil {
		s.Err = s.add(p)
	}
	if s.Err != nil {
		return 0, s.Err
	}
	s.Size += int64(len(p))
	return len(p), nil
}

// InMemory reports whether n more bytes touch no disk.
func (s *Spool) InMemory(n int) bool { return s.file == nil && len(*s.buf)+n <= spoolMemory }

func (s *Spool) add(p []byte) error {
	if s.InMemory(len(p)) {
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

func (s *Spool) leaveMemory() error {
	if err := s.create(); err != nil {
		return fmt.Errorf("open a spool file: %w", err)
	}
	if err := s.write(*s.buf); err != nil {
		return err
	}
	s.giveBack()
	return nil
}

// ToFile moves a body that is in memory into its file, so that its partial has it.
func (s *Spool) ToFile() {
	if s.Err == nil && s.file == nil && s.buf != nil && len(*s.buf) > 0 {
		s.Err = s.leaveMemory()
	}
}

// create makes the file. Its permissions follow the umask, as the archive may give it a name among the
// user's files; until then it lies in a directory that is private.
func (s *Spool) create() (err error) {
	if s.Part != nil {
		s.file, err = s.Part.create()
	} else {
		name := filepath.Join(s.from.Dir, spoolPrefix+rand.Text())
		s.file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}
	if err != nil {
		s.file = nil
		return err
	}
	s.path = s.file.Name()
	return nil
}

func (s *Spool) write(p []byte) error {
	n, err := s.file.Write(p)
	if s.Part != nil {
		s.Part.Size += int64(n)
	}
	if err != nil {
		return fmt.Errorf("spool a body: %w", err)
	}
	return nil
}

// Due reports whether sync should be called: so much came that it should outlive the process.
func (s *Spool) Due(now time.Time) bool {
	return s.Part != nil && s.file != nil && s.Err == nil && s.Part.due(now)
}

// Sync makes the body durable as far as it came.
func (s *Spool) Sync() error {
	if err := s.Part.sync(); err != nil {
		s.Err = err
	}
	return s.Err
}

// grow moves a small buffer's content to a large one when p does not fit.
func (s *Spool) grow(n int) {
	if len(*s.buf)+n <= cap(*s.buf) {
		return
	}
	large := s.from.large.Get().(*[]byte)
	*large = append(*large, *s.buf...)
	s.giveBack()
	s.buf = large
}

func (s *Spool) giveBack() {
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

// Body is what was written. Its bytes are valid until discard, its file until then or until its partial is
// released.
func (s *Spool) Body() (crawler.Body, error) {
	if s.file != nil && s.Part == nil {
		if err := s.file.Close(); err != nil && s.Err == nil {
			s.Err = fmt.Errorf("close a spool file: %w", err)
		}
		s.file = nil
	}
	if s.Err != nil {
		return crawler.Body{}, s.Err
	}
	if s.path != "" {
		return crawler.Body{File: s.path, Size: s.Size}, nil
	}
	return crawler.Body{Bytes: *s.buf, Size: s.Size}, nil
}

// Discard gives memory back and removes the file, unless the archive took it over or it is a partial's.
func (s *Spool) Discard() {
	if s.Part != nil {
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
