package scheduler

import (
	"context"
	"slices"
	"time"

	"trawl/crawler"
	"trawl/scheduler/core"
)

// gathered is what one step of the loop is made from.
type gathered struct {
	asks   []askEvent
	parts  []crawler.LoggedPart
	seeds  []seedEvent
	placed []placedEvent
	tick   bool
}

// loop owns the core: it gathers events, makes them one step, commits it, and lets its effects leave.
func (s *Scheduler) loop(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	out := core.Effects{}
	for {
		var send chan core.Effects
		if len(out.Tasks) > 0 || out.Purge > 0 {
			send = s.effect
		}
		var g gathered
		select {
		case a := <-s.asks:
			g.asks = append(g.asks, a)
		case g.parts = <-s.parts:
		case seed := <-s.seeds:
			g.seeds = append(g.seeds, seed)
		case c := <-s.changes:
			refused, err := s.change(ctx, &c.change)
			if c.done <- refused; err != nil {
				return err
			}
		case p := <-s.placed:
			g.placed = append(g.placed, p)
		case <-ticker.C:
			g.tick = true
		case <-due.C:
		case <-s.poke:
		case send <- out:
			out = core.Effects{}
			s.core.Sent()
			due.Reset(s.core.UntilDue(s.clock.now()))
			continue
		case <-ctx.Done():
			if err := s.noteDelivered(ctx); err != nil {
				return err
			}
			return ctx.Err()
		}
		s.gather(&g)
		s.ripen(&g)
		made, err := s.runStep(ctx, &g)
		if err != nil {
			return err
		}
		out.Tasks = append(out.Tasks, made.Tasks...)
		out.Purge = max(out.Purge, made.Purge)
		if due.Reset(s.core.UntilDue(s.clock.now())); slices.ContainsFunc(s.unripe, s.ripe) {
			due.Reset(0)
		}
	}
}

// ripen leaves asks for a later step that wait for a part of theirs, until the next tick at most.
func (s *Scheduler) ripen(g *gathered) {
	asks := append(s.unripe, g.asks...)
	s.unripe, g.asks = nil, nil
	for _, a := range asks {
		if g.tick || s.ripe(a) {
			g.asks = append(g.asks, a)
		} else {
			s.unripe = append(s.unripe, a)
		}
	}
}

func (s *Scheduler) ripe(a askEvent) bool { return s.core.Ripe(&a.ask) }

// gather adds what has come meanwhile, without waiting.
func (s *Scheduler) gather(g *gathered) {
	for len(g.asks) < maxAsks {
		select {
		case a := <-s.asks:
			g.asks = append(g.asks, a)
			continue
		default:
		}
		break
	}
	if g.parts == nil {
		select {
		case g.parts = <-s.parts:
		default:
		}
	}
	select {
	case seed := <-s.seeds:
		g.seeds = append(g.seeds, seed)
	default:
	}
}

// runStep makes one step of what was gathered, commits it and answers. An error is the ledger's, and final.
func (s *Scheduler) runStep(ctx context.Context, g *gathered) (core.Effects, error) {
	e := s.events()
	e.Parts = g.parts
	for _, a := range g.asks {
		e.Asks = append(e.Asks, a.ask)
	}
	for _, seed := range g.seeds {
		e.Seeds = append(e.Seeds, seed.Seeding)
	}
	for _, p := range g.placed {
		e.Placed = append(e.Placed, p.placed)
	}
	if g.tick {
		e.Tick = s.tick(ctx, e.Now)
	}
	_, out, err := s.step(&e)
	if err != nil {
		return out, err
	}
	if out.Garbled != nil {
		s.garbled.Do(func() {
			s.log.Warn("a part cannot be read and is dropped, like others after it in the next minute", "position", out.Garbled.Position, "error", out.Garbled.Err)
		})
	}
	tell(s.log, out.Log)
	s.answer(g, &out)
	s.after(&e, &out)
	return out, nil
}

// tick asks the queues what a look at leases and publications needs to know, where it needs it.
func (s *Scheduler) tick(ctx context.Context, now time.Time) *core.Tick {
	t := &core.Tick{Delivered: s.newlyDelivered()}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if s.core.Expired(now) {
		if last, err := s.o.Results.Last(ctx); err == nil {
			t.Last = &last
		} else {
			s.log.Warn("the result queue does not answer; no turn lapses meanwhile", "error", err)
		}
	}
	if s.core.Overdue(now) {
		if queued, err := s.o.Tasks.Queued(ctx); err == nil {
			t.Queued = &queued
		} else {
			s.log.Warn("the task queue does not answer; no turn is published again meanwhile", "error", err)
		}
	}
	return t
}

// answer lets those hear who wait for a step that is durable.
func (s *Scheduler) answer(g *gathered, out *core.Effects) {
	for i, a := range g.asks {
		a.reply <- out.Answers[i]
	}
	if len(g.seeds) > 0 {
		s.publishStatus() // who gave them looks at it now
	}
	for _, seed := range g.seeds {
		close(seed.done)
	}
	for _, p := range g.placed {
		close(p.reply)
	}
	for _, k := range out.Unplaced {
		s.placing.add(k)
	}
	if len(out.Final) > 0 {
		s.o.Stream.Final(out.First, out.Final)
	}
}

// after publishes how things stand after a step.
func (s *Scheduler) after(e *core.Events, out *core.Effects) {
	if s.o.Fault != nil {
		s.faults(e, out)
	}
	s.publishNotice()
	if e.Tick != nil || s.core.Over() {
		s.publishStatus()
	}
	if s.core.Over() {
		closeOnce(s.done)
	}
	if e.Stopping && s.core.Held() == 0 {
		s.publishStatus()
		closeOnce(s.quiet)
	}
}

func (s *Scheduler) publishNotice() { s.notice.Store(s.core.Notice(s.notice.Load())) }

func (s *Scheduler) publishStatus() {
	now := s.clock.now()
	status := s.core.Status(now)
	s.rates.add(now, status.Fetched, status.Bytes)
	status.PagesPerSecond, status.BytesPerSecond = s.rates.perSecond()
	s.status.Store(&status)
}

func (s *Scheduler) faults(e *core.Events, out *core.Effects) {
	if len(out.Tasks) > 0 {
		s.o.Fault("offer")
	}
	if len(e.Asks) > 0 {
		s.o.Fault("grant")
	}
	if len(e.Parts) > 0 {
		s.o.Fault("settle")
	}
	if out.Lapsed {
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

// newlyDelivered is the number of the last delivered row when the ledger does not know of it yet, else 0.
func (s *Scheduler) newlyDelivered() uint64 {
	if s.o.Stream == nil {
		return 0
	}
	if n := s.o.Stream.Delivered(); n > s.core.Delivered() {
		return n
	}
	return 0
}

// noteDelivered stores at the end of the loop what was delivered since the last step.
func (s *Scheduler) noteDelivered(ctx context.Context) error {
	if n := s.newlyDelivered(); n > 0 {
		return s.carryOut(context.WithoutCancel(ctx), core.Deliver(n))
	}
	return nil
}
