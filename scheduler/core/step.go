package core

import (
	"fmt"
	"slices"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
	"trawl/scheduler/names"
)

// Step is one change being made: edits over the committed state, and the effects that follow its commit. After a read error it is broken:
// nothing of it is committed.
type Step struct {
	now     time.Time
	s       *state
	o       *Options
	read    Reader
	tracing bool // each right is told in the log
	crowded bool // hosts are due that no slot is left for
	edits
	changes crawler.Changes // what the edits amount to, once it is sealed
	tasks   []*credit.Turn  // to be published
	effects Effects
	handed  int  // answers given to those that waited
	done    bool // of an order: this was its last step

	taskBytes int // of tasks
	err       error
}

// edits are what a step has changed so far; looking things up sees them.
type edits struct {
	tallies  crawler.Tallies
	sequence uint64
	owed     uint64
	hosts    map[weburl.Host]*hostEdit
	rows     map[weburl.URLKey]*rowEdit
	order    []weburl.URLKey                 // rows in the order of their first edit
	turns    map[weburl.Host]*credit.Turn    // put; nil = ended
	domains  map[string]*session.DomainState // edited
	links    []candidate
	names    map[weburl.HostKey]weburl.Host   // hosts that admission looked at
	errands  map[errandKey]*crawler.RobotsHop // put; nil = ended
	ended    []crawler.RobotsHop              // errands
	answers  map[weburl.URLKey]*crawler.HopAnswer
	page     *names.Page // names that the step gives, nil = none yet
}

// Changes are what is to be committed, nil when there is nothing.
func (st *Step) Changes() *crawler.Changes {
	if st.changes.Empty() {
		return nil
	}
	return &st.changes
}

// Done reports whether an order is carried out with this step.
func (st *Step) Done() bool { return st.done }

func (st *Step) draw(id *[16]byte) { st.o.Draw(id[:]) }

func (st *Step) jitter() float64 { return st.o.Jitter() }

type hostEdit struct{ old, new *crawler.HostState }

type rowEdit struct{ old, new *crawler.Row }

func (st *Step) fail(err error, format string, args ...any) {
	if st.err == nil && err != nil {
		st.err = fmt.Errorf(format+": %w", append(args, err)...)
	}
}

// host returns a host for editing; it is made when it is new.
func (st *Step) host(h weburl.Host) *crawler.HostState {
	if e, ok := st.hosts[h]; ok {
		return e.new
	}
	old := st.s.hosts.Get(h)
	if old == nil {
		stored, found, err := st.read.Host(h)
		st.fail(err, "read host %s", h)
		if found {
			old = &stored
		}
	}
	fresh := crawler.HostState{Host: h, Next: st.now, Depth: crawler.NoDepth}
	if old != nil {
		fresh = *old
		if st.s.work.Counts(h.Key()) {
			st.countDeep(&fresh) // before this step changes its rows
		}
	} else {
		st.tallies.Hosts++
	}
	st.hosts[h] = &hostEdit{old: old, new: &fresh}
	return &fresh
}

// turn returns the active turn of a host, as this step sees it; nil when the host is idle.
func (st *Step) turn(h weburl.Host) *credit.Turn {
	if t, edited := st.turns[h]; edited {
		return t
	}
	return st.s.turns.Get(h)
}

// editTurn returns a copy for editing.
func (st *Step) editTurn(h weburl.Host) *credit.Turn {
	if t, edited := st.turns[h]; edited {
		return t
	}
	t := st.s.turns.Get(h)
	if t == nil {
		return nil
	}
	st.turns[h] = t.Copy()
	return st.turns[h]
}

// load reads rows for later row() calls. keys must be sorted and each there once.
func (st *Step) load(keys []weburl.URLKey) map[weburl.URLKey]*crawler.Row {
	found := make(map[weburl.URLKey]*crawler.Row, len(keys))
	missing := keys[:0:0]
	for _, k := range keys {
		if e, ok := st.rows[k]; ok {
			found[k] = e.new
		} else {
			missing = append(missing, k)
		}
	}
	if len(missing) == 0 {
		return found
	}
	rows, err := st.read.Rows(missing)
	if err != nil {
		st.fail(err, "read rows")
		return found
	}
	for i, r := range rows {
		if r != nil {
			found[missing[i]] = r
		}
	}
	return found
}

// put edits a row; old is what load gave, nil for an admission. Tallies and the host's counts follow.
// leased tells that the row was leased until now, which rows do not say themselves.
func (st *Step) put(old, new *crawler.Row, leased bool) {
	k := new.Key()
	h := st.host(new.URL.Host())
	st.count(h, old, leased, -1)
	st.count(h, new, false, +1)
	if new.Outcome == crawler.Waiting && !st.tooDeep(new.Depth) {
		h.Depth = min(h.Depth, new.Depth)
	}
	if e, ok := st.rows[k]; ok {
		e.new = new
		return
	}
	st.rows[k] = &rowEdit{old: old, new: new}
	st.order = append(st.order, k)
}

func (st *Step) count(h *crawler.HostState, r *crawler.Row, leased bool, n int64) {
	if r == nil {
		return
	}
	o := r.Outcome
	if leased {
		o = crawler.Leased
	}
	h.Counts[o] += n
	st.tallies.Counts[o] += n
	if r.Outcome == crawler.Failed || r.Outcome == crawler.Excluded {
		addCount(&st.tallies.Reasons, string(r.Reason), n)
	}
	if r.Outcome.Final() {
		st.tallies.Bytes += n * r.Bytes
	}
	if r.Retrying() {
		h.Retry += n
	}
	if r.Outcome == crawler.Waiting && st.tooDeep(r.Depth) {
		h.Deep += n
	}
}

func (st *Step) tooDeep(depth int) bool { return st.s.job.Job.TooDeep(depth) }

// lease moves n URLs of a host from waiting to leased (n < 0: back).
func (st *Step) lease(h *crawler.HostState, n int64) {
	for _, c := range []*[7]int64{(*[7]int64)(&h.Counts), (*[7]int64)(&st.tallies.Counts)} {
		c[crawler.Waiting] -= n
		c[crawler.Leased] += n
	}
}

// newTurn begins a turn of a host.
func (st *Step) newTurn(h *crawler.HostState, t *credit.Turn) {
	st.draw((*[16]byte)(&t.ID))
	h.Turn = t.ID
	st.turns[h.Host] = t
}

// endTurn makes the host idle; what is still leased waits again.
func (st *Step) endTurn(h *crawler.HostState, t *credit.Turn) {
	st.lease(h, -int64(len(t.URLs)))
	if len(t.URLs) > 0 {
		h.Depth = min(h.Depth, t.Depth)
	}
	h.Turn = crawler.TurnID{}
	st.turns[h.Host] = nil
}

// seal completes the changes from the edits.
func (st *Step) seal() {
	c := &st.changes
	c.Now = st.now
	if st.s.scope != nil {
		st.fail(st.s.scope.Err(), "look seeds of the scope up")
	}
	c.Rows, c.Hosts = slices.Grow(c.Rows, len(st.order)), slices.Grow(c.Hosts, len(st.hosts))
	for _, k := range st.order {
		e := st.rows[k]
		c.Rows = append(c.Rows, crawler.RowChange{Old: e.old, New: e.new})
	}
	for _, e := range st.hosts {
		e.new.Park(&st.s.job.Job)
		if e.new.Idle() {
			e.new.Back() // nobody is left who waits for it
		}
		st.queueUp(e)
		st.tallies.Parked += e.new.Parked
		st.tallies.Away += away(e.new)
		if e.old != nil {
			st.tallies.Parked -= e.old.Parked
			st.tallies.Away -= away(e.old)
		}
		c.Hosts = append(c.Hosts, crawler.HostChange{Old: e.old, New: e.new})
	}
	for _, d := range st.domains {
		c.Domains = append(c.Domains, *d)
	}
	for h, t := range st.turns {
		if t == nil {
			c.EndTurns = append(c.EndTurns, h)
		} else {
			c.Turns = append(c.Turns, t.TurnState)
		}
	}
	st.sealErrands()
	st.owe()
	if st.sequence != st.s.sequence {
		c.Sequence = st.sequence
	}
	st.sealRan()
	if !c.Empty() {
		c.Tallies = &st.tallies
	}
}

// queueUp gives a host that became due in this step its place behind those that were due before: it is due from now on, however
// long its clock would have let it be asked. One that was due keeps its place.
func (st *Step) queueUp(e *hostEdit) {
	due, is := e.new.Due()
	if !is || due.IsZero() {
		return
	}
	since := st.now
	if e.old != nil {
		if was, had := e.old.Due(); had && was.Before(since) {
			since = was
		}
	}
	if due.Before(since) {
		st.holdBack(e.new, since)
	}
}
