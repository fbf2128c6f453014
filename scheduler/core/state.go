package core

import (
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/credit"
	"trawl/scheduler/memory"
	"trawl/scheduler/names"
)

// state is what a core keeps between steps, by where it comes from.
type state struct {
	committed
	kept
	seen
	life
	shown
}

// committed is a copy of what the newest commit left in the ledger, whole.
type committed struct {
	job       crawler.JobState
	work      crawler.Work // on the whole ledger
	ledger    crawler.Life
	tallies   crawler.Tallies
	turns     *credit.Turns
	position  uint64        // of the result queue
	sequence  uint64        // of rows
	owed      uint64        // number of the last row that the reader of the stream is owed
	delivered uint64        // of the last one that the ledger knows as delivered
	ranStored time.Duration // the job's running time, as far as it is stored
	quiet     time.Time     // of a restored ledger, see recall; zero = none
}

// kept is a copy of a part of the ledger's records, bounded.
type kept struct {
	scope   *crawler.Scope
	guard   weburl.AddressGuard // what `allow-private` and the seeds open
	hosts   *memory.Hosts
	domains *memory.Domains
	window  *memory.Window
	recent  *memory.Recent
	away    *memory.Some // hosts that are away
	slow    *memory.Some // hosts that asked for less, and have a back-off
	names   *names.Book  // nil = bodies get no names
	files   *memory.Files
}

// seen is how things stood at the newest step, and since when.
type seen struct {
	fetchers   *credit.Fetchers
	stopping   bool          // no more turns are made
	streamFull bool          // no row can be handed over
	looked     time.Time     // when the newest step was begun
	ran        time.Duration // the job's running time, see advance
	ranAt      time.Time     // when that was looked at last
	counted    time.Time     // when the task queue last said how many messages it holds
	links      []candidate   // room for those of the next step, empty
	unsent     int           // bytes of tasks that wait until the queue takes them
}

// life is what belongs to this life of the process.
type life struct {
	startedAt time.Time
	epoch     uint64    // of the scope; begins anywhere, so that a fetcher never takes it for that of the process before
	changed   time.Time // when settings were
	seeded    bool      // the seeds of this start were all read
	decided   bool      // it was found that the job is done, and that is what it ends with
	endCounts bool      // the run before ended without a word while one URL was asked for at a time
	notes     []string  // warnings of the start
}

// shown is kept for status alone.
type shown struct {
	due   int64 // hosts that may be asked now, as of dueAt
	dueAt time.Time
}

// newState is what a ledger holds, before the settings of a start become current.
func newState(o *Options, l *crawler.LedgerState, now time.Time) *state {
	return &state{
		committed: committed{
			job: l.State, work: l.Work.Clone(), ledger: l.Life, tallies: l.Tallies.Clone(), turns: credit.NewTurns(),
			position: l.Position, sequence: l.Sequence, owed: l.Owed.Last, ranStored: l.Ran, quiet: l.Quiet,
		},
		kept: kept{
			hosts: memory.NewHosts(), domains: memory.NewDomains(), window: memory.NewWindow(o.WindowHosts), recent: memory.NewRecent(o.RecentLinks),
			away: memory.NewSome(), slow: memory.NewSome(), files: memory.NewFiles(),
		},
		seen: seen{fetchers: credit.NewFetchers(), ran: l.Ran, ranAt: now},
		life: life{startedAt: now, epoch: o.number() >> 1},
	}
}

// Limits of the loop's memory.
const (
	// maxNoticeSeeds is how many scope seeds a fetcher is told; with more it does not cut by scope.
	maxNoticeSeeds = 4096
	// maxUnsent is how many bytes of tasks may wait for the queue to take them; then no turns are made until it does.
	maxUnsent = 16 << 20
)

// away is 1 for a host that is away.
func away(h *crawler.HostState) int64 {
	if h.Gone() {
		return 1
	}
	return 0
}

// applied takes the committed step over into the state.
func (s *state) applied(st *Step) {
	s.tallies, s.sequence, s.owed = st.tallies, st.sequence, st.owed
	s.delivered = max(s.delivered, st.changes.Delivered)
	if len(st.changes.Scope) > 0 {
		s.scope.Stored()
	}
	if st.changes.Position > 0 {
		s.position = st.changes.Position
	}
	if st.changes.Ran > 0 {
		s.ranStored = st.changes.Ran
	}
	for h, e := range st.hosts {
		s.hosts.Put(e.new)
		s.away.Note(h, e.new.Gone())
		s.slow.Note(h, e.new.Refused > 0 && e.new.Penalty > 0)
		if due, ok := e.new.Due(); ok {
			s.window.Set(h, due, e.new.Rank(due))
		} else {
			s.window.Remove(h)
		}
	}
	for _, d := range st.domains {
		s.domains.Put(d)
	}
	for h, t := range st.turns {
		if t == nil {
			s.turns.End(h)
		} else {
			s.turns.Put(t)
		}
	}
	for _, e := range st.rows {
		s.remember(e.new)
	}
	if st.changes.State != nil {
		s.job = *st.changes.State
	}
	if st.changes.Work != nil {
		s.work = *st.changes.Work
	}
	if !st.changes.Quiet.IsZero() {
		s.quiet = st.changes.Quiet
	}
	s.namesApplied(st)
}

// remember notes a row that the ledger holds, unless a shorter way to it may still matter.
func (s *state) remember(row *crawler.Row) {
	if row.Outcome == crawler.Waiting && s.job.Job.TooDeep(row.Depth) {
		return
	}
	s.recent.Add(row.Key())
}

func addCount(m *map[crawler.Reason]int64, word string, n int64) {
	if *m == nil {
		*m = make(map[crawler.Reason]int64)
	}
	if (*m)[crawler.Reason(word)] += n; (*m)[crawler.Reason(word)] == 0 {
		delete(*m, crawler.Reason(word))
	}
}

func addWord(m *map[string]int64, word string, n int64) {
	if *m == nil {
		*m = make(map[string]int64)
	}
	(*m)[word] += n
}
