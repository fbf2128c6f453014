package fetcher

import (
	"context"
	"sync"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// list is the URLs of a turn and who works on them. Safe for concurrent use.
type list struct {
	mu      sync.Mutex
	waiting []crawler.TaskURL
	known   map[weburl.URL]int // of the turn: 0 until reported, then the number of the part
	working int                // URLs that a lane has picked
	lanes   int                // running
	most    int                // lanes allowed
	changed chan struct{}      // closed when a lane that waits should look again
	start   func()             // starts one more lane; nil until the first ones run
	hopes
}

// hopes are what a list knows of URLs that may come: while there is hope, lanes without work wait for it. Guarded by the list's mu.
type hopes struct {
	found   func() bool // reports whether links to the turn's host wait to be sent
	hungry  func()      // hears once when URLs become short, and each time that no lane has work
	tops    bool        // the scheduler adds URLs to this turn
	rest    bool        // it has some that wait
	low     int         // so few URLs that wait are short
	said    bool        // hungry heard since URLs came
	carried int         // number of the last part that took links to the turn's host
	settled int         // number of the last part whose links an answer knew
}

// needs says how much a turn wants further URLs.
type needs int

const (
	enough needs = iota
	short        // those that wait do not last long
	dry          // none waits, and none is worked on
)

func (l *list) init(urls []crawler.TaskURL, most int) {
	l.most = most
	l.known = make(map[weburl.URL]int, len(urls))
	l.changed = make(chan struct{})
	l.add(urls)
}

func (l *list) add(urls []crawler.TaskURL) {
	for _, u := range urls {
		if _, ok := l.known[u.URL]; !ok {
			l.known[u.URL] = 0
			l.waiting = append(l.waiting, u)
		}
	}
	l.said = false
}

// accept takes the answer to an ask: further URLs, and whether there may be more. Settled is the number of the last part that the
// scheduler has settled: a URL reported in it or before has been leased again, any other repeat is known already.
func (l *list) accept(ask *crawler.Ask, a *crawler.Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for u, part := range l.known {
		if part > 0 && part <= a.Settled {
			delete(l.known, u)
		}
	}
	l.settled = max(l.settled, a.Settled)
	l.tops = a.Tops
	l.rest = a.Rest && (len(a.More) > 0 || !ask.More || a.Settled < ask.Part) // some that are not for this turn may wait for long
	if len(a.More) > 0 {
		l.add(a.More)
		l.grow()
	}
	l.wake()
}

// despair gives up hope, as nobody answers: a turn without work ends rather than wait.
func (l *list) despair() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tops = false
	l.wake()
}

// hope reports whether URLs may come that the scheduler makes of what this turn has found. Called with mu held.
func (l *list) hope() bool { return l.tops && (l.rest || l.carried > l.settled || l.found()) }

// hoping is hope for those outside.
func (l *list) hoping() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hope()
}

// need reports how much further URLs are wanted, where low of them that wait are few.
func (l *list) need(low int) needs {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.low = low
	switch {
	case !l.tops || l.lanes == 0 || len(l.waiting) > low:
		return enough
	case len(l.waiting) == 0 && l.working == 0:
		return dry
	}
	return short
}

// run starts lanes, as many as there are URLs for and as are allowed; later ones are started when more
// URLs come while one runs.
func (l *list) run(start func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start = start
	l.lanes = min(l.most, len(l.waiting))
	for range l.lanes {
		start()
	}
}

// grow starts more lanes. Called with mu held.
func (l *list) grow() {
	if l.lanes == 0 {
		return // not begun, or the turn is ending
	}
	for free := len(l.waiting); l.lanes < l.most && free > 0; free-- {
		l.lanes++
		l.start()
	}
}

// pick takes the next URL. Without one it waits while another lane works or there is hope, as more may come; it reports
// false, and the lane is gone, when nothing is left or ctx ends.
func (l *list) pick(ctx context.Context) (crawler.TaskURL, bool) {
	for {
		l.mu.Lock()
		if ctx.Err() != nil || len(l.waiting) == 0 && l.working == 0 && !l.hope() {
			l.lanes--
			l.wake()
			l.mu.Unlock()
			return crawler.TaskURL{}, false
		}
		if len(l.waiting) > 0 {
			u := l.waiting[0]
			l.waiting = l.waiting[1:]
			l.working++
			if len(l.waiting) <= l.low && !l.said {
				l.said = true
				l.hungry()
			}
			l.mu.Unlock()
			return u, true
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// done says that a picked URL was dealt with; again puts it back in front.
func (l *list) done(u crawler.TaskURL, again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.working--
	if again {
		l.waiting = append([]crawler.TaskURL{u}, l.waiting...)
		l.wake()
	} else if l.working == 0 && len(l.waiting) == 0 {
		l.wake()
		l.hungry()
	}
}

// fill lets a part take what it is to send, and notes it. take reports whether links to the turn's host are among it; hope does
// not see the moment between.
func (l *list) fill(p *crawler.Part, take func(*crawler.Part) (local bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if take(p) {
		l.carried = p.Number
	}
	for i := range p.Results {
		l.known[p.Results[i].URL] = p.Number
	}
}

// wake lets waiting lanes look again. Called with mu held.
func (l *list) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// first is a URL of the scheme that waits, so that its robots.txt can be asked for.
func (l *list) first(scheme string) (weburl.URL, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, u := range l.waiting {
		if u.URL.Scheme() == scheme {
			return u.URL, true
		}
	}
	return weburl.URL{}, false
}
