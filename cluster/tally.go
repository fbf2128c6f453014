package cluster

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// logEvery is how often the same kind of event is logged; what happened in between is counted.
const logEvery = time.Minute

// tally counts events of one kind, logs the first at once, and then at most one line in [logEvery]. Safe
// for concurrent use.
type tally struct {
	log  *slog.Logger
	text string
	now  func() time.Time

	mu     sync.Mutex
	total  int64
	silent int64 // since the last line
	last   time.Time
}

// newTally makes one whose lines are warnings.
func newTally(log *slog.Logger, text string) *tally {
	return &tally{log: log, text: text, now: time.Now}
}

// hit counts an event. The attributes tell about it alone.
func (t *tally) hit(attrs ...slog.Attr) {
	t.mu.Lock()
	t.total++
	t.silent++
	now := t.now()
	speak := t.last.IsZero() || now.Sub(t.last) >= logEvery
	n := t.silent
	if speak {
		t.last, t.silent = now, 0
	}
	t.mu.Unlock()
	if speak {
		t.log.LogAttrs(context.Background(), slog.LevelWarn, t.text, append(attrs, slog.Int64("count", n))...)
	}
}

// flush logs what has not been told yet.
func (t *tally) flush() {
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

func (t *tally) count() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}
