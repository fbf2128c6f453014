package main

const (
	fetchers   = 2
	messages   = 2  // in the task queue at most
	mostParts  = 3  // in the log of results at most
	began      = 40 // every state is shifted so that now is this: no horizon is needed
	clockJump  = 6  // by which the scheduler's wall clock is set forward
	robotsFile = 3  // as what is asked for; 1 + u is URL u, 0 nothing
)

// breach is what the audit found.
type breach uint8

const (
	none breach = iota
	twoAtOnce
	gapTooShort
	robotsTwice
	outcomeTwice
	linksLost
	rowLost
	workLost
	noRight
	notLeased
)

func (b breach) String() string {
	return [...]string{
		"no breach", "two requests at once at the host", "a gap shorter than the delay", "robots.txt asked for twice though no turn was lost",
		"a final outcome written twice", "links lost: the job ends though u1 was never admitted", "a row leased to no turn",
		"delivered work thrown away at the lapse", "a request on a connection that no turn has",
		"a result of a URL that is not leased to its turn",
	}[b]
}

// Standings of a URL.
const (
	unknown uint8 = iota
	waiting
	leased
	final
)

// Phases of a fetcher.
const (
	idle    uint8 = iota
	asking        // it took a message and asked for the turn
	granted       // the answer is under way
	working
)

// message is one in the task queue; turn 0 is an empty place.
type message struct{ turn, mask uint8 }

// part is one in the log of results; turn 0 is an empty place.
type part struct {
	turn, number, mask, wait, links uint8
	robots, end                     bool
}

// fetcher is one with at most one turn.
type fetcher struct {
	up, stopped              bool
	phase                    uint8
	turn, mask, done, number uint8
	asked, end               uint8 // of the lease; what is counted from asked and grants
	next                     uint8 // before which it does not ask the host
	robots, newRobots        bool
	ask                      uint8 // whose answer is under way
	looked                   uint8 // without writeIsLook: what it is about to ask for
	renewal                  uint8 // 0 none, 1 asked, 2 the answer is under way
	renewalAsked             uint8
	more                     uint8 // URLs that the answer adds
	place                    uint8 // of its message in the task queue + 1; 0 = acked
	links                    uint8
	wire, wireLeft           uint8
	kept                     bool  // it has an idle connection of a turn that ended in order; a turn has it from the grant on
	keptEnd                  uint8 // without noRightBetween: of that turn's lease
}

// free is a fetcher without a turn; what it keeps stays.
func (f fetcher) free() fetcher {
	return fetcher{up: true, kept: f.kept && f.phase != working, keptEnd: f.keptEnd}
}

// state is all of the world. It is a key of a map.
type state struct {
	now                          uint8
	queue                        [messages]message
	log                          [mostParts]part
	f                            [fetchers]fetcher
	url                          [2]uint8
	cur, mask, until, next, last uint8 // the turn, its URLs, its lease, when the host is due, the number of the last part
	held                         uint8 // 0 offered, 1+f by fetcher f
	robots                       bool
	turns                        uint8
	open                         [fetchers]bool // exchanges at the server
	asked                        bool           // the host, ever
	ended                        uint8          // the last exchange
	ghost, ghostLeft             uint8          // a request of a connection that is closed
	robotsAsked, robotsLost      uint8
	kills, stops, starts, losses uint8
	hangUps                      uint8
	jumped                       bool
	bad                          breach
}

// clock is the scheduler's.
func (s *state) clock() uint8 {
	if s.jumped {
		return s.now + clockJump
	}
	return s.now
}

// wait lets the URLs of the turn wait again, and ends it.
func (s *state) wait() {
	for u := range s.url {
		if s.url[u] == leased {
			s.url[u] = waiting
		}
	}
	s.cur, s.mask, s.held = 0, 0, 0
}

// append puts a part behind those in the log, where there is room for it.
func (s *state) append(r part) {
	at := 0
	for s.log[at].turn != 0 {
		at++
	}
	s.log[at] = r
}

// ack takes a fetcher's message out of the queue, when it is still that of its turn.
func (s *state) ack(place, turn uint8) {
	if place != 0 && s.queue[place-1].turn == turn {
		s.queue[place-1] = message{}
	}
}

// closed ends the exchange of a fetcher at the server.
func (s *state) closed(i int) {
	if s.open[i] {
		s.open[i] = false
		s.ended = s.now
	}
}

// arrive is the audit at the server: a request of fetcher i, or of a closed connection with i < 0.
func (p *protocol) arrive(s *state, i int, what uint8) {
	for _, open := range s.open {
		if open {
			s.bad = twoAtOnce
		}
	}
	if s.bad == none && s.asked && s.now < s.ended+p.delay {
		s.bad = gapTooShort
	}
	if what == robotsFile {
		s.robotsAsked++
		if s.robotsAsked > 1+s.robotsLost && s.bad == none {
			s.bad = robotsTwice
		}
	}
	if s.bad == none && i >= 0 && s.f[i].phase != working {
		s.bad = noRight
	}
	s.asked = true
	s.ended = max(s.ended, s.now)
	if i >= 0 {
		s.f[i].ask = what
		s.open[i] = true
	}
}

// norm shifts times so that now is began, forgets times too old to matter, renames turns in the order in which they appear, and
// orders fetchers that are alike, so that there are finitely many states.
func (p *protocol) norm(s state) state {
	if s.bad != none {
		return s
	}
	p.shift(&s)
	s.robotsLost = min(s.robotsLost, s.robotsAsked+2)
	k := min(s.robotsAsked, s.robotsLost)
	s.robotsAsked -= k
	s.robotsLost -= k
	if p.without.freshNumbers {
		return s
	}
	if p.alike && s.f[1].key() < s.f[0].key() {
		s.f[0], s.f[1] = s.f[1], s.f[0]
		s.open[0], s.open[1] = s.open[1], s.open[0]
		if s.held != 0 {
			s.held = 3 - s.held
		}
	}
	s.rename()
	return s
}

// shift moves all times so that now is began. What is older than old ticks is as old.
func (p *protocol) shift(s *state) {
	by := int(s.now) - began
	move := func(x *uint8, used bool, old int) {
		if !used {
			*x = 0
			return
		}
		*x = uint8(max(int(*x)-by, began-old))
	}
	jump := 0
	if s.jumped {
		jump = -clockJump
	}
	move(&s.until, s.cur != 0, int(p.grace)+jump)
	move(&s.next, true, jump)
	move(&s.ended, s.asked, int(p.delay))
	for i := range s.f {
		f := &s.f[i]
		if f.phase == idle {
			*f = fetcher{up: f.up, stopped: f.stopped, kept: f.kept, keptEnd: f.keptEnd}
		}
		move(&f.asked, f.phase == asking || f.phase == granted, int(p.lease))
		move(&f.end, f.phase == working, 0)
		move(&f.next, f.phase == working && f.next != 0, 0)
		if f.next <= began {
			f.next = 0
		}
		move(&f.renewalAsked, f.renewal != 0, int(p.lease))
		move(&f.keptEnd, p.without.noRightBetween && f.kept && f.phase != working, 0)
	}
	s.now = began
}

func (s *state) rename() {
	var to [32]uint8
	var n uint8
	re := func(x *uint8) {
		if *x == 0 {
			return
		}
		if to[*x] == 0 {
			n++
			to[*x] = n
		}
		*x = to[*x]
	}
	re(&s.cur)
	for i := range s.f {
		re(&s.f[i].turn)
	}
	for i := range s.queue {
		re(&s.queue[i].turn)
	}
	for i := range s.log {
		re(&s.log[i].turn)
	}
	s.turns = n
}

// key orders fetchers that are alike. Two that differ may have the same one: then a state is visited twice.
func (f fetcher) key() uint64 {
	k := bit(f.up) | bit(f.stopped)<<1 | bit(f.robots)<<2 | bit(f.newRobots)<<3 | bit(f.kept)<<34
	for i, v := range []uint8{f.phase, f.turn, f.mask, f.done, f.number, f.ask, f.renewal, f.links, f.wire, f.looked + f.more} {
		k |= uint64(v&7) << (4 + 3*i)
	}
	return k ^ uint64(f.end)<<40 ^ uint64(f.next)<<48 ^ uint64(f.asked+f.renewalAsked)<<56
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func name(what uint8) string { return [...]string{"", "u0", "u1", "robots.txt"}[what] }
