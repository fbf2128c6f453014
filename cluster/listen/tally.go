package listen

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// LogEvery is how often the same kind of event is logged; what happened in between is counted.
const LogEvery = time.Minute

// Tally counts events of one kind, logs the first at once, and then at most one line in [LogEvery]. Safe
// for concurrent use.
type Tally struct {
	log  *slog.Logger
	text string
	now  func() time.Time

	mu     sync.Mutex
	total  int64
	silent int64 // since the last line
	last   time.Time
}

// NewTally makes one whose lines are warnings.
func NewTally(log *slog.Logger, text string) *Tally {
	return &Tally{log: log, text: text, now: time.Now}
}

// Hit counts an event. The attributes describe it alone.
func (t *Tally) Hit(attrs ...slog.Attr) {
	t.mu.Lock()
	t.total++
	t.silent++
	now := t.now()
	due := t.last.IsZero() || now.Sub(t.last) >= LogEvery
	n := t.silent
	if due {
		t.last, t.silent = now, 0
	}
	t.mu.Unlock()
	if due {
		t.log.LogAttrs(context.Background(), slog.LevelWarn, t.text, append(attrs, slog.Int64("count", n))...)
	}
}

// Flush logs what was counted and not logged yet.
func (t *Tally) Flush() {
	t.mu.Lock()
	n := t.silent
	t.silent = 0
	if n > 0 {
		t.last = t.now()
	}
	t.mu.Unlock()
	if n > 0 {
		t.log.LogAttrs(context.Background(), slog.LevelWarn, t.text+" (more of the same)", slog.Int64("count", n))
	}
}

func (t *Tally) Count() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}
