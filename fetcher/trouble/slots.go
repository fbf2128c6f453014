package trouble

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// shortSettle is how long after the slots were halved they are not halved again: exchanges that were under way then may
	// still fail.
	shortSettle = 5 * time.Second
	// shortPause is how long no slot is given out after the machine was short of something.
	shortPause = time.Second
	// shortCalm is how long nothing may have been short before a quarter more of the slots is given out.
	shortCalm = 30 * time.Second
)

// IsShortage reports whether an error says that this machine is short of something: file descriptors, ports, buffers. It
// says nothing about the host that was to be asked.
func IsShortage(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	if err == nil {
		return false
	}
	text := err.Error() // an error of the resolver keeps no more of its cause
	return strings.Contains(text, "too many open files") || strings.Contains(text, "no buffer space available")
}

// Slots is the room for turns. Its limit may be lowered below what is taken; then nothing is given out until enough came
// back. Safe for concurrent use.
type Slots struct {
	log *slog.Logger

	mu      sync.Mutex
	most    int // of the fetcher
	fitting int // what the machine had room for; most when it was never short
	single  bool
	taken   int
	short   time.Time     // when the machine was short last
	grown   time.Time     // when fitting was raised last, or the machine was short after that
	halved  time.Time     // when fitting was lowered last
	room    chan struct{} // closed when there may be room
	moved   chan struct{} // closed when the limit changed
}

func NewSlots(most int, log *slog.Logger) *Slots {
	return &Slots{log: log, most: most, fitting: most, room: make(chan struct{}), moved: make(chan struct{})}
}

// limit is how many may be taken. Called with mu held.
func (s *Slots) limit() int {
	if s.single {
		return 1
	}
	return s.fitting
}

// Now is the limit, and a channel that is closed when it changes.
func (s *Slots) Now() (limit int, moved <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limit(), s.moved
}

// Take takes a slot, and waits for one. It reports false when ctx ends before.
func (s *Slots) Take(ctx context.Context) bool {
	for ctx.Err() == nil {
		s.mu.Lock()
		now := time.Now()
		s.recover(now)
		pause := shortPause - now.Sub(s.short)
		if pause <= 0 && s.taken < s.limit() {
			s.taken++
			s.mu.Unlock()
			return true
		}
		room, wait := s.room, shortCalm
		if pause > 0 {
			wait = pause
		}
		s.mu.Unlock()
		waitChange(ctx, room, wait)
	}
	return false
}

// Give gives a slot back.
func (s *Slots) Give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	s.wake()
}

// wake lets those look again who wait for a slot. Called with mu held.
func (s *Slots) wake() {
	close(s.room)
	s.room = make(chan struct{})
}

// change says that the limit changed. Called with mu held.
func (s *Slots) change() {
	close(s.moved)
	s.moved = make(chan struct{})
	s.wake()
}

// Single lowers the limit to Single slot, or lifts that.
func (s *Slots) Single(single bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.single = single
	s.change()
}

// Short says that the machine was short of something with as many turns as are under way: half of them is tried from now on,
// and more again when it has been calm.
func (s *Slots) Short(short error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.short, s.grown = now, now
	if !s.halved.IsZero() && now.Sub(s.halved) < shortSettle {
		return
	}
	if s.halved.IsZero() {
		s.log.Warn("this machine is short of something; no host is blamed for it, and fewer are asked at once: raise the limit (ulimit -n), or use fewer `workers`",
			"error", short)
	}
	s.halved = now
	s.fitting = max(1, min(s.fitting, s.taken)/2)
	s.change()
}

// recover gives more out when it has been calm. Called with mu held.
func (s *Slots) recover(now time.Time) {
	if s.fitting >= s.most || now.Sub(s.grown) < shortCalm {
		return
	}
	s.grown = now
	s.fitting = min(s.most, s.fitting+max(1, s.fitting/4))
	s.change()
}
