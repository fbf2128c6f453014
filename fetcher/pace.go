package fetcher

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"trawl/crawler"
)

// errFar says that the host's next request is further away than crawler.MaxTurnWait.
var errFar = errors.New("the next request is too far away for this turn")

// pace keeps the gap between two requests of a turn. With one lane the gap is kept from the end of an
// answer to the next request; with several from the writing of one request to the start of the next.
// Every request takes it: pages, robots.txt, errands. Safe for concurrent use.
//
// The limiter spaces the starts. It alone is not enough: it cannot see the end of an answer, a
// Retry-After, or the time a connection took before the request was written, so those are kept beside it
// as times, and the limiter is anchored anew when one of them moves.
type pace struct {
	single bool
	turn   chan struct{} // one token: who has it may start the next request; used while there is a delay

	margin time.Duration // at most added to a delay; set before the first use

	mu        sync.Mutex
	limiter   *rate.Limiter
	base      time.Duration // by user and robots.txt
	penalty   time.Duration // by back-off
	good      int           // good answers in a row
	last      time.Time     // the newest request was written; zero before the first
	end       time.Time     // the newest answer ended; zero before the first
	notBefore time.Time     // wait of the grant, Retry-After
	flying    int           // exchanges under way
	moved     chan struct{} // closed when the gap grew
}

// newPace starts the pace of a turn whose first request may be sent at first.
func newPace(base, penalty time.Duration, lanes int, first time.Time) *pace {
	p := &pace{
		single: lanes == 1, turn: make(chan struct{}, 1),
		base: base, penalty: penalty, notBefore: first, moved: make(chan struct{}),
	}
	p.turn <- struct{}{}
	p.anchor()
	return p
}

// maxMargin bounds what is added to a delay: a tenth of it, and no more than this. The gap is promised as the
// server sees it, and a server that is busy notes the end of its answer some milliseconds late.
const maxMargin = 10 * time.Millisecond

// delay is the gap in force. Called with mu held.
func (p *pace) delay() time.Duration {
	d := max(p.base, p.penalty)
	return d + min(d/10, p.margin)
}

// anchor makes the limiter full at the earliest moment of the next start. Called with mu held.
func (p *pace) anchor() {
	d := p.delay()
	if d <= 0 {
		p.limiter = rate.NewLimiter(rate.Inf, 1)
		return
	}
	p.limiter = rate.NewLimiter(rate.Every(d), 1)
	if !p.last.IsZero() {
		p.limiter.AllowN(p.last, 1)
	}
}

// start is one request's leave to be sent. done is called once; wrote may be called by another goroutine.
type start struct {
	p     *pace
	token bool // under p.mu
}

// begin waits until the next request may be sent. It ends with errFar when that is more than
// crawler.MaxTurnWait away, or with the context's error; then nothing was taken.
func (p *pace) begin(ctx context.Context) (*start, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s := p.beginNow(); s != nil {
		return s, nil
	}
	select {
	case <-p.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		at, moved, ok := p.reserve()
		if ok {
			return &start{p: p, token: true}, nil
		}
		err := p.sleep(ctx, at, moved)
		if err != nil {
			p.turn <- struct{}{}
			return nil, err
		}
	}
}

// beginNow is the way without a wait, for hosts without a delay: lanes do not queue for one another.
func (p *pace) beginNow() *start {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.delay() > 0 || time.Now().Before(p.notBefore) {
		return nil
	}
	p.last = time.Now()
	p.flying++
	return &start{p: p}
}

// reserve takes leave to start now, or tells when to try again and what would change that.
func (p *pace) reserve() (at time.Time, moved <-chan struct{}, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	at = p.next(now)
	if at.After(now) {
		return at, p.moved, false
	}
	if d := p.limiter.ReserveN(now, 1).DelayFrom(now); d > 0 {
		p.anchor() // the reservation is given up: it is made again when its time has come
		return now.Add(d), p.moved, false
	}
	p.last = now
	p.flying++
	return now, nil, true
}

func (p *pace) sleep(ctx context.Context, at time.Time, moved <-chan struct{}) error {
	wait := time.Until(at)
	if wait > crawler.MaxTurnWait {
		return errFar
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-moved:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wrote says that the request went out on a connection: the gap to the next start counts from now. With
// several lanes the next one may now wait for its own time.
func (s *start) wrote() {
	p := s.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := time.Now(); at.After(p.last) {
		p.last = at
		p.anchor()
	}
	if !p.single {
		s.pass()
	}
}

// pass hands the token on. Called with mu held; it never blocks, as there is one token.
func (s *start) pass() {
	if s.token {
		s.token = false
		s.p.turn <- struct{}{}
	}
}

// done says that the exchange is over, at the time its last byte came. r is nil when nothing is known of
// the answer; sent tells whether a request went out. It reports whether the host's next request is now
// further away than before, and whether the back-off changed.
func (s *start) done(at time.Time, r *crawler.Result, sent bool) (longer, changed bool) {
	p := s.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flying--
	if at.After(p.end) {
		p.end = at
	}
	if sent && r != nil {
		longer, changed = p.learn(at, r)
	}
	s.pass()
	return longer, changed
}

// learn takes what the answer says about the pace. Called with mu held.
func (p *pace) learn(at time.Time, r *crawler.Result) (longer, changed bool) {
	if crawler.HostFault(r) {
		p.good = 0
	} else {
		p.good++
	}
	before := p.penalty
	p.penalty = crawler.Penalty(p.penalty, p.base, r, p.good)
	if until := at.Add(min(r.RetryAfter, crawler.MaxRetryAfter)); r.RetryAfter > 0 && until.After(p.notBefore) {
		p.notBefore, longer = until, true
	}
	if longer || p.penalty != before {
		p.move()
	}
	return longer || p.penalty > before, p.penalty != before
}

// lengthen makes the gap at least d, counted from the last request and answer on: a Crawl-delay that was
// just read counts for the request after robots.txt already.
func (p *pace) lengthen(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d > p.base {
		p.base = d
		p.move()
	}
}

// move makes the limiter and those who wait take the gap anew. Called with mu held.
func (p *pace) move() {
	p.anchor()
	close(p.moved)
	p.moved = make(chan struct{})
}

// next is the earliest time of the next request. While the exchange of the only lane is under way, it is
// taken to end now. Called with mu held.
func (p *pace) next(now time.Time) time.Time {
	at := p.notBefore
	if !p.last.IsZero() {
		at = later(at, p.last.Add(p.delay()))
	}
	switch {
	case p.single && p.flying > 0:
		at = later(at, now.Add(p.delay()))
	case p.single && !p.end.IsZero():
		at = later(at, p.end.Add(p.delay()))
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wait is how long from now the host may not be asked, at least 0.
func (p *pace) wait() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	return max(0, p.next(now).Sub(now))
}

// backoff is the back-off in force.
func (p *pace) backoff() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.penalty
}
