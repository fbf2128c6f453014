package core

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

// web is a simulation of everything around the loop, step by step in virtual time: a web with failing and returning hosts, robots.txt
// of every kind, fetchers that die, come late and lose their network, a queue that loses and doubles, users who change the job, and a process that
// ends at any commit. Everything follows from the seed.
type web struct {
	t     *testing.T
	rng   *rand.Rand
	led   *schedulertest.Ledger
	fair  *fairness
	q     *schedulertest.Queues
	s     *shell
	job   crawler.Job
	calm  bool // no more faults
	turns []*webTurn
	last  map[weburl.Host]time.Time // request
	pace  map[weburl.Host]time.Duration
	asks  map[string]int // by URL of robots.txt and hub
	tries map[string]int
	begin time.Time
	ends  int
	wrong []string

	answers  []crawler.Answer // of the newest step
	silences int              // turns that came back because their fetcher had no network
}

// webTurn is a turn that a fetcher works on.
type webTurn struct {
	task   crawler.Task
	ask    crawler.Ask
	until  time.Time // end of the right as the fetcher knows it
	next   time.Time // the pace's
	delay  time.Duration
	number int
	rules  bool
}

const webHosts = 24

var errDied = errors.New("the process ends here")

func webHost(i int) weburl.Host { return weburl.Host(fmt.Sprintf("h%d.test", i%webHosts)) }

func newWeb(t *testing.T, seed uint64) *web {
	w := &web{
		t: t, rng: rand.New(rand.NewPCG(seed, 77)), led: schedulertest.NewLedger(), q: schedulertest.NewQueues(seed), job: schedulertest.Job(),
		last: map[weburl.Host]time.Time{}, pace: map[weburl.Host]time.Duration{}, asks: map[string]int{}, tries: map[string]int{}, begin: time.Now(),
	}
	w.q.Lossy = true
	w.fair = watchFairness(w.led)
	w.job.Scope, w.job.TurnTime = crawler.ScopeAny, 3*time.Second
	if seed%2 == 0 {
		w.job.Depth = 2
	}
	if seed%3 == 0 {
		w.job.MaxPerHost = 4
	}
	w.start()
	return w
}

// start begins a life of the scheduler, sometimes with a wall clock that was set back.
func (w *web) start() {
	offset := time.Duration(0)
	if !w.calm && w.rng.IntN(3) == 0 {
		offset = -time.Duration(w.rng.IntN(3600)) * time.Second
	}
	o := shellOptions{Job: w.job, Ledger: w.led, Tasks: w.q, Results: w.q, WindowHosts: 3, RecentLinks: 8, LocalFetcher: "local",
		ClockOffset: func() time.Duration { return offset }}
	if !w.calm && w.rng.IntN(8) == 0 {
		o.RetryFailed = new(crawler.Reason(""))
	}
	for {
		s, err := newShell(w.t.Context(), o)
		if errors.Is(err, errDied) {
			w.ends++
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.s = s
		break
	}
	if now := w.s.clock.now(); now.Before(w.led.State.Clock) {
		w.wrong = append(w.wrong, fmt.Sprintf("a life began at %v, before %v", now, w.led.State.Clock))
	}
	w.fair.from = w.s.clock.now().Add(3 * time.Second)
	w.tell()
	w.turns = slices.DeleteFunc(w.turns, func(t *webTurn) bool { return t.ask.Fetcher == "local" }) // died with it
}

// silent reports whether a fetcher's network is away now: of one, of the other, or of both.
func (w *web) silent(fetcher string) bool {
	at := int(time.Since(w.begin)/time.Second) / 40 % 8
	return !w.calm && (at == 7 || at == map[string]int{"local": 3, "f1": 5}[fetcher])
}

// tell says what the gossip knows of the fetchers. One without a network has one slot, for its probes.
func (w *web) tell() {
	all := []crawler.FetcherStatus{{Name: "local", Slots: 3}, {Name: "f1", Slots: 2}}
	for i := range all {
		if w.silent(all[i].Name) {
			all[i].Slots, all[i].Silent = 1, 12*time.Second
		}
	}
	w.s.SetFetchers(all)
}

// step is one turn of the loop. The process may end before or after its commit, or before its effects leave.
func (w *web) step(e gathered) {
	if !w.calm {
		switch w.rng.IntN(60) {
		case 0:
			w.led.Refuse = errDied
		case 1:
			w.led.Dies = errDied
		}
	}
	out, err := w.s.runStep(w.t.Context(), &e)
	w.answers = out.Answers
	w.led.Refuse, w.led.Dies = nil, nil
	switch {
	case errors.Is(err, errDied):
		w.ends++
		w.start()
		return
	case err != nil:
		w.t.Fatal(err)
	case w.led.Broken != nil:
		w.t.Fatalf("the ledger does not balance: %v", w.led.Broken)
	}
	w.q.Offer(w.t.Context(), out.Tasks)
	for _, t := range out.Tasks {
		size := 0
		for _, u := range t.URLs {
			size += len(u.URL.String())
		}
		if size > crawler.MaxTaskBytes || len(t.Errands) > crawler.MaxTurnErrands || len(t.URLs)+len(t.Errands) == 0 {
			w.wrong = append(w.wrong, fmt.Sprintf("a task of %d URLs, %d errands, %d bytes", len(t.URLs), len(t.Errands), size))
		}
	}
}

// put asks the scheduler; nil when it died over it.
func (w *web) put(a crawler.Ask) *crawler.Answer {
	w.step(gathered{asks: []crawler.Ask{a}})
	if len(w.answers) == 0 {
		return nil
	}
	return &w.answers[0]
}

// settle lets the scheduler read the log on.
func (w *web) settle() {
	read := w.s.core.state.position
	if n := uint64(len(w.q.Log)); read < n {
		to := min(n, read+1+uint64(w.rng.IntN(4)))
		w.step(gathered{parts: slices.Clone(w.q.Log[read:to])})
	}
}

func (w *web) take() {
	task, ok := w.q.Take()
	if !ok {
		return
	}
	t := &webTurn{task: task, ask: crawler.Ask{Turn: task.Turn, Host: task.Host, Fetcher: []string{"local", "f1"}[w.rng.IntN(2)]}}
	for i := range t.ask.Holder {
		t.ask.Holder[i] = byte(w.rng.Uint32())
	}
	begun := time.Now()
	stopping := w.s.stopping
	a := w.put(t.ask)
	if a == nil || a.Verdict != crawler.Granted {
		return
	}
	if stopping {
		w.wrong = append(w.wrong, "a stopping scheduler gives a right")
	}
	t.until, t.next, t.delay, t.rules = begun.Add(a.Lease), begun.Add(a.Wait), a.Delay, len(a.Robots) > 0
	w.turns = append(w.turns, t)
}

func (w *web) send(t *webTurn, fill func(*crawler.Part)) {
	t.number++
	p := crawler.Part{Turn: t.ask.Turn, Holder: t.ask.Holder, Host: t.ask.Host, Fetcher: t.ask.Fetcher, Number: t.number, Wait: max(0, time.Until(t.next))}
	fill(&p)
	if !w.calm && w.rng.IntN(30) == 0 { // somebody else says it, with another story
		forged := p
		forged.Holder[0]++
		forged.Results = []crawler.Result{}
		for _, u := range t.task.URLs {
			forged.Results = append(forged.Results, crawler.Result{URL: u.URL, Outcome: crawler.Fetched, Status: 299})
		}
		w.q.Send(forged)
	}
	w.q.Send(p)
	if !w.calm && w.rng.IntN(20) == 0 {
		w.q.Send(p) // twice
	}
}

// request notes one request to a host.
func (w *web) request(t *webTurn) {
	h := t.ask.Host
	least := max(w.job.Delay, w.pace[h])
	if last, asked := w.last[h]; asked && time.Since(last) < least {
		w.wrong = append(w.wrong, fmt.Sprintf("%s was asked after %v, by turn %x", h, time.Since(last), t.ask.Turn[:2]))
	}
	w.last[h] = time.Now()
	t.next = time.Now().Add(t.delay)
}

// work does the next thing of a turn.
func (w *web) work(t *webTurn) {
	now := time.Now()
	switch {
	case !now.Before(t.until.Add(-5*time.Second)) && now.Before(t.until.Add(time.Minute)):
		begun := time.Now()
		again := t.ask
		again.Renewal = true
		switch a := w.put(again); {
		case a == nil:
		case a.Verdict != crawler.Granted:
			w.drop(t)
		default:
			t.until, t.delay = begun.Add(a.Lease), max(t.delay, a.Delay)
		}
		return
	case !now.Before(t.until):
		w.drop(t)
		return
	case now.Before(t.next):
		return
	}
	if w.silent(t.ask.Fetcher) { // it gives back untried what it has
		w.silences++
		w.send(t, func(p *crawler.Part) { p.End = true })
		w.drop(t)
		return
	}
	if w.down(t.ask.Host) && len(t.task.Errands)+len(t.task.URLs) > 0 {
		w.refuse(t)
		return
	}
	switch {
	case len(t.task.Errands) > 0:
		e := t.task.Errands[0]
		t.task.Errands = t.task.Errands[1:]
		w.request(t)
		w.asks[e.URL.String()]++
		a := crawler.RobotsAnswer{Hop: e, File: crawler.RobotsFile{Status: crawler.RobotsRules, TTL: 2 * time.Hour}}
		if strings.HasSuffix(e.URL.Path(), "/on") {
			a = crawler.RobotsAnswer{Hop: e, Next: mustURL("http://far.test/r.txt")}
		}
		w.send(t, func(p *crawler.Part) { p.State.Hops = []crawler.RobotsAnswer{a}; p.State.Requests = 1 })
	case len(t.task.URLs) > 0 && !t.rules:
		w.request(t)
		f := w.robots(t.ask.Host)
		t.rules = f.Status == crawler.RobotsRules
		if f.Status == crawler.RobotsRules {
			t.delay = max(t.delay, w.pace[t.ask.Host])
			t.next = now.Add(t.delay)
		}
		w.send(t, func(p *crawler.Part) {
			p.State.Robots = []crawler.RobotsFile{f}
			if w.rng.IntN(4) == 0 {
				p.State.Robots = append(p.State.Robots, f)
			}
			p.State.Requests, p.End = 1, !t.rules
		})
		if !t.rules {
			w.drop(t)
		}
	case len(t.task.URLs) > 0:
		u := t.task.URLs[0]
		t.task.URLs = t.task.URLs[1:]
		w.request(t)
		r, links := w.page(u.URL)
		w.send(t, func(p *crawler.Part) {
			p.Results, p.State.Requests = []crawler.Result{r}, 1
			if len(links) > 0 {
				p.Links = []crawler.PageLinks{{Page: u.URL, Links: links}}
			}
		})
	default:
		w.send(t, func(p *crawler.Part) { p.End = true })
		w.drop(t)
	}
}

// down reports whether no connection to a host can be made now. Some hosts come and go, and among them the one that others lead to.
func (w *web) down(h weburl.Host) bool {
	var n int
	if fmt.Sscanf(string(h), "h%d.test", &n); w.calm || n%5 != 2 && h != "hub.test" {
		return false
	}
	return (int(time.Since(w.begin)/time.Second)+17*n)/50%4 == 3
}

// refuse is the try of a turn at a host that is down: it ends there.
func (w *web) refuse(t *webTurn) {
	w.request(t)
	w.send(t, func(p *crawler.Part) {
		p.State.Requests, p.End = 1, true
		unread := crawler.RobotsFile{Scheme: "http", Status: crawler.RobotsUnreachable, Fault: crawler.ReasonConnect, Detail: "connection refused"}
		switch {
		case len(t.task.Errands) > 0:
			p.State.Hops = []crawler.RobotsAnswer{{Hop: t.task.Errands[0], File: unread}}
		case !t.rules:
			p.State.Robots = []crawler.RobotsFile{unread}
		default:
			p.Results = []crawler.Result{failed(t.task.URLs[0].URL.String(), crawler.ReasonConnect, 0)}
		}
	})
	w.drop(t)
}

func (w *web) drop(t *webTurn) {
	w.turns = slices.DeleteFunc(w.turns, func(o *webTurn) bool { return o == t })
}

// robots is a host's robots.txt: rules, those of another host, or one that cannot be reached at first.
func (w *web) robots(h weburl.Host) crawler.RobotsFile {
	w.asks["robots "+string(h)]++
	var n int
	fmt.Sscanf(string(h), "h%d.test", &n)
	f := crawler.RobotsFile{Scheme: "http", Status: crawler.RobotsRules, TTL: 2 * time.Hour}
	elsewhere := func(u string) crawler.RobotsFile {
		f.Status = crawler.RobotsElsewhere
		f.Hop = crawler.RobotsHop{For: h, Scheme: "http", URL: mustURL(u), Count: 1}
		return f
	}
	switch n % 6 {
	case 1:
		return elsewhere("http://h0.test/shared.txt")
	case 2:
		return elsewhere("http://hub.test/on")
	case 3:
		if w.asks["robots "+string(h)] == 1 {
			f.Status, f.Detail = crawler.RobotsUnreachable, "status 500"
		}
	case 4:
		w.pace[h] = 3 * time.Second
		f.Body = []byte("User-agent: *\nCrawl-delay: 3\n")
	case 5:
		return elsewhere(fmt.Sprintf("http://h0.test/of/%d", n))
	}
	return f
}

// page is what a URL answers, with its links: pages of the host form a tree, and each leads to the next host.
func (w *web) page(u weburl.URL) (crawler.Result, []crawler.Link) {
	var h, p int
	fmt.Sscanf(u.String(), "http://h%d.test/%d", &h, &p)
	w.tries[u.String()]++
	if p%5 == 3 && w.tries[u.String()] <= 2 {
		return failed(u.String(), crawler.ReasonTimeout, 0), nil
	}
	if p%5 == 4 {
		return failed(u.String(), crawler.ReasonHTTPStatus, 404), nil
	}
	var links []crawler.Link
	for _, n := range []int{2*p + 1, 2*p + 2} {
		if n < 12 {
			links = append(links, crawler.Link{URL: mustURL(fmt.Sprintf("http://h%d.test/%d", h, n))})
		}
	}
	links = append(links, crawler.Link{URL: mustURL(fmt.Sprintf("http://%s/0", webHost(h+1)))})
	if p == 5 { // a long way round to a page that is near elsewhere
		links = append(links, crawler.Link{URL: mustURL(fmt.Sprintf("http://%s/2", webHost(h+1)))})
	}
	return schedulertest.Fetched(u.String()), links
}

// user does something to the job.
func (w *web) user() {
	yes, no := true, false
	c := crawler.Change{}
	switch w.rng.IntN(7) {
	case 0:
		c.Pause = &yes
	case 1, 2:
		c.Pause = &no
	case 3:
		c.Settings = settings("depth", w.rng.IntN(4)-1)
	case 4:
		c.Settings = settings("max-per-host", w.rng.IntN(6))
	case 5:
		w.seed(1, w.rng.IntN(2) == 0)
		return
	case 6:
		w.s.Stop()
		w.step(gathered{tick: true})
		return
	}
	if w.rng.IntN(10) == 0 {
		w.led.Refuse = errDied
	}
	refused, err := w.s.change(w.t.Context(), &c)
	w.led.Refuse = nil
	if refused != nil {
		w.t.Fatal(refused)
	}
	if err != nil {
		w.ends++
		w.start()
	}
}

func (w *web) seed(n int, last bool) {
	var seeds []Seed
	for range n {
		u := fmt.Sprintf("http://%s/0", webHost(w.rng.IntN(webHosts)))
		seeds = append(seeds, Seed{URL: mustURL(u), Text: u})
	}
	w.step(seeding(last, seeds...))
}

// act does one random thing.
func (w *web) act() {
	switch n := w.rng.IntN(100); {
	case n < 30:
		w.take()
	case n < 70 && len(w.turns) > 0:
		w.work(w.turns[w.rng.IntN(len(w.turns))])
	case n < 85:
		w.settle()
	case n < 92:
		time.Sleep(time.Duration(w.rng.IntN(1500)) * time.Millisecond)
		w.tell()
		w.step(gathered{tick: true})
	case n < 94 && !w.calm && len(w.turns) > 0: // a fetcher dies
		w.drop(w.turns[w.rng.IntN(len(w.turns))])
	case n < 95 && !w.calm:
		time.Sleep(time.Duration(w.rng.IntN(40)) * time.Second)
	case n < 98 && !w.calm:
		w.user()
	case n < 99 && w.s.stopping:
		w.start()
	}
}

// finish lifts every limit and lets the crawl come to its end.
func (w *web) finish() {
	w.calm, w.q.Lossy = true, false
	w.start()
	if refused, err := w.s.change(w.t.Context(), &crawler.Change{Pause: new(false), Settings: settings("depth", -1, "max-per-host", 0)}); refused != nil || err != nil {
		w.t.Fatal(refused, err)
	}
	var seeds []Seed
	for i := range webHosts {
		u := fmt.Sprintf("http://%s/0", webHost(i))
		seeds = append(seeds, Seed{URL: mustURL(u), Text: u})
	}
	w.step(seeding(true, seeds...))
	for begin := time.Now(); !w.s.core.state.over(); {
		if time.Since(begin) > 6*time.Hour {
			w.t.Fatalf("not done after %v: %+v, work %+v, %d turns", time.Since(begin), w.led.State.Tallies.Counts, w.led.State.Work, len(w.led.Turns))
		}
		w.act()
	}
}

// check looks at what is there at the end.
func (w *web) check() {
	gone := map[weburl.Host]bool{} // given up without one answer
	for name, h := range w.led.AllHosts {
		if gone[name] = h.GivenUp != ""; gone[name] && h.Answered != 0 {
			w.wrong = append(w.wrong, fmt.Sprintf("%s is given up, and had answered", name))
		}
	}
	for _, r := range w.led.AllRows {
		var h, p int
		if gone[r.URL.Host()] && r.Outcome == crawler.Failed {
			continue
		}
		fmt.Sscanf(r.URL.String(), "http://h%d.test/%d", &h, &p)
		switch {
		case !r.Outcome.Final():
			w.wrong = append(w.wrong, fmt.Sprintf("%s is %v at the end", r.URL, r.Outcome))
		case r.Status == 299:
			w.wrong = append(w.wrong, fmt.Sprintf("%s has the result of somebody else", r.URL))
		case p%5 == 4 != (r.Outcome == crawler.Failed) && r.Reason != crawler.ReasonLost:
			w.wrong = append(w.wrong, fmt.Sprintf("%s ended as %v %s (%s)", r.URL, r.Outcome, r.Reason, r.Detail))
		}
	}
	for i := range webHosts {
		for p := range 12 {
			if parent := (p - 1) / 2; p == 0 || parent%5 != 4 {
				u := mustURL(fmt.Sprintf("http://%s/%d", webHost(i), p))
				if w.led.AllRows[u.Key()] == nil && !gone[u.Host()] {
					w.wrong = append(w.wrong, fmt.Sprintf("%s was never admitted", u))
				}
			}
		}
	}
	for name, n := range w.led.AllErrands {
		if len(n) > 0 {
			w.wrong = append(w.wrong, fmt.Sprintf("%d errands are left at %s", len(n), name))
		}
	}
	w.wrong = append(w.wrong, w.fair.unfair...)
	for i, what := range w.wrong {
		if i == 5 {
			w.t.Errorf("and %d more", len(w.wrong)-i)
			break
		}
		w.t.Error(what)
	}
}

func TestACrawlOfAWebThatPlaysEveryTrick(t *testing.T) {
	for seed := range uint64(12) {
		if raced && seed >= 2 {
			break
		}
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWeb(t, seed)
				w.seed(3, false)
				for range 3000 {
					w.act()
				}
				w.finish()
				w.check()
				t.Logf("%d ends of the process, %d commits, %d lapses, %d late parts, %d turns without a network, hub asked %d times", w.ends, w.led.Commits,
					w.led.State.Tallies.Lapses, w.led.State.Tallies.LateParts, w.silences, w.asks["http://h0.test/shared.txt"])
			})
		})
	}
}
