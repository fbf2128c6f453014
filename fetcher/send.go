package fetcher

import (
	"context"
	"time"

	"trawl/crawler"
)

const (
	// sendAgain is the pause before a part is sent again, doubled each time up to sendAgainMax.
	sendAgain    = 100 * time.Millisecond
	sendAgainMax = 5 * time.Second
	// shortWork: when the URLs that wait are less work than this, the turn sends what it has found and asks for more. It is
	// some round trips to the scheduler, each with its syncs.
	shortWork = 200 * time.Millisecond
	// partGap is the least time between two parts that are sent for that reason alone, while a lane works: so many small
	// ones cost more than they bring.
	partGap = 100 * time.Millisecond
)

// send sends the parts of the report while lanes work, and the last one when they are done. It returns true
// when the last part is stored, and false when the turn is dropped.
func (t *turn) send() (ordered bool) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	worked := (<-chan struct{})(t.worked)
	for {
		var tick <-chan time.Time
		if at, ok := t.partDue(); ok {
			timer.Reset(time.Until(at))
			tick = timer.C
		}
		select {
		case <-t.hard.Done():
			return false
		case <-worked:
			return t.sendRest()
		case <-t.report.wake:
			continue
		case <-tick:
		}
		if t.store(t.nextPart()) != nil {
			return false
		}
	}
}

// partDue is when the next part is to be sent; ok is false while there is nothing to send. When URLs become short it is due early,
// as the links that it has may be the next ones.
func (t *turn) partDue() (at time.Time, ok bool) {
	at, ok = t.report.due()
	need := t.list.need(t.low())
	if !ok || need == enough {
		return at, ok
	}
	if early := t.sent.Add(partGap); need == short && early.Before(at) {
		return early, true
	} else if need == dry {
		return time.Time{}, true
	}
	return at, true
}

// low is how many URLs are shortWork.
func (t *turn) low() int {
	gap, mean := t.pace.gap(), t.report.pace()
	each := max(gap, mean/time.Duration(t.list.most))
	if t.list.most == 1 {
		each = gap + mean
	}
	if each <= 0 {
		return 0
	}
	return int(min(shortWork/each, crawler.MaxTurnURLs/2))
}

// sendRest sends what is left, the last part with its mark. It returns true when that is stored.
func (t *turn) sendRest() bool {
	for {
		p := t.nextPart()
		p.End = t.report.empty()
		if t.store(p) != nil {
			return false
		}
		if p.End {
			return true
		}
	}
}

// nextPart takes the next part from the report. Only send calls it: parts are numbered without gaps, each
// is made after the one before was stored.
func (t *turn) nextPart() *crawler.Part {
	t.parts++
	p := &crawler.Part{
		Turn: t.task.Turn, Holder: t.holder, Host: t.task.Host, Life: t.life,
		Fetcher: t.f.Name, Number: t.parts,
	}
	t.list.fill(p, t.report.take)
	if p.State.PenaltySet {
		p.State.Penalty = t.pace.backoff()
	}
	if len(p.State.Robots)+len(p.State.Hops) == 0 {
		p.State.Addresses = t.site.Learned()
	}
	return p
}

// store makes a part durable: first the bodies it names, then the part. It tries until it succeeds or the
// turn is dropped.
func (t *turn) store(p *crawler.Part) error {
	if len(p.Results)+len(p.State.Robots)+len(p.State.Hops) > 0 {
		if err := t.try("archive", t.f.Archive.Sync); err != nil {
			return err
		}
		t.f.Step(StepArchive)
	}
	p.Wait = t.pace.wait() // once: the part may have been stored by a try that seemed to fail
	if err := t.try("report", func(ctx context.Context) error { return t.f.Reports.Send(ctx, p) }); err != nil {
		return err
	}
	t.report.stored()
	t.sent = time.Now()
	t.stored.Store(int64(p.Number))
	if t.list.need(t.low()) != enough {
		poke(t.wants)
	}
	if p.Number == 1 {
		t.f.Step(StepPart1)
	}
	if p.End {
		t.f.Step(StepLast)
	}
	return nil
}

// try repeats do until it succeeds. Its error is the end of the turn; that do fails is logged once.
func (t *turn) try(what string, do func(context.Context) error) error {
	for wait := sendAgain; ; wait = min(2*wait, sendAgainMax) {
		err := do(t.hard)
		if err == nil {
			return nil
		}
		if t.hard.Err() != nil {
			return context.Cause(t.hard)
		}
		if wait == sendAgain {
			t.log.Warn("a part of a report cannot be stored yet", "step", what, "error", err)
		}
		if pause(t.hard, wait) != nil {
			return context.Cause(t.hard)
		}
	}
}
