package scheduler

import (
	"context"
	"fmt"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// events are what one step of the loop is made from.
type events struct {
	asks  []askEvent
	parts []crawler.LoggedPart
	seeds []seedEvent
	tick  bool

	placed []placed
}

// loop owns the state: it gathers events, makes them one step, commits it, and lets its effects leave.
func (s *Scheduler) loop(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	out := effects{}
	for {
		var send chan effects
		if len(out.tasks) > 0 || out.purge > 0 {
			send = s.effect
		}
		var e events
		select {
		case a := <-s.asks:
			e.asks = append(e.asks, a)
		case e.parts = <-s.parts:
		case seed := <-s.seeds:
			e.seeds = append(e.seeds, seed)
		case c := <-s.changes:
			refused, err := s.change(&c.change)
			if c.done <- refused; err != nil {
				return err
			}
		case p := <-s.placed:
			e.placed = append(e.placed, p)
		case <-ticker.C:
			e.tick = true
		case <-due.C:
		case <-s.poke:
		case send <- out:
			out, s.state.unsent = effects{}, 0
			due.Reset(s.untilDue())
			continue
		case <-ctx.Done():
			if err := s.noteDelivered(); err != nil {
				return err
			}
			return ctx.Err()
		}
		s.gather(&e)
		made, err := s.turnOver(ctx, &e)
		if err != nil {
			return err
		}
		out.tasks = append(out.tasks, made.tasks...)
		out.purge = max(out.purge, made.purge)
		s.state.unsent += made.bytes
		due.Reset(s.untilDue())
	}
}

// gather adds what has come meanwhile, without waiting.
func (s *Scheduler) gather(e *events) {
	for len(e.asks) < maxAsks {
		select {
		case a := <-s.asks:
			e.asks = append(e.asks, a)
			continue
		default:
		}
		break
	}
	if e.parts == nil {
		select {
		case e.parts = <-s.parts:
		default:
		}
	}
	select {
	case seed := <-s.seeds:
		e.seeds = append(e.seeds, seed)
	default:
	}
}

// turnOver makes one step of the events, commits it and answers. An error is the ledger's, and final.
func (s *Scheduler) turnOver(ctx context.Context, e *events) (effects, error) {
	s.state.stopping = s.stop.Load()
	if err := s.refill(); err != nil {
		return effects{}, err
	}
	st := s.newStep()
	s.state.netAway = s.networkAway()
	s.state.advance(st.now)
	s.state.spare(st.now)
	for i := range e.parts {
		s.settlePart(st, &e.parts[i])
	}
	for _, seed := range e.seeds {
		if s.state.decided && !seed.last {
			*seed.refused = ErrEnding
			continue
		}
		for _, one := range seed.seeds {
			st.addSeed(one, seed.admitted)
		}
		if seed.last {
			s.state.seeded = true
			if !s.state.job.Seeded {
				st.jobState().Seeded = true
			}
		}
	}
	st.admit()
	for i := range e.placed {
		st.applyPlaced(&e.placed[i])
	}
	if !s.state.stopping {
		st.workOn(s.o.Index)
	}
	if e.tick {
		st.changes.Delivered = s.newlyDelivered()
		s.lapseExpired(ctx, st)
		s.republish(ctx, st)
		s.listen(st.now)
	}
	answers := make([]crawler.Answer, len(e.asks))
	for i := range e.asks {
		answers[i] = st.grant(&e.asks[i].ask)
	}
	st.offerDue(s.credit(st))
	st.finish(s.o.Stay)
	st.seal()
	if st.err != nil {
		return effects{}, st.err
	}
	if err := s.commit(st); err != nil {
		return effects{}, err
	}
	s.trace(st.events)
	for i, a := range e.asks {
		a.reply <- answers[i]
	}
	if len(e.seeds) > 0 {
		s.publishStatus() // who gave them looks at it now
	}
	for _, seed := range e.seeds {
		close(seed.done)
	}
	for i := range e.placed {
		close(e.placed[i].reply)
	}
	s.after(st, e)
	return st.effects(), nil
}

func (s *Scheduler) settlePart(st *step, p *crawler.LoggedPart) {
	st.changes.Position = p.Position
	if p.Err != nil {
		st.tallies.LateParts++
		s.garbled.Do(func() {
			s.log.Warn("a part cannot be read and is dropped, like others after it in the next minute", "position", p.Position, "error", p.Err)
		})
		return
	}
	st.settle(&p.Part)
}

// commit makes the step durable and takes it over.
func (s *Scheduler) commit(st *step) error {
	if !st.changes.Empty() {
		if err := s.o.Ledger.Commit(&st.changes); err != nil {
			return fmt.Errorf("write ledger: %w", err)
		}
	}
	s.handOver(st)
	s.state.applied(st)
	return nil
}

// effects are the step's tasks and what of the result log is not needed any more.
func (st *step) effects() effects {
	e := effects{purge: st.changes.Position, bytes: st.taskBytes}
	for _, t := range st.tasks {
		e.tasks = append(e.tasks, t.task)
		t.task = crawler.Task{} // should nobody ask for the turn, it is made again from the ledger
	}
	return e
}

// after tells those who wait, once a step is durable.
func (s *Scheduler) after(st *step, e *events) {
	if s.o.Fault != nil {
		s.faults(st, e)
	}
	if n := s.notice.Load(); n.ScopeEpoch != s.state.epoch || n.Done != s.state.over() {
		s.publishNotice()
	}
	if e.tick || s.state.over() {
		s.rates.add(st.now, &s.state.tallies)
		s.publishStatus()
	}
	if s.state.over() {
		s.state.decided = true
		closeOnce(s.done)
	}
	if s.state.stopping && s.state.held() == 0 {
		s.publishStatus()
		closeOnce(s.quiet)
	}
}

func (s *Scheduler) faults(st *step, e *events) {
	if len(st.tasks) > 0 {
		s.o.Fault("offer")
	}
	if len(e.asks) > 0 {
		s.o.Fault("grant")
	}
	if len(e.parts) > 0 {
		s.o.Fault("settle")
	}
	if st.lapsed {
		s.o.Fault("lapse")
	}
}

func closeOnce(c chan struct{}) { // by the loop only
	select {
	case <-c:
	default:
		close(c)
	}
}

// refill reads the next hosts when the front is empty.
func (s *Scheduler) refill() error {
	if !s.state.front.stale() {
		return nil
	}
	want := s.state.front.size
	hosts, err := s.o.Index.Due(want)
	if err != nil {
		return fmt.Errorf("read due hosts: %w", err)
	}
	s.state.front.fill(hosts, want)
	return nil
}

func (st *step) turnsInForce() int {
	n := len(st.s.turns)
	for h, t := range st.turns {
		switch _, before := st.s.turns[h]; {
		case t == nil && before:
			n--
		case t != nil && !before:
			n++
		}
	}
	return n
}

// untilDue is how long the loop may sleep: until the next host is due and there is credit for it.
func (s *Scheduler) untilDue() time.Duration {
	due, ok := s.state.front.next()
	switch {
	case s.state.work.Pending() && !s.state.stopping:
		return 0
	case s.state.front.stale():
		return 0
	case !ok || s.state.stopping || s.state.job.Paused || len(s.state.turns) >= s.mostTurns(), s.state.unsent >= maxUnsent, s.streamFull():
		return time.Hour
	}
	// The tick bounds the pace at which a limit that leaves no credit is looked at.
	if s.state.job.Job.Room(&s.state.tallies) <= 0 {
		return time.Hour
	}
	now := s.clock.now()
	return max(0, due.Sub(now), s.state.quietFor(now))
}

// lapseExpired takes turns back that are over, once what was stored by then is settled.
func (s *Scheduler) lapseExpired(ctx context.Context, st *step) {
	expired := s.state.expired(st.now)
	if len(expired) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	last, err := s.o.Results.Last(ctx)
	if err != nil {
		s.log.Warn("the result queue does not answer; no turn lapses meanwhile", "error", err)
		return
	}
	settled := max(s.state.position, st.changes.Position)
	for _, t := range expired {
		if !t.lapsing {
			t.lapsing, t.lapseAt = true, last
		}
		if current := st.turn(t.Host); t.lapseAt <= settled && current != nil && current.ID == t.ID && current.Held {
			s.log.Info("turn lapsed", "host", t.Host, "fetcher", t.Fetcher, "urls", len(current.URLs))
			st.lapse(t.Host)
		}
	}
}

// remakeTask makes the message of a turn again that was offered in an earlier step.
func (st *step) remakeTask(t *turn) {
	keys := make([]weburl.URLKey, len(t.URLs))
	for i, u := range t.URLs {
		keys[i] = weburl.URLKey{Host: t.Host.Key(), URL: u}
	}
	rows := st.load(sorted(keys))
	t.task = crawler.Task{Turn: t.ID, Host: t.Host, Errands: t.Errands}
	for _, k := range keys {
		if r := rows[k]; r != nil {
			t.task.URLs = append(t.task.URLs, taskURL(r))
		}
	}
}
