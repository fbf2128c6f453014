package main

import "fmt"

// fetcher lists what a fetcher may do, and what may happen to it.
func (n *steps) fetcher(i int) {
	n.kill(i)
	n.reach(i)
	if n.s.f[i].stopped {
		t := n.s
		t.f[i].stopped = false
		n.add(t, "F%d: SIGCONT", i+1)
		return
	}
	if n.s.stops < n.p.stops {
		t := n.s
		t.stops++
		t.f[i].stopped = true
		n.add(t, "F%d: SIGSTOP", i+1)
	}
	n.rest(i)
	switch n.s.f[i].phase {
	case idle:
		n.take(i)
	case asking:
		n.answer(i)
	case granted:
		n.receive(i)
	case working:
		n.renew(i)
		n.request(i)
		n.answered(i)
		n.publish(i)
		n.giveUp(i)
	}
}

func (n *steps) kill(i int) {
	f := n.s.f[i]
	if n.s.kills >= n.p.kills || f.phase != working {
		return
	}
	t := n.s
	t.kills++
	t.closed(i)
	if f.wire != 0 {
		t.ghost, t.ghostLeft = f.wire, n.p.wire
	}
	t.f[i] = fetcher{}
	n.add(t, "F%d: kill -9", i+1)
}

// reach lets a written request reach the server: the kernel sends it, also while its process is stopped.
func (n *steps) reach(i int) {
	if f := n.s.f[i]; f.wire != 0 {
		t := n.s
		t.f[i].wire = 0
		n.p.arrive(&t, i, f.wire)
		n.add(t, "F%d: the request reaches the server (%s)", i+1, name(f.wire))
	}
}

// rest is what may happen to an idle connection that no turn has: anything that would be written on it closes it, as do the
// server, the limit and the time.
func (n *steps) rest(i int) {
	f := n.s.f[i]
	if !f.kept || f.phase == working {
		return
	}
	t := n.s
	t.f[i].kept, t.f[i].keptEnd = false, 0
	n.add(t, "F%d: its idle connection is closed", i+1)
	early := n.p.without.grantBeforeWrite && f.phase == asking
	if early || n.p.without.noRightBetween && n.s.now < f.keptEnd {
		t := n.s
		n.p.arrive(&t, i, 1)
		n.add(t, "F%d: something is written on its idle connection", i+1)
	}
}

func (n *steps) take(i int) {
	for j, m := range n.s.queue {
		if m.turn == 0 {
			continue
		}
		t := n.s
		g := n.s.f[i].free()
		g.phase, g.turn, g.mask, g.place, g.asked = asking, m.turn, m.mask, uint8(j+1), n.s.now
		t.f[i] = g
		n.add(t, "F%d: takes turn %d and asks for it", i+1, m.turn)
	}
}

// answer is the scheduler's, to the first question.
func (n *steps) answer(i int) {
	s, f := &n.s, n.s.f[i]
	if s.losses < n.p.losses {
		t := *s
		t.losses++
		t.f[i] = f.free()
		n.add(t, "F%d: its question is lost", i+1)
	}
	t := *s
	again := n.p.without.takeIsHolder && s.held == uint8(i+1)
	if s.cur == f.turn && (s.held == 0 || again) {
		t.held = uint8(i + 1)
		t.until = s.clock() + n.p.lease
		t.f[i].phase, t.f[i].robots = granted, s.robots
		n.add(t, "scheduler: grants turn %d to F%d", f.turn, i+1)
		return
	}
	t.ack(f.place, f.turn)
	t.f[i] = f.free()
	n.add(t, "scheduler: refuses turn %d to F%d", f.turn, i+1)
}

func (n *steps) receive(i int) {
	s, f := &n.s, n.s.f[i]
	if s.losses < n.p.losses {
		t := *s
		t.losses++
		t.f[i] = f.free()
		n.add(t, "the grant to F%d is lost", i+1)
		t = *s
		t.losses++
		t.f[i].phase, t.f[i].end, t.f[i].place = working, f.asked+n.p.lease, 0
		n.add(t, "F%d: has the grant; its ack is lost", i+1)
	}
	t := *s
	g := &t.f[i]
	g.phase, g.keptEnd = working, 0
	g.end = f.asked + n.p.lease
	if n.p.without.askingCounts {
		g.end = s.now + n.p.lease
	}
	if !n.p.without.takeIsHolder {
		t.ack(f.place, f.turn)
		g.place = 0
	}
	n.add(t, "F%d: has the grant for %d ticks by its own count, with an idle connection: %v", i+1, int(g.end)-int(s.now), g.kept)
}

// renew asks again, also when the lease is over: then the fetcher waits, its connections closed.
func (n *steps) renew(i int) {
	s, f := &n.s, n.s.f[i]
	switch f.renewal {
	case 0:
		if s.now >= f.end || f.end-s.now < n.p.lease {
			t := *s
			t.f[i].renewal, t.f[i].renewalAsked = 1, s.now
			n.add(t, "F%d: asks for a renewal", i+1)
		}
	case 1:
		t := *s
		if s.cur == f.turn && s.held == uint8(i+1) {
			t.until = s.clock() + n.p.lease
			t.f[i].renewal = 2
			n.add(t, "scheduler: renews turn %d", f.turn)
			n.topUp(t, i)
			return
		}
		n.leave(&t, i)
		n.add(t, "scheduler: does not renew turn %d; F%d stops", f.turn, i+1)
	case 2:
		if n.p.tops && s.losses < n.p.losses {
			t := *s
			t.losses++
			t.f[i].renewal, t.f[i].more = 0, 0
			n.add(t, "the renewal of F%d is lost, with URLs %02b", i+1, f.more)
		}
		t := *s
		t.f[i].end = max(f.end, f.renewalAsked+n.p.lease)
		if n.p.without.askingCounts {
			t.f[i].end = s.now + n.p.lease
		}
		t.f[i].renewal = 0
		t.f[i].mask |= f.more
		t.f[i].more = 0
		n.add(t, "F%d: renewed for %d ticks by its own count", i+1, int(t.f[i].end)-int(s.now))
	}
}

// topUp adds to the renewal what waits.
func (n *steps) topUp(t state, i int) {
	if !n.p.tops {
		return
	}
	for u := range t.url {
		if t.url[u] == waiting {
			t.f[i].more |= 1 << u
			if !n.p.without.leaseBeforeTell {
				t.url[u] = leased
			}
		}
	}
	if t.f[i].more != 0 {
		n.add(t, "scheduler: renews turn %d and adds URLs %02b", t.cur, t.f[i].more)
	}
}

// leave ends a turn out of order: all connections are closed.
func (n *steps) leave(t *state, i int) {
	if !n.p.without.orderedLeaveOnly {
		t.closed(i)
	}
	t.f[i] = t.f[i].free()
}

func (n *steps) request(i int) {
	s, f := &n.s, n.s.f[i]
	if f.wire != 0 || f.ask != 0 || f.links != 0 {
		return
	}
	if f.looked != 0 {
		t := *s
		t.f[i].looked = 0
		n.write(t, i, f.looked)
		return
	}
	what := f.wanted()
	if s.now >= f.end || s.now < f.next || what == 0 || f.newRobots {
		return
	}
	if n.p.without.writeIsLook {
		t := *s
		t.f[i].looked = what
		n.add(t, "F%d: looks at the clock: it may ask (%s)", i+1, name(what))
		return
	}
	if f.kept && s.hangUps < n.p.hangUps && what != robotsFile {
		n.hangUp(i, what)
	}
	n.write(*s, i, what)
}

// wanted is what the fetcher asks for next.
func (f fetcher) wanted() uint8 {
	switch {
	case !f.robots:
		return robotsFile
	case f.mask&1 != 0:
		return 1
	case f.mask&2 != 0:
		return 2
	}
	return 0
}

func (n *steps) write(t state, i int, what uint8) {
	t.f[i].kept = false // it is one of the turn's own now
	if n.p.wire > 0 {
		t.f[i].wire, t.f[i].wireLeft = what, n.p.wire
		n.add(t, "F%d: writes a request (%s)", i+1, name(what))
		return
	}
	n.p.arrive(&t, i, what)
	n.add(t, "F%d: a request reaches the server (%s)", i+1, name(what))
}

// hangUp is a server that closes the idle connection as the request comes, which it has seen or not. It is asked again after
// the delay.
func (n *steps) hangUp(i int, what uint8) {
	for _, seen := range []bool{false, true} {
		t := n.s
		t.hangUps++
		if seen {
			n.p.arrive(&t, i, what)
			t.closed(i)
		}
		t.f[i].kept, t.f[i].ask, t.f[i].next = false, 0, t.now+n.p.delay
		n.add(t, "F%d: the server closes the idle connection as the request comes (%s, seen %v)", i+1, name(what), seen)
	}
}

// answered ends an exchange.
func (n *steps) answered(i int) {
	f := n.s.f[i]
	if f.ask == 0 {
		return
	}
	t := n.s
	g := &t.f[i]
	t.closed(i) // else it counts as ended when the lease of the stopped fetcher ended
	g.next = t.now + n.p.delay
	if f.ask == robotsFile {
		g.robots, g.newRobots = true, true
	} else {
		u := f.ask - 1
		g.mask &^= 1 << u
		g.done |= 1 << u
		if u == 0 {
			g.links = 1
		}
	}
	g.ask = 0
	n.add(t, "F%d: the answer is complete (%s)", i+1, name(f.ask))
}

// publish appends the next part to the log.
func (n *steps) publish(i int) {
	s, f := &n.s, n.s.f[i]
	if f.ask != 0 || f.wire != 0 || f.looked != 0 || s.log[mostParts-1].turn != 0 {
		return
	}
	t := *s
	g := &t.f[i]
	g.number++
	r := part{turn: f.turn, number: g.number}
	if f.next > s.now {
		r.wait = f.next - s.now
	}
	var text string
	if n.p.tops && f.done != 0 && f.links == 0 && !f.newRobots {
		t := t
		t.f[i].done = 0
		r := r
		r.mask = f.done
		t.append(r)
		n.add(t, "F%d: publishes part %d of turn %d: results %02b", i+1, r.number, f.turn, f.done)
	}
	switch {
	case f.newRobots:
		r.robots, g.newRobots, text = true, false, "robots rules"
	case f.links == 1:
		r.links, g.links, text = 1, 0, "links of u0"
	case f.mask == 0 && (f.done != 0 || n.p.tops && g.number > 1):
		r.mask, r.end, text = f.done, true, fmt.Sprintf("results %02b, end", f.done)
	default:
		return
	}
	t.append(r)
	if r.end {
		t.ack(f.place, f.turn)
		*g = fetcher{up: true, kept: true}
		if n.p.without.noRightBetween {
			g.keptEnd = f.end
		}
	}
	n.add(t, "F%d: publishes part %d of turn %d: %s", i+1, r.number, f.turn, text)
}

// giveUp ends the turn with its lease.
func (n *steps) giveUp(i int) {
	f := n.s.f[i]
	if n.s.now < f.end || f.looked != 0 {
		return
	}
	t := n.s
	if f.wire != 0 {
		t.ghost, t.ghostLeft = f.wire, n.p.wire
	}
	n.leave(&t, i)
	n.add(t, "F%d: its lease is over by its own count; it stops", i+1)
}
