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
// Retry-After, or the time a connection took before the request was written, so those are kept as
// times of their own, and the limiter is anchored again when one of them moves.
//
// A gap that grows holds every lane from that moment on: one that waits goes on waiting, and one that has its
// permit and did not write its request yet finds it revoked (start.Valid). Only what was written stays.
type pace struct {
	single bool
	token  chan struct{} // holds one: the lane that took it may start the next request; used while there is a delay

	margin time.Duration // at most added to a delay; set before the first use

	mu        sync.Mutex
	limiter   *rate.Limiter
	base      time.Duration // by user and robots.txt
	penalty   time.Duration // by back-off
	last      time.Time     // the newest request was written; zero before the first
	end       time.Time     // the newest answer ended; zero before the first
	notBefore time.Time     // wait of the grant, Retry-After
	flying    int           // exchanges under way
	grown     int           // times the gap grew: permits given before are revoked
	moved     chan struct{} // closed when the gap changed
}

// newPace starts the pace of a turn whose first request may be sent at first.
func newPace(base, penalty time.Duration, lanes int, first time.Time) *pace {
	p := &pace{
		single: lanes == 1, token: make(chan struct{}, 1),
		base: base, penalty: penalty, notBefore: first, moved: make(chan struct{}),
	}
	p.token <- struct{}{}
	p.anchor()
	return p
}

// maxMargin bounds what is added to a delay: a tenth of it, and no more than this. The gap is promised as the
// server sees it, and a server that is busy notes the end of its answer some milliseconds late.
const maxMargin = 10 * time.Millisecond

// delay is the current gap. Called with mu held.
func (p *pace) delay() time.Duration {
	d := max(p.base, p.penalty)
	return d + min(d/10, p.margin)
}

// gap is the current gap.
func (p *pace) gap() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay()
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

// start is the permit of one request, and hears what came of it. done is called once; the other methods
// may be called by another goroutine, before it.
type start struct {
	p     *pace
	grown int // of the pace when the permit was given

	// Under p.mu.
	token   bool
	counted bool // the back-off has taken the answer in
	longer  bool // the answer moved the host's next request away
	changed bool // and this is so of the back-off
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
	case <-p.token:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		s, at, moved := p.reserve()
		if s != nil {
			return s, nil
		}
		err := p.sleep(ctx, at, moved)
		if err != nil {
			p.token <- struct{}{}
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
	return &start{p: p, grown: p.grown}
}

// reserve takes a permit to start now, or returns when to try again and what would change that.
func (p *pace) reserve() (s *start, at time.Time, moved <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	at = p.next(now)
	if at.After(now) {
		return nil, at, p.moved
	}
	if d := p.limiter.ReserveN(now, 1).DelayFrom(now); d > 0 {
		p.anchor() // the reservation is given up: it is made again when its time has come
		return nil, now.Add(d), p.moved
	}
	p.last = now
	p.flying++
	return &start{p: p, grown: p.grown, token: true}, now, nil
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

// Valid reports whether the request may still be written: not when the gap grew since the permit was given, be it by an
// answer on another lane or by a new setting.
func (s *start) Valid() bool {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	return s.grown == s.p.grown
}

// Wrote says that the request went out on a connection: the gap to the next start counts from now. With
// several lanes the next one may now wait for its own time.
func (s *start) Wrote() {
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
		s.p.token <- struct{}{}
	}
}

// done says that the exchange is over, at the time its last byte came. r is nil when nothing is known of
// the answer; sent: a request went out. It reports whether the host's next request is now
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
		s.hold(at, r.RetryAfter)
		s.count(r)
	}
	s.pass()
	return s.longer, s.changed
}

// Heard says that the head of the answer came. What makes the gap longer holds from now on, for the body may be long
// in coming.
func (s *start) Heard(r *crawler.Result) {
	asksForLess := r.Status == 429 || r.Status == 503
	if r.RetryAfter <= 0 && !asksForLess {
		return
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.hold(time.Now(), r.RetryAfter)
	if asksForLess {
		s.count(r)
	}
}

// hold takes a Retry-After that came at the time. Called with mu held.
func (s *start) hold(at time.Time, d time.Duration) {
	p := s.p
	until := at.Add(min(d, crawler.MaxRetryAfter))
	if d <= 0 || !until.After(p.notBefore) {
		return
	}
	p.notBefore, s.longer = until, true
	p.move(true)
}

// count takes the answer into the back-off, once. Called with mu held.
func (s *start) count(r *crawler.Result) {
	if s.counted {
		return
	}
	p := s.p
	s.counted = true
	before := p.penalty
	p.penalty = crawler.Penalty(p.penalty, p.base, r)
	if p.penalty == before {
		return
	}
	s.changed = true
	s.longer = s.longer || p.penalty > before
	p.move(p.penalty > before)
}

// lengthen makes the gap at least d, counted from the last request and answer on: a Crawl-delay that was
// just read counts for the request after robots.txt already.
func (p *pace) lengthen(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d > p.base {
		p.base = d
		p.move(true)
	}
}

// move makes the limiter and those who wait take the new gap; longer: it grew. Called with mu held.
func (p *pace) move(longer bool) {
	if longer {
		p.grown++
	}
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

// backoff is the current back-off.
func (p *pace) backoff() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.penalty
}
