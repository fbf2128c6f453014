package credit

import (
	"iter"
	"maps"
	"slices"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

const (
	// RepublishAfter: an offered turn that nobody asked for is published again, if the queue has lost it.
	RepublishAfter = 60 * time.Second
	// mostRepublish is how often the time after which a turn is published again is doubled: up to 16 minutes.
	mostRepublish = 4
)

// Turn is an active turn.
type Turn struct {
	crawler.TurnState
	Task      crawler.Task // on its way to the queue, empty afterwards
	Depth     int          // least of its URLs; 0 when it was made by the process before
	Offered   time.Time    // or when this process began
	Published time.Time    // last
	Tries     int          // times it was published again
	Granted   time.Time    // when it was first held; zero when that was by the process before
	Alone     bool         // its URL is to have a turn of its own
	Until     time.Time    // end of the lease, when held
	LapseAt   uint64       // position in the result queue to be settled before it lapses; 0 = not drawn yet
	Lapsing   bool         // LapseAt is drawn
	Floor     time.Time    // it was given under a longer lease than the job's, whose end this is
	Own       bool         // it was held by this process's predecessor
	Spared    bool         // its lease was made longer since its holder was last heard, see [Turns.Spare]
}

// Copy is a copy for editing.
func (t *Turn) Copy() *Turn {
	c := *t
	c.URLs = slices.Clone(t.URLs)
	return &c
}

// overdueAt is when an offered turn is to be published again.
func (t *Turn) overdueAt() time.Time {
	return t.Published.Add(RepublishAfter << min(t.Tries, mostRepublish))
}

// Turns are the active turns, by host.
type Turns struct {
	m       map[weburl.Host]*Turn
	held    int
	probes  int
	by      map[string]int // held, by fetcher
	over    time.Time      // no lease ends before; zero = none is held
	overdue time.Time      // no offered turn is overdue before; zero = none is offered
}

// NewTurns makes a table without a turn.
func NewTurns() *Turns {
	return &Turns{m: make(map[weburl.Host]*Turn), by: make(map[string]int)}
}

// Get is the turn of a host, nil when it is idle.
func (ts *Turns) Get(h weburl.Host) *Turn { return ts.m[h] }

// Len counts the turns, Held those that a fetcher holds.
func (ts *Turns) Len() int { return len(ts.m) }

// Held counts the turns that a fetcher holds.
func (ts *Turns) Held() int { return ts.held }

// Probes reports whether there are turns, and all of them only find out whether their hosts are back.
func (ts *Turns) Probes() bool { return ts.probes > 0 && ts.probes == len(ts.m) }

// All are the turns, in any order.
func (ts *Turns) All() iter.Seq2[weburl.Host, *Turn] { return maps.All(ts.m) }

// Put notes the turn of a host, in place of the one before.
func (ts *Turns) Put(t *Turn) {
	ts.leave(t.Host)
	if ts.m[t.Host] = t; t.Probe {
		ts.probes++
	}
	if !t.Held {
		ts.overdue = earlier(ts.overdue, t.overdueAt())
		return
	}
	ts.held++
	ts.by[t.Fetcher]++
	ts.over = earlier(ts.over, t.Until)
}

// End notes that a host is idle.
func (ts *Turns) End(h weburl.Host) {
	ts.leave(h)
	delete(ts.m, h)
}

// leave takes the turn of a host out of the counts.
func (ts *Turns) leave(h weburl.Host) {
	t := ts.m[h]
	if t != nil && t.Probe {
		ts.probes--
	}
	if t == nil || !t.Held {
		return
	}
	ts.held--
	if ts.by[t.Fetcher]--; ts.by[t.Fetcher] == 0 {
		delete(ts.by, t.Fetcher)
	}
}

// earlier is the earlier of two times, of which the first may be none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// Renew moves the end of a held turn's lease. It is not stored, so of a copy the committed turn changes, too.
func (ts *Turns) Renew(t *Turn, until time.Time) {
	for _, one := range []*Turn{t, ts.m[t.Host]} {
		if one != nil && one.ID == t.ID {
			one.Until, one.Lapsing, one.Spared = until, false, false
		}
	}
	ts.over = earlier(ts.over, until)
}

// Spare gives held turns a lease until then. A turn is spared once until its holder is heard.
func (ts *Turns) Spare(until time.Time) {
	for _, t := range ts.m {
		if t.Held && !t.Spared {
			t.Until, t.Lapsing, t.Spared = crawler.MaxTime(until, t.Floor), false, true
		}
	}
	ts.over = earlier(ts.over, until)
}

// Over lists the turns whose lease ended before the time.
func (ts *Turns) Over(ended time.Time) (over []*Turn) {
	if ts.held == 0 || !ts.over.Before(ended) {
		return nil
	}
	ts.over = time.Time{}
	for _, t := range ts.m {
		if !t.Held {
			continue
		}
		if ts.over = earlier(ts.over, t.Until); t.Until.Before(ended) {
			over = append(over, t)
		}
	}
	return over
}

// Overdue lists the offered turns that nobody asked for in time, and counts those that waited for the shortest such time.
func (ts *Turns) Overdue(now time.Time) (offered int, overdue []*Turn) {
	if len(ts.m) == ts.held || ts.overdue.After(now) {
		return 0, nil
	}
	ts.overdue = time.Time{}
	for _, t := range ts.m {
		if t.Held {
			continue
		}
		at := t.overdueAt()
		if ts.overdue = earlier(ts.overdue, at); now.Sub(t.Published) >= RepublishAfter {
			offered++
		}
		if !at.After(now) {
			overdue = append(overdue, t)
		}
	}
	return offered, overdue
}

// PassedBy reports whether a turn is offered that nobody asked for in [MuteAfter].
func (ts *Turns) PassedBy(now time.Time) bool {
	for _, t := range ts.m {
		if !t.Held && now.Sub(t.Offered) >= MuteAfter {
			return true
		}
	}
	return false
}
