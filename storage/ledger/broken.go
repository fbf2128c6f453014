package ledger

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"

	"trawl/storage"
)

// fail notes that the store can no longer be trusted, because something could not be written. From then on everything is
// refused. While the ledger is being opened the one who opens it is told, and nobody else.
func (l *Ledger) fail(err error) {
	err = oneLine(err)
	if !l.broken.CompareAndSwap(nil, &err) {
		return
	}
	if l.opened.Load() {
		l.o.Logger.Error("the ledger cannot be written any more", "dir", l.dir, "error", err)
	}
	close(l.gone)
}

// failure is what fail noted.
func (l *Ledger) failure() error {
	if err := l.broken.Load(); err != nil {
		return fmt.Errorf("ledger %s %w: %w; what was committed is safe: mend the disk, or make room on it, and start again", l.dir, storage.ErrUnwritable, *err)
	}
	return nil
}

// background hears of what Pebble could not do beside our calls. It would try a failed write again at once, for ever:
// where it is the disk that does not take it, the ledger is broken, and the goroutine that tries ends here, giving
// back Pebble's lock by its defers. What waits for it is left by call.
func (l *Ledger) background(err error) {
	if l.broken.Load() == nil && !refusedByDisk(err) {
		if l.opened.Load() { // before, the one who opens it is told
			l.o.Logger.Error("ledger", "dir", l.dir, "error", oneLine(err))
		}
		return
	}
	l.fail(err)
	runtime.Goexit()
}

// refusedByDisk reports whether a write failed for a reason that trying again does not mend.
func refusedByDisk(err error) bool {
	for _, why := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO} {
		if errors.Is(err, why) {
			return true
		}
	}
	return false
}

// call makes a call of Pebble's that writes. Pebble waits for ever for what cannot be written; then call returns the
// failure and leaves the one under way to itself, with the store.
func (l *Ledger) call(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return errors.Join(err, l.failure())
	case <-l.gone:
		return l.failure()
	}
}

// lineError is an error of Pebble's on one line, without its notes and stacks for Pebble's makers.
type lineError struct{ err error }

func oneLine(err error) error { return lineError{err} }

func (e lineError) Error() string {
	line, _, _ := strings.Cut(e.err.Error(), "\n")
	return line
}

func (e lineError) Unwrap() error { return e.err }
