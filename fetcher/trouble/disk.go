package trouble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// diskAgain is the pause before a disk that took nothing is tried again, doubled each time up to diskAgainMax.
	diskAgain    = time.Second
	diskAgainMax = 30 * time.Second
	// diskProbe is how many bytes are written to try it.
	diskProbe = 1 << 20
)

// Disk knows whether the fetcher's disk takes bodies. While it does not, that is no fate of the URLs: their exchanges
// have no result, the turns under way end, and no more are taken, until there is room. Safe for concurrent use.
type Disk struct {
	dir string // on the disk; something is written there to try it
	log *slog.Logger

	mu  sync.Mutex
	bad bool
}

func NewDisk(dir string, log *slog.Logger) *Disk { return &Disk{dir: dir, log: log} }

// IsDisk reports whether an error is the disk's and not the body's: full, over quota, read-only or broken.
func IsDisk(err error) bool {
	for _, e := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Failed notes that the disk did not take a body.
func (d *Disk) Failed(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.bad {
		d.log.Warn("the disk takes no more bodies: this fetcher takes no more turns until it does; make room", "error", err)
	}
	d.bad = true
}

// Wait waits until the disk takes bodies, or ctx ends.
func (d *Disk) Wait(ctx context.Context) {
	for again := diskAgain; !d.good(); again = min(2*again, diskAgainMax) {
		if waitChange(ctx, nil, again) {
			return
		}
		d.try()
	}
}

func (d *Disk) good() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.bad
}

func (d *Disk) try() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bad && d.probe() == nil {
		d.bad = false
		d.log.Info("the disk takes bodies again")
	}
}

func (d *Disk) probe() (err error) {
	f, err := os.CreateTemp(d.dir, "probe-*")
	if err != nil {
		return fmt.Errorf("try the disk: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(make([]byte, diskProbe)); err != nil {
		return fmt.Errorf("try the disk: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("try the disk: %w", err)
	}
	return nil
}
