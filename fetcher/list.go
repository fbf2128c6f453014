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
}

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
}

// accept takes further URLs. settled is the number of the last part that the scheduler has settled: a URL
// reported in it or before has been leased again, any other repeat is known already.
func (l *list) accept(more []crawler.TaskURL, settled int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for u, part := range l.known {
		if part > 0 && part <= settled {
			delete(l.known, u)
		}
	}
	if len(more) > 0 {
		l.add(more)
		l.wake()
		l.grow()
	}
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

// pick takes the next URL. Without one it waits while another lane works, as more may come; it reports
// false, and the lane is gone, when nothing is left or ctx ends.
func (l *list) pick(ctx context.Context) (crawler.TaskURL, bool) {
	for {
		l.mu.Lock()
		if ctx.Err() != nil || len(l.waiting) == 0 && l.working == 0 {
			l.lanes--
			l.wake()
			l.mu.Unlock()
			return crawler.TaskURL{}, false
		}
		if len(l.waiting) > 0 {
			u := l.waiting[0]
			l.waiting = l.waiting[1:]
			l.working++
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
	}
}

// reported notes the part in which results were sent.
func (l *list) reported(results []crawler.Result, part int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range results {
		l.known[results[i].URL] = part
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
