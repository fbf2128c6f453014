package fetcher

import (
	"slices"
	"sync"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/fetcher/download"
)

// Sizes of what a part holds, in bytes on the wire, guessed from above: fixed fields, tags and lengths.
const (
	partBytes   = 8 << 10 // the part itself with host, fetcher and counts
	resultBytes = 320     // a result besides its texts
	pageBytes   = 24      // the head of a page's links
	linkBytes   = 16      // a link besides its URL
	robotsBytes = 512     // a robots file besides its texts
	cookieBytes = 48      // a change of a cookie besides its texts
	// partLimit leaves room for what the guess misses.
	partLimit = crawler.MaxPartBytes - 8<<10
)

// linksRemembered is how many links of a turn are known again to leave out repeats, some 50 bytes each. Beyond it all are
// forgotten, and each is sent once more where it comes again.
const linksRemembered = 16 << 10

// report gathers what a turn found, in order, until it is sent in parts. Lanes add, the turn takes. Safe
// for concurrent use. A lane that finds a part's worth in it waits in room: it holds about what one page of each
// lane has, maxPageLinks at most, more than the part being sent.
type report struct {
	mu       sync.Mutex
	queue    []entry
	bytes    int // of queue
	oldest   time.Time
	urgent   int // entries up to the last one that asked for a part at once
	requests int
	penalty  bool                   // the back-off changed
	held     []session.CookieChange // go with the next entry
	dropped  download.Tally
	bounds   download.Tally
	mean     time.Duration
	sent     map[uint64]int32 // links already added, by their keys, with the least depth of a page that had them
	host     weburl.Host      // the turn's; set before the first use
	local    bool             // there may be links to it in queue
	flying   int              // bytes taken for a part that is not stored yet
	all      *backlog         // of the fetcher; holds bytes and flying
	space    chan struct{}    // closed when room was made
	wake     chan struct{}    // one slot: there is something new to decide about
}

// entry is one thing to be sent; an entry with links and a result sends the links first. One without a result has
// links of a page that is still read.
type entry struct {
	page    weburl.URL
	links   []crawler.Link
	result  *crawler.Result
	cookies []session.CookieChange // changed up to this entry; sent with the first of it
	robots  *crawler.RobotsFile
	hop     *crawler.RobotsAnswer
}

func newReport() *report {
	return &report{sent: make(map[uint64]int32), all: &backlog{}, space: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// add takes a result with its page's links, those in scope. Links that this turn has sent before are left
// out, unless this page is nearer to the seeds. urgent asks for a part at once.
func (r *report) add(res *crawler.Result, depth int, links []crawler.Link, urgent bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := entry{page: res.URL, result: res, links: r.fresh(links, depth)}
	r.push(e, urgent)
}

// addLinks takes links of a page whose result comes later.
func (r *report) addLinks(page weburl.URL, depth int, links []crawler.Link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if links = r.fresh(links, depth); len(links) > 0 {
		r.push(entry{page: page, links: links}, false)
	}
}

// addRobots takes a robots.txt: it is sent at once, in a part of its own.
func (r *report) addRobots(f crawler.RobotsFile) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.push(entry{robots: &f}, true)
}

// addHop takes the end of an errand: it is sent at once, in a part of its own.
func (r *report) addHop(a crawler.RobotsAnswer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.push(entry{hop: &a}, true)
}

// addTallies counts links that are not sent (repeats within the turn are not among them) and limits that
// were hit. The sums go into the next part.
func (r *report) addTallies(dropped, bounds download.Tally) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for word, n := range dropped {
		r.dropped.Add(word, int(n))
	}
	for word, n := range bounds {
		r.bounds.Add(word, int(n))
	}
}

// addExchange counts an exchange. took is 0 when it was cut; penalty: the back-off changed.
func (r *report) addExchange(took time.Duration, sent, penalty bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.penalty = r.penalty || penalty
	if !sent {
		return
	}
	r.requests++
	switch {
	case took <= 0:
	case r.mean == 0:
		r.mean = took
	default:
		r.mean += (took - r.mean) / 8
	}
}

// hold keeps changes of cookies for the entry of the page that made them, which is added next; those of an exchange
// that ends without one go with the next entry there is. A change replaces an earlier one of the same cookie.
func (r *report) hold(changes []session.CookieChange) {
	if len(changes) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held, _ = session.NewestChanges(append(r.held, changes...))
}

func (r *report) push(e entry, urgent bool) {
	e.cookies, r.held = r.held, nil
	first := len(r.queue) == 0
	if first {
		r.oldest = time.Now()
	}
	r.queue = append(r.queue, e)
	r.local = r.local || slices.ContainsFunc(e.links, func(l crawler.Link) bool { return l.URL.Host() == r.host })
	size := e.size()
	r.bytes += size
	r.all.Take(size)
	if urgent {
		r.urgent = len(r.queue)
	}
	if first || urgent || r.bytes >= partLimit {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// fresh leaves out links that were sent before. The rest is a slice of its own.
func (r *report) fresh(links []crawler.Link, depth int) []crawler.Link {
	keep := links[:0]
	for _, l := range links {
		k := l.Key()
		known, ok := r.sent[k]
		if ok && int(known) <= depth && l.Kind != crawler.LinkRedirect {
			continue
		}
		if !ok && len(r.sent) >= linksRemembered {
			clear(r.sent)
		}
		r.sent[k] = int32(depth)
		keep = append(keep, l)
	}
	return keep
}

// knows reports whether fresh would leave out a link on a page of the depth, other than a redirect: the page's scan asks before
// it makes one.
func (r *report) knows(key uint64, depth int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.sent[key]
	return ok && int(known) <= depth
}

// room waits until neither the report nor the fetcher's backlog is full, so that a queue that is down does not fill
// the memory. It ends at once when quit is closed.
func (r *report) room(quit <-chan struct{}) {
	counted := false
	for {
		r.mu.Lock()
		full, space := r.bytes >= partLimit, (<-chan struct{})(r.space)
		if !full {
			if space = r.all.Full(); space != nil && !counted {
				r.bounds.Add(crawler.BoundUnsent, 1)
				counted = true
			}
		}
		r.mu.Unlock()
		if space == nil {
			return
		}
		select {
		case <-space:
		case <-quit:
			return
		}
	}
}

// stored says that the part that was taken last is stored.
func (r *report) stored() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all.Give(r.flying)
	r.flying = 0
}

// drop gives up what was not stored. Nothing is added or taken afterwards.
func (r *report) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all.Give(r.bytes + r.flying)
	r.queue, r.bytes, r.flying = nil, 0, 0
}

// due is when the next part is to be sent; ok is false while there is nothing to send.
func (r *report) due() (at time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(r.queue) == 0:
		return time.Time{}, false
	case r.urgent > 0, r.bytes >= partLimit:
		return time.Time{}, true
	}
	return r.oldest.Add(crawler.PartInterval), true
}

// leads reports whether links to the turn's own host wait to be sent.
func (r *report) leads() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.local
}

// pace is the mean time of an exchange so far, 0 before the first.
func (r *report) pace() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mean
}

// empty reports whether everything was taken.
func (r *report) empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queue) == 0
}

// take moves as much as fits into the part, in order, and the counts since the last one. It reports whether there may be links to the
// turn's own host in it.
func (r *report) take(p *crawler.Part) (local bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	local = r.local
	left := partLimit - partBytes
	n := 0
	for n < len(r.queue) && r.move(p, &r.queue[n], &left) {
		n++
	}
	clear(r.queue[:n])
	r.queue, r.urgent = r.queue[n:], max(0, r.urgent-n)
	if len(r.queue) == 0 && len(r.held) > 0 { // of exchanges that left nothing else
		p.State.Cookies, r.held = append(p.State.Cookies, r.held...), nil
	}
	p.State.Requests, r.requests = r.requests, 0
	p.State.PenaltySet, r.penalty = r.penalty, false
	p.State.MeanTime = r.mean
	p.State.Dropped, r.dropped = r.dropped, nil
	p.State.Bounds, r.bounds = r.bounds, nil
	before := r.bytes
	r.bytes = 0
	for i := range r.queue {
		r.bytes += r.queue[i].size()
	}
	r.flying += before - r.bytes
	r.local = local && len(r.queue) > 0
	close(r.space)
	r.space = make(chan struct{})
	return local
}

// move puts an entry into the part and reports whether all of it went in and more may follow.
func (r *report) move(p *crawler.Part, e *entry, left *int) bool {
	if e.robots != nil || e.hop != nil {
		if !blank(p) {
			return false
		}
		e.moveCookies(p, left)
		if e.robots != nil {
			p.State.Robots = append(p.State.Robots, *e.robots)
		} else {
			p.State.Hops = append(p.State.Hops, *e.hop)
		}
		*left = 0
		return true
	}
	if len(e.cookies) > 0 && *left < sizeCookies(e.cookies)+sizeResult(e.result) && !blank(p) {
		return false
	}
	e.moveCookies(p, left)
	if n := e.fits(*left); n > 0 {
		p.Links = append(p.Links, crawler.PageLinks{Page: e.page, Links: e.links[:n:n]})
		*left -= sizeLinks(e.page, e.links[:n])
		e.links = e.links[n:]
	}
	if len(e.links) > 0 || *left < sizeResult(e.result) && !blank(p) {
		return false
	}
	if e.result == nil {
		return true
	}
	p.Results = append(p.Results, *e.result)
	*left -= sizeResult(e.result)
	return true
}

// moveCookies puts the entry's changes of cookies into the part that its first link or its result goes into: where a
// redirect leads they may be wanted.
func (e *entry) moveCookies(p *crawler.Part, left *int) {
	p.State.Cookies = append(p.State.Cookies, e.cookies...)
	*left -= sizeCookies(e.cookies)
	e.cookies = nil
}

// blank reports whether nothing was put into the part yet.
func blank(p *crawler.Part) bool {
	return len(p.Results)+len(p.Links)+len(p.State.Robots)+len(p.State.Hops)+len(p.State.Cookies) == 0
}

// fits is how many of the entry's links go into left bytes.
func (e *entry) fits(left int) int {
	left -= pageBytes + len(e.page.String())
	for i, l := range e.links {
		if left -= linkBytes + len(l.URL.String()); left < 0 {
			return i
		}
	}
	return len(e.links)
}

func (e *entry) size() int {
	n := sizeCookies(e.cookies)
	switch {
	case e.robots != nil:
		return n + sizeRobots(e.robots)
	case e.hop != nil:
		return n + sizeRobots(&e.hop.File)
	}
	return n + sizeResult(e.result) + sizeLinks(e.page, e.links)
}

func sizeCookies(cs []session.CookieChange) int {
	n := 0
	for i := range cs {
		n += cookieBytes + cs[i].Size() + len(cs[i].By)
	}
	return n
}

func sizeRobots(f *crawler.RobotsFile) int { return robotsBytes + len(f.Body) + len(f.Detail) }

func sizeLinks(page weburl.URL, links []crawler.Link) int {
	if len(links) == 0 {
		return 0
	}
	n := pageBytes + len(page.String())
	for _, l := range links {
		n += linkBytes + len(l.URL.String())
	}
	return n
}

// sizeResult is 0 for none.
func sizeResult(r *crawler.Result) int {
	if r == nil {
		return 0
	}
	return resultBytes + len(r.URL.String()) + len(r.ContentType) + len(r.Title) + len(r.RedirectTo.String()) +
		len(r.IP) + len(r.Archive.File) + len(r.ETag) + len(r.LastModified) + len(r.Detail)
}
