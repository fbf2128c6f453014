package scheduler

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/core"
)

// Bodies get their names when their rows are settled, or when they arrive, whichever comes later. A settled row stands
// in the ledger as unplaced until its body lies under all its names, so a crash at any point repeats work and loses
// none. A line whose URL was redirected waits at the end of the redirects, and its row gets the file when that has come.
// All file work is done beside the loop, which only commits what came of it; a page of lines is one commit.

const (
	// placePage is how many lines get their files in one commit.
	placePage = 256
	// maxToPlace is how many rows may wait in memory to be looked at; with more, the ledger is read.
	maxToPlace = 1 << 16
	// maxChain bounds how far redirects are followed from row to row.
	maxChain = 64
	// placeAgain is the pause after trouble with the disk.
	placeAgain = 2 * time.Second
)

// Bodies puts bodies under the names that the ledger gave; see archive.Bodies, whose contract it is.
type Bodies interface {
	Place(ctx context.Context, u weburl.URL, digest crawler.Digest, size int64, to string) error
	Link(ctx context.Context, from, to string) error
	Sync() error
}

// BodyNames are names of bodies in the ledger: for what decides about names, and for what puts bodies under them.
type BodyNames interface {
	core.NameReader
	PlaceReader
}

// PlaceReader reads what the ledger says of bodies and their names.
type PlaceReader interface {
	Aliases(of weburl.URLKey, after uint64, n int) ([]crawler.Alias, error)
	Awaiting(at weburl.URLKey, n int) ([]weburl.URLKey, error)
	Unplaced() iter.Seq2[crawler.Unplaced, error]
	UnplacedVersion(k weburl.URLKey) (uint64, bool, error)
}

// placing is the list of rows to be looked at. Safe for concurrent use.
type placing struct {
	read PlaceReader

	mu     sync.Mutex
	queue  []weburl.URLKey
	queued map[weburl.URLKey]bool
	scan   bool // the ledger has more
	busy   bool
	wake   chan struct{}
}

func newPlacing(read PlaceReader) *placing {
	return &placing{read: read, queued: make(map[weburl.URLKey]bool), scan: true, wake: make(chan struct{}, 1)}
}

func (p *placing) add(k weburl.URLKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.queued[k]:
	case len(p.queue) >= maxToPlace:
		p.scan = true
	default:
		p.queue, p.queued[k] = append(p.queue, k), true
	}
	p.poke()
}

func (p *placing) rescan() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scan = true
	p.poke()
}

func (p *placing) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// take gives what is to be looked at, and notes that somebody does.
func (p *placing) take() (keys []weburl.URLKey, scan bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(p.queue), placePage)
	keys, p.queue = slices.Clone(p.queue[:n]), p.queue[n:]
	for _, k := range keys {
		delete(p.queued, k)
	}
	scan, p.scan = p.scan, false
	p.busy = n > 0 || scan
	return keys, scan
}

func (p *placing) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue) == 0 && !p.scan && !p.busy
}

// Placed reports whether every row was looked at whose body was there by then.
func (s *Scheduler) Placed() bool { return s.o.Bodies == nil || s.placing.idle() }

// Arrived says that a body is there.
func (s *Scheduler) Arrived(name string) {
	if k, _, ok := crawler.ParseBodyName(name); ok && s.o.Bodies != nil {
		s.placing.add(k)
	}
}

// place puts bodies under their names until the context ends.
func (s *Scheduler) place(ctx context.Context) error {
	if s.o.Bodies == nil {
		return nil
	}
	p := s.placing
	for ctx.Err() == nil {
		keys, scan := p.take()
		if len(keys) == 0 && !scan {
			select {
			case <-p.wake:
			case <-ctx.Done():
			}
			continue
		}
		if err := s.placeAll(ctx, keys, scan); err != nil && ctx.Err() == nil {
			s.log.Warn("bodies cannot get their names yet, trying again", "error", err)
			wait(ctx, placeAgain)
			p.rescan()
		}
	}
	return ctx.Err()
}

func (s *Scheduler) placeAll(ctx context.Context, keys []weburl.URLKey, scan bool) error {
	b := &placeBatch{s: s, ctx: ctx}
	for _, k := range keys {
		version, found, err := s.o.Names.UnplacedVersion(k)
		if err == nil && found {
			err = b.one(crawler.Unplaced{Key: k, Version: version})
		}
		if err != nil {
			return err
		}
	}
	if scan {
		for u, err := range s.o.Names.Unplaced() {
			if err == nil {
				err = b.one(u)
			}
			if err != nil {
				return err
			}
		}
	}
	return b.flush()
}
