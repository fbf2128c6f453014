package ship

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"trawl/crawler"
)

const (
	// ShipChunk is the most bytes that travel in one message to the depot.
	ShipChunk = 4 << 20
	// shipInterval is how often the outbox is looked at.
	shipInterval = 3 * time.Second
	// shipAgain is the pause after an error, doubled each time up to shipAgainMax.
	shipAgain    = time.Second
	shipAgainMax = 30 * time.Second
	// shipAtOnce is how many files travel at the same time: small ones are mostly waiting for the other
	// side's disk.
	shipAtOnce = 8
	// drainTries is how often Drain goes through an outbox of which nothing more arrives: what is left then
	// cannot be shipped.
	drainTries = 8
)

// Shipper brings the files of a fetcher's outbox to the scheduler's directory. A file may still grow: what
// is durable of it is shipped, and the rest later. It is removed here only after the whole of it was
// compared there, so a crash at any point repeats work and loses nothing. Its methods are safe for
// concurrent use.
type Shipper struct {
	outbox Outbox
	depot  Depot
	log    *slog.Logger

	mu        sync.Mutex // held while files are shipped
	arrivedMu sync.Mutex
	arrived   map[string]int64 // bytes of growing files that are known to be there; under arrivedMu
}

// NewShipper makes a shipper. logger nil = none.
func NewShipper(outbox Outbox, depot Depot, logger *slog.Logger) *Shipper {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Shipper{outbox: outbox, depot: depot, log: logger, arrived: make(map[string]int64)}
}

// Run ships what is pending, every few seconds, until the context ends. Errors are logged, once in a row, and tried again.
func (s *Shipper) Run(ctx context.Context) error {
	again := shipAgain
	for {
		wait := shipInterval
		if _, err := s.ship(ctx); err == nil {
			again = shipAgain
		} else if ctx.Err() == nil {
			if again == shipAgain {
				s.log.Warn("files cannot be shipped yet", "error", err)
			}
			wait, again = again, min(2*again, shipAgainMax)
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// Drain ships everything that is left and returns when nothing is pending: the archive must have been
// closed, so that no file grows. It tries until the context ends, or nothing more arrives for drainTries
// times; then it says what was in the way.
func (s *Shipper) Drain(ctx context.Context) error {
	wait, tries, before := shipAgain, 0, -1
	for {
		left, err := s.ship(ctx)
		if err == nil && left == 0 {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("%d files are not final yet", left)
		}
		if tries++; left != before {
			wait, tries, before = shipAgain, 0, left
		}
		if tries >= drainTries {
			return fmt.Errorf("ship what is left: %w", err)
		}
		if !sleep(ctx, wait) {
			return fmt.Errorf("ship what is left: %w", errors.Join(ctx.Err(), err))
		}
		wait = min(2*wait, shipAgainMax)
	}
}

// sleep waits for d, and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// ship goes through the outbox once. left counts the files that stay pending; one that fails does not
// hold up the others.
func (s *Shipper) ship(ctx context.Context) (left int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending, err := s.outbox.Pending()
	if err != nil {
		return 0, fmt.Errorf("list the outbox: %w", err)
	}
	var results sync.Mutex // guards left and err while files are under way
	var under sync.WaitGroup
	room := make(chan struct{}, shipAtOnce)
	for _, f := range pending {
		room <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		under.Go(func() {
			defer func() { <-room }()
			failed := s.file(ctx, f)
			results.Lock()
			defer results.Unlock()
			if failed != nil && err == nil {
				err = fmt.Errorf("ship %s: %w", f.Name, failed)
			}
			if failed != nil || !f.Final {
				left++
			}
		})
	}
	under.Wait()
	return left, cmp.Or(ctx.Err(), err)
}

// file ships what is missing of a file, and ends it when it is final.
func (s *Shipper) file(ctx context.Context, f crawler.Shipment) error {
	if !f.Final && s.known(f.Name) == f.Size {
		return nil
	}
	there, err := s.depot.Size(ctx, f.Name)
	if err != nil {
		return err
	}
	if there < f.Size {
		if err := s.rest(ctx, f, there); err != nil {
			return err
		}
	}
	s.note(f.Name, max(there, f.Size))
	if !f.Final {
		return nil
	}
	digest, err := s.digest(f)
	if err != nil {
		return err
	}
	if err := s.depot.Finish(ctx, f.Name, f.Size, digest); err != nil {
		return err
	}
	s.note(f.Name, 0)
	return s.outbox.Shipped(f.Name)
}

// known is how much of a growing file has arrived for certain.
func (s *Shipper) known(name string) int64 {
	s.arrivedMu.Lock()
	defer s.arrivedMu.Unlock()
	return s.arrived[name]
}

func (s *Shipper) note(name string, size int64) {
	s.arrivedMu.Lock()
	defer s.arrivedMu.Unlock()
	if s.arrived[name] = size; size == 0 {
		delete(s.arrived, name)
	}
}

// rest appends the bytes from offset on, in chunks.
func (s *Shipper) rest(ctx context.Context, f crawler.Shipment, offset int64) error {
	r, err := s.outbox.Open(f.Name)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := skip(r, offset); err != nil {
		return err
	}
	for offset < f.Size {
		n := min(ShipChunk, f.Size-offset)
		if err := s.depot.Append(ctx, f.Name, offset, io.LimitReader(r, n), n); err != nil {
			return err
		}
		offset += n
	}
	return nil
}

func skip(r io.Reader, n int64) error {
	if seeker, ok := r.(io.Seeker); ok {
		_, err := seeker.Seek(n, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, r, n)
	return err
}

// digest is the SHA-256 of the whole file as it lies here.
func (s *Shipper) digest(f crawler.Shipment) (d crawler.Digest, err error) {
	r, err := s.outbox.Open(f.Name)
	if err != nil {
		return d, err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.CopyN(h, r, f.Size); err != nil {
		return d, err
	}
	h.Sum(d[:0])
	return d, nil
}
