package fetcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/download"
	"trawl/fetcher/fetchertest"
	"trawl/fetcher/lease"
)

var (
	testLife = crawler.Life{1}
	testTurn = crawler.TurnID{2}
)

// world is everything around a fetcher, in memory: scheduler, queues, archive and one host. Its functions
// may be replaced before run; they are called without the lock.
type world struct {
	t testing.TB

	answer func(n int, ask crawler.Ask) (crawler.Answer, error) // n counts asks from 1 on
	notice func() (crawler.JobNotice, error)
	send   func(p *crawler.Part) error
	sync   func() error
	page   func(ctx context.Context, u download.Page) download.Finding // besides robots.txt
	robots func(ctx context.Context, u weburl.URL) download.Finding
	took   time.Duration // of an exchange, from the request on

	connects time.Duration             // before each request
	heads    map[string]crawler.Result // heads of answers, which come at once, by URL

	tasks chan crawler.Delivery
	job   crawler.Job

	mu       sync.Mutex
	began    time.Time
	events   []event
	asks     []crawler.Ask
	parts    []crawler.Part
	flying   int
	mostFly  int
	requests []servedRequest
}

// event is something that happened, at a time since the start.
type event struct {
	what string
	at   time.Duration
}

type servedRequest struct {
	url        string
	start, end time.Duration
	cut        bool
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, tasks: make(chan crawler.Delivery, 100), job: crawler.NewJob(crawler.Crawl), began: time.Now()}
	w.job.IgnoreRobots = true
	w.took = 10 * time.Millisecond
	w.answer = func(int, crawler.Ask) (crawler.Answer, error) { return w.grant(), nil }
	w.notice = func() (crawler.JobNotice, error) { return crawler.JobNotice{Job: w.job, Life: testLife}, nil }
	w.send = func(*crawler.Part) error { return nil }
	w.sync = func() error { return nil }
	w.page = func(context.Context, download.Page) download.Finding { return download.Finding{} }
	w.robots = func(context.Context, weburl.URL) download.Finding { return answered(404, "") }
	return w
}

// grant is an answer with the job's settings.
func (w *world) grant() crawler.Answer {
	return crawler.Answer{
		Verdict: crawler.Granted, Life: testLife, Lease: w.job.Lease,
		Delay: w.job.Delay, Connections: w.job.PerHost,
	}
}

// answered is what came of a robots.txt, or of a page.
func answered(status int, body string) download.Finding {
	f := download.Finding{Text: []byte(body)}
	f.Result.Status = status
	if status >= 300 {
		f.Result.Outcome, f.Result.Reason = crawler.Failed, crawler.ReasonHTTPStatus
	}
	return f
}

func moved(t testing.TB, to string) download.Finding {
	f := download.Finding{}
	f.Result.Status, f.Result.Outcome, f.Result.RedirectTo = 301, crawler.Redirected, fetchertest.MustURL(t, to)
	return f
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, event{fmt.Sprintf(format, args...), time.Since(w.began)})
}

// happened lists the events whose text begins with one of the prefixes.
func (w *world) happened(prefixes ...string) []event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []event
	for _, e := range w.events {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(e.what, p) }) {
			out = append(out, e)
		}
	}
	return out
}

func (w *world) words(prefixes ...string) string {
	var words []string
	for _, e := range w.happened(prefixes...) {
		words = append(words, e.what)
	}
	return strings.Join(words, ", ")
}

func (w *world) asked() []servedRequest {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.requests)
}

func (w *world) sentParts() []crawler.Part {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.parts)
}

// results of all parts that were stored, by URL.
func (w *world) results() map[string]crawler.Result {
	m := make(map[string]crawler.Result)
	for _, p := range w.sentParts() {
		for _, r := range p.Results {
			if _, twice := m[r.URL.String()]; twice {
				w.t.Errorf("%v is reported twice", r.URL)
			}
			m[r.URL.String()] = r
		}
	}
	return m
}

func (w *world) Next(ctx context.Context) (crawler.Delivery, error) {
	select {
	case d, ok := <-w.tasks:
		if !ok {
			return d, errors.New("the queue is gone")
		}
		w.note("take")
		return d, nil
	case <-ctx.Done():
		return crawler.Delivery{}, ctx.Err()
	}
}

func (w *world) Ask(ctx context.Context, ask crawler.Ask) (crawler.Answer, error) {
	w.mu.Lock()
	w.asks = append(w.asks, ask)
	n := len(w.asks)
	w.mu.Unlock()
	w.note("ask %d", n)
	a, err := w.answer(n, ask)
	w.note("answer %d", n)
	return a, err
}

func (w *world) Notice(context.Context) (crawler.JobNotice, error) {
	w.note("notice")
	return w.notice()
}

func (w *world) Send(ctx context.Context, p *crawler.Part) error {
	w.note("send %d", p.Number)
	if err := w.send(p); err != nil {
		return err
	}
	w.mu.Lock()
	w.parts = append(w.parts, *p)
	w.mu.Unlock()
	w.note("stored %d", p.Number)
	return nil
}

func (w *world) Put(context.Context, *crawler.Exchange) (crawler.Locator, error) {
	return crawler.Locator{}, nil
}

func (w *world) Sync(context.Context) error {
	w.note("sync")
	return w.sync()
}

// fakeSite answers without any network.
type fakeSite struct {
	w     *world
	lease *lease.Lease
}

func (s *fakeSite) lane() lanePages    { return fakeLane{s} }
func (s *fakeSite) Lapse()             {}
func (s *fakeSite) Learned() []string  { return nil }
func (s *fakeSite) Rest(time.Duration) { s.w.note("rest") }

func (s *fakeSite) Close(ordered bool) { s.w.note("close %v", ordered) }

type fakeLane struct{ site *fakeSite }

func (b fakeLane) Close() {}

func (b fakeLane) Page(ctx context.Context, p download.Page, l download.Permit) download.Finding {
	return b.do(ctx, p.URL, l, func() download.Finding { return b.site.w.page(ctx, p) })
}

func (b fakeLane) Robots(ctx context.Context, u weburl.URL, l download.Permit) download.Finding {
	return b.do(ctx, u, l, func() download.Finding { return b.site.w.robots(ctx, u) })
}

func (b fakeLane) do(ctx context.Context, u weburl.URL, l download.Permit, answer func() download.Finding) download.Finding {
	w := b.site.w
	connecting := pause(ctx, w.connects)
	if connecting != nil || !l.Valid() {
		return download.Finding{Verdict: download.CutOff}
	}
	if b.site.lease.Over(time.Now()) {
		w.t.Errorf("%v is asked for without a right, at %v", u, time.Since(w.began))
	}
	w.mu.Lock()
	w.flying++
	w.mostFly = max(w.mostFly, w.flying)
	i := len(w.requests)
	w.requests = append(w.requests, servedRequest{url: u.String(), start: time.Since(w.began)})
	w.mu.Unlock()
	l.Wrote()
	if r, ok := w.heads[u.String()]; ok {
		l.Heard(&r)
	}
	err := pause(ctx, w.took)
	f := answer()
	if f.Sent = true; err != nil || ctx.Err() != nil || b.site.lease.Over(time.Now()) {
		f.Verdict = download.CutOff
	}
	f.Result.URL = u
	if f.Result.Outcome == crawler.Waiting {
		f.Result.Outcome, f.Result.Status = crawler.Fetched, 200
	}
	f.Result.Duration = w.took
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flying--
	w.requests[i].end, w.requests[i].cut = time.Since(w.began), f.Verdict.NoResult()
	return f
}

// fetcher makes a fetcher that lives in the world.
func (w *world) fetcher(set func(*Options)) *Fetcher {
	w.t.Helper()
	o := Options{
		Name: "f1", Workers: 4, Tasks: w, Scheduler: w, Reports: w, Archive: w,
		SpoolDir: w.t.TempDir(), Logger: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
		Step: func(step string) { w.note("step %s", step) },
	}
	if set != nil {
		set(&o)
	}
	f, err := New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	f.margin = 0
	f.open = func(o download.SiteOptions) site { return &fakeSite{w: w, lease: o.Lease} }
	return f
}

// task offers a turn with URLs of the host a.test.
func (w *world) task(urls ...string) crawler.Task {
	w.t.Helper()
	task := crawler.Task{Turn: testTurn, Host: "a.test"}
	for _, u := range urls {
		task.URLs = append(task.URLs, crawler.TaskURL{URL: fetchertest.MustURL(w.t, u)})
	}
	w.offer(task)
	return task
}

func (w *world) offer(task crawler.Task) {
	w.tasks <- crawler.Delivery{Task: task, Ack: func() { w.note("ack") }}
}

// turn runs a fetcher until the turn on offer is over, which is when its site is closed, or for at most
// limit; then it is stopped.
func (w *world) turn(limit time.Duration) {
	w.t.Helper()
	w.run(limit, func() bool { return len(w.happened("close")) > 0 })
}

// run runs a fetcher until enough says so, or for at most limit. It looks ten times a second.
func (w *world) run(limit time.Duration, enough func() bool) error {
	f := w.fetcher(nil)
	ctx, stop := context.WithTimeout(w.t.Context(), limit)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-ticker.C:
			if enough() {
				stop()
			}
		}
	}
}

// pages makes n URLs of a.test.
func pages(n int) []string {
	urls := make([]string, n)
	for i := range urls {
		urls[i] = fmt.Sprintf("http://a.test/%d", i)
	}
	return urls
}

// gaps checks that requests that do not overlap are at least gap apart, from the end of one to the start
// of the next.
func (w *world) checkGaps(gap time.Duration) {
	w.t.Helper()
	rs := w.asked()
	for i := 1; i < len(rs); i++ {
		if got := rs[i].start - rs[i-1].end; got < gap {
			w.t.Errorf("%s starts %v after the end of %s, want at least %v", rs[i].url, got, rs[i-1].url, gap)
		}
	}
}
