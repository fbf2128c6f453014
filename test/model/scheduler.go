package main

import "fmt"

// step is a state that may follow, and what happened.
type step struct {
	s    state
	text string
}

// steps collects what may follow on a state.
type steps struct {
	p    *protocol
	s    state
	tell bool // in words, too: a trace is logged once, and texts of all steps would be most of the memory
	out  []step
}

func (n *steps) add(t state, format string, a ...any) {
	to := step{s: n.p.norm(t)}
	if n.tell {
		to.text = fmt.Sprintf(format, a...)
	}
	n.out = append(n.out, to)
}

// next lists every state that may follow, in words where tell says so. It uses out's memory.
func (p *protocol) next(s state, tell bool, out []step) []step {
	n := &steps{p: p, s: s, tell: tell, out: out[:0]}
	if s.bad != none {
		return nil
	}
	n.done()
	n.offer()
	n.lapse()
	n.publishAgain()
	for i := range s.log {
		if s.log[i].turn != 0 && (i == 0 || p.without.order) {
			n.settle(i)
		}
	}
	n.start()
	n.jump()
	n.lose()
	for i := range s.f {
		if s.f[i].up {
			n.fetcher(i)
		}
	}
	n.ghost()
	n.tick()
	return n.out
}

// done ends the job when nothing waits and nothing is leased.
func (n *steps) done() {
	for _, u := range n.s.url {
		if u == waiting || u == leased {
			return
		}
	}
	if n.s.url[1] == unknown {
		t := n.s
		t.bad = linksLost
		n.add(t, "scheduler: nothing waits, the job is done")
	}
}

func (n *steps) offer() {
	s := &n.s
	if s.cur != 0 || s.clock() < s.next || s.url[0] != waiting && s.url[1] != waiting {
		return
	}
	for i := range s.queue {
		if s.queue[i].turn != 0 {
			continue
		}
		t := *s
		t.turns++
		t.cur, t.mask, t.last, t.held = t.turns, 0, 0, 0
		for u := range t.url {
			if t.url[u] == waiting {
				t.url[u] = leased
				t.mask |= 1 << u
			}
		}
		t.until = s.clock() + n.p.lease
		t.queue[i] = message{turn: t.cur, mask: t.mask}
		n.add(t, "scheduler: offers turn %d (URLs %02b)", t.cur, t.mask)
		return
	}
}

// lapse ends a held turn; an offered one has no deadline.
func (n *steps) lapse() {
	s := &n.s
	if s.cur == 0 || s.held == 0 || s.clock() < s.until+n.p.grace || !n.p.without.settleFirst && s.log[0].turn != 0 {
		return
	}
	t := *s
	for _, r := range s.log {
		if r.turn == s.cur {
			t.bad = workLost
		}
	}
	if !t.robots {
		t.robotsLost++
	}
	t.next = max(t.next, s.clock()+n.p.delay)
	t.wait()
	n.add(t, "scheduler: turn %d lapsed, its URLs wait again, host due in %d", s.cur, int(t.next)-int(s.clock()))
}

// publishAgain brings an offered turn back whose message may be gone.
func (n *steps) publishAgain() {
	s := &n.s
	if s.cur == 0 || s.held != 0 || s.losses+s.starts == 0 {
		return
	}
	there, free := 0, -1
	for i := range s.queue {
		if s.queue[i].turn == s.cur {
			there++
		} else if s.queue[i].turn == 0 {
			free = i
		}
	}
	if there < 2 && free >= 0 {
		t := *s
		t.queue[free] = message{turn: s.cur, mask: s.mask}
		n.add(t, "scheduler: turn %d published again", s.cur)
	}
}

func (n *steps) settle(i int) {
	s := &n.s
	r := s.log[i]
	t := *s
	copy(t.log[i:], s.log[i+1:])
	t.log[mostParts-1] = part{}
	current := r.turn == t.cur
	counts := current && (n.p.without.noGap || r.number == t.last+1)
	if counts {
		if r.links != 0 && t.url[1] == unknown {
			t.url[1] = waiting
		}
		for u := range t.url {
			if r.mask&(1<<u) == 0 {
				continue
			}
			switch t.url[u] {
			case final:
				t.bad = outcomeTwice
			case waiting:
				t.bad = notLeased
			}
			t.url[u] = final
		}
		t.last = max(t.last, r.number)
	}
	if counts || !current && n.p.without.currentState {
		t.robots = t.robots || r.robots
		t.next = s.clock() + r.wait
	}
	if counts && r.end {
		offered, before := t.mask, t.url
		t.wait()
		for u := range t.url {
			if n.p.without.endGivesBack && offered&(1<<u) == 0 {
				t.url[u] = before[u]
			}
		}
	}
	for u := range t.url {
		if t.url[u] == leased && t.cur == 0 {
			t.bad = rowLost
		}
	}
	how := "settled"
	if !counts {
		how = "dropped"
	}
	n.add(t, "scheduler: turn %d part %d (done %02b, links %v, robots %v, end %v) %s; host due in %d",
		r.turn, r.number, r.mask, r.links != 0, r.robots, r.end, how, int(t.next)-int(s.clock()))
}

// start is a kill -9 and a start of the scheduler, or a restore from a backup that was taken before the last turn.
func (n *steps) start() {
	s, p := &n.s, n.p
	if s.starts >= p.starts {
		return
	}
	t := *s
	t.starts++
	switch {
	case p.restored:
		number := t.cur
		t.wait()
		if number != 0 && p.without.freshNumbers {
			t.turns = number - 1
		}
		t.next = s.clock()
		if !p.without.waitAtRestore {
			t.next += p.lease + p.grace + p.delay
		}
		t.robotsLost++
		n.add(t, "the scheduler is restored from a backup before the last turn")
		return
	case t.cur == 0:
	case p.without.waitAtStart:
		t.wait()
		t.next = max(t.next, s.clock()+p.delay)
		if !t.robots {
			t.robotsLost++
		}
	default:
		t.until = s.clock() + p.lease
	}
	n.add(t, "the scheduler is killed and starts again")
}

func (n *steps) jump() {
	if n.p.jumps && !n.s.jumped {
		t := n.s
		t.jumped = true
		n.add(t, "the scheduler's wall clock is set forward")
	}
}

// lose empties the task queue, or loses a part.
func (n *steps) lose() {
	if n.s.losses >= n.p.losses {
		return
	}
	t := n.s
	t.losses++
	t.queue = [messages]message{}
	n.add(t, "the task queue is emptied")
	if r := n.s.log[0]; r.turn != 0 {
		t := n.s
		t.losses++
		copy(t.log[:], n.s.log[1:])
		t.log[mostParts-1] = part{}
		t.robotsLost++
		n.add(t, "part %d of turn %d is lost", r.number, r.turn)
	}
}

// ghost lets a request of a closed connection reach the server.
func (n *steps) ghost() {
	if n.s.ghost != 0 {
		t := n.s
		t.ghost, t.ghostLeft = 0, 0
		n.p.arrive(&t, -1, n.s.ghost)
		n.add(t, "a request of a closed connection reaches the server")
	}
}

// tick lets time pass, unless something must happen first.
func (n *steps) tick() {
	s := &n.s
	may := s.ghost == 0 || s.ghostLeft > 0
	t := *s
	t.now++
	for i, f := range s.f {
		if f.wire != 0 {
			if s.now >= f.end || f.wireLeft == 0 {
				may = false // it arrives in time; at the end of the lease the connection is closed
			} else {
				t.f[i].wireLeft--
			}
		}
		if !f.up || f.phase != working || f.ask == 0 || s.now < f.end {
			continue
		}
		if f.stopped && !n.p.without.lenient && t.open[i] {
			t.open[i] = false // it counts as ended when its lease ended
			t.ended = max(t.ended, f.end)
		} else if !f.stopped {
			may = false
		}
	}
	if t.ghostLeft > 0 {
		t.ghostLeft--
	}
	if may {
		n.add(t, "-- tick --")
	}
}
