package crawler

import "time"

// DueWindow is the time within which hosts became due together: of these the one with the least depth waiting comes first, while
// a host of an earlier window comes before any of a later one.
const DueWindow = 10 * time.Second

// Rank orders the hosts that became due in one window.
type Rank struct {
	Depth uint16 // least that waits, as far as is known
	// Lag is how long before this due time the host was due for its newest turn, in milliseconds, when that lies in the same
	// window; else NoLag. A host that was let pass by others once waits until those that were due before that turn had
	// theirs. So while a host waits, no host that became due later has more than one turn.
	Lag uint16
}

const (
	// NoDepth is the Depth of a host of which nothing is known to wait; deeper ones count as this.
	NoDepth = 1<<16 - 1
	// NoLag is the Lag of a host that had no turn in this window.
	NoLag = 1<<16 - 1
)

// DueWindowOf numbers the window that a due time lies in. The zero time, "at once", is in one before all others.
func DueWindowOf(due time.Time) int64 {
	if due.IsZero() {
		return -1
	}
	return due.UnixNano() / int64(DueWindow)
}

// Rank is the host's place among those that become due in the same window as it does at due.
func (h *HostState) Rank(due time.Time) Rank {
	r := Rank{Depth: uint16(min(max(h.Depth, 0), NoDepth)), Lag: NoLag}
	if h.Errands > 0 {
		r.Depth = 0 // whole hosts wait for it
	}
	if !h.Turned.IsZero() && DueWindowOf(h.Turned) == DueWindowOf(due) {
		r.Lag = uint16(max(0, due.Sub(h.Turned)).Milliseconds())
	}
	return r
}
