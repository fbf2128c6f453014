package trawl_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/scheduler"
	"trawl/storage/ledger"
	"trawl/storage/ledger/format"
)

// paper is everything around a scheduler without a network: queues, fetchers, a web, bodies and a reader of rows.
type paper struct {
	t   *testing.T
	l   *ledger.Ledger
	mu  sync.Mutex
	rng *rand.Rand
	log []crawler.LoggedPart

	tasks     []crawler.Task
	delivered uint64
}

func (p *paper) Offer(_ context.Context, tasks []crawler.Task) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tasks = append(p.tasks, tasks...)
	return nil
}

func (p *paper) Queued(context.Context) (int, error) { return 0, nil }

func (p *paper) Read(ctx context.Context, after uint64, most int) ([]crawler.LoggedPart, error) {
	for ctx.Err() == nil {
		p.mu.Lock()
		out := slices.Clone(p.log[after:min(int(after)+most, len(p.log))])
		p.mu.Unlock()
		if len(out) > 0 {
			return out, nil
		}
		pause(ctx, time.Millisecond)
	}
	return nil, ctx.Err()
}

func (p *paper) Last(context.Context) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return uint64(len(p.log)), nil
}

func (p *paper) Purge(context.Context, uint64) error { return nil }

func (p *paper) Final(first uint64, rows []*crawler.Row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delivered = first + uint64(len(rows)) - 1
}
func (p *paper) Full() bool { return false }
func (p *paper) Delivered() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delivered
}

func (p *paper) Place(context.Context, weburl.URL, crawler.Digest, int64, string) error { return nil }
func (p *paper) Link(context.Context, string, string) error                             { return nil }
func (p *paper) Sync() error                                                            { return nil }

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// fetch works on turns until the context ends; of some it never says anything.
func (p *paper) fetch(ctx context.Context, s *scheduler.Scheduler) {
	for ctx.Err() == nil {
		p.mu.Lock()
		var task crawler.Task
		if len(p.tasks) > 0 {
			task, p.tasks = p.tasks[0], p.tasks[1:]
		}
		silent := p.rng.IntN(10) == 0
		p.mu.Unlock()
		a := crawler.Ask{Turn: task.Turn, Host: task.Host, Fetcher: "f", Holder: crawler.HolderID{1}}
		if task.Turn.IsZero() {
			pause(ctx, time.Millisecond)
		} else if answer, err := s.Ask(ctx, a); err == nil && answer.Verdict == crawler.Granted && !silent {
			p.report(task, a)
		}
	}
}

// report sends the parts of a turn.
func (p *paper) report(task crawler.Task, a crawler.Ask) {
	p.mu.Lock()
	defer p.mu.Unlock()
	part := crawler.Part{Turn: task.Turn, Holder: a.Holder, Host: task.Host, Fetcher: "f", Number: 1, End: true}
	robots := crawler.RobotsFile{Scheme: "http", Status: crawler.RobotsRules}
	if p.rng.IntN(3) == 0 {
		robots.Status, robots.Hop = crawler.RobotsElsewhere, crawler.RobotsHop{For: task.Host, Scheme: "http", URL: weburl.MustParse("http://hub.test/robots.txt"), Count: 1}
	}
	part.State = crawler.HostReport{Requests: 1, Robots: []crawler.RobotsFile{robots}, Dropped: map[string]int64{crawler.DropScope: 1}}
	part.State.Cookies = []session.CookieChange{{Cookie: session.Cookie{Name: "n", Value: fmt.Sprint(p.rng.IntN(9)), Domain: string(task.Host), Path: "/", By: task.Host}}}
	for _, e := range task.Errands {
		part.State.Hops = append(part.State.Hops, crawler.RobotsAnswer{Hop: e, File: crawler.RobotsFile{Scheme: "http", Status: crawler.RobotsRules}})
	}
	for _, u := range task.URLs {
		part.Results = append(part.Results, p.result(u.URL, &part))
	}
	p.log = append(p.log, crawler.LoggedPart{Position: uint64(len(p.log)) + 1, Part: part})
}

// result is how a fetch ends: mostly well, with links.
func (p *paper) result(u weburl.URL, part *crawler.Part) crawler.Result {
	r := crawler.Result{URL: u, Outcome: crawler.Fetched, Status: 200, Bytes: 9, Digest: crawler.Digest{1}}
	link := func(kind crawler.LinkKind) weburl.URL {
		to := weburl.MustParse(fmt.Sprintf("http://h%d.test/%d", p.rng.IntN(6), p.rng.IntN(40)))
		part.Links = append(part.Links, crawler.PageLinks{Page: u, Links: []crawler.Link{{URL: to, Kind: kind}}})
		return to
	}
	switch p.rng.IntN(6) {
	case 0:
		r = crawler.Result{URL: u, Outcome: crawler.Failed, Reason: crawler.ReasonHTTPStatus, Status: 500}
	case 1:
		r = crawler.Result{URL: u, Outcome: crawler.Redirected, Status: 301, RedirectTo: link(crawler.LinkRedirect)}
	default:
		r.Archive = crawler.Locator{File: crawler.BodyName(u, r.Digest), Length: 9}
		link(crawler.LinkPage)
		link(crawler.LinkPage)
	}
	return r
}

// live runs the scheduler for a while, and steers it meanwhile.
func (p *paper) live(job crawler.Job, seeds []scheduler.Seed, again *crawler.Reason, change crawler.Change) {
	p.t.Helper()
	o := scheduler.Options{Job: job, Ledger: p.l, Tasks: p, Results: p, Stream: p, LocalFetcher: "f", Names: p.l, Bodies: p, RetryFailed: again}
	o.Private = session.Private{Logins: []session.Login{{Host: "h0.test", Scheme: "http", Credentials: "me:pw"}}}
	s, err := scheduler.New(p.t.Context(), o)
	if err != nil {
		p.t.Fatal(err)
	}
	s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 4}})
	ctx, end := context.WithCancel(p.t.Context())
	defer end()
	var all sync.WaitGroup
	all.Go(func() {
		if err := s.Run(ctx); err != nil {
			p.t.Error(err)
		}
	})
	all.Go(func() { p.fetch(ctx, s) })
	if err := s.Seed(ctx, seeds, true); err != nil {
		p.t.Error(err)
	}
	p.parts(s, 15)
	if err := s.Change(ctx, change); err != nil {
		p.t.Error(err)
	}
	if change.Pause == nil || !*change.Pause {
		p.parts(s, 30)
	}
	end()
	all.Wait()
}

// parts waits for so many more parts, or the end of the job.
func (p *paper) parts(s *scheduler.Scheduler, n int) {
	p.mu.Lock()
	want := len(p.log) + n
	p.mu.Unlock()
	for {
		p.mu.Lock()
		have := len(p.log)
		p.mu.Unlock()
		select {
		case <-s.Done():
			return
		case <-p.t.Context().Done():
			return
		case <-time.After(time.Millisecond):
		}
		if have >= want {
			return
		}
	}
}

func (p *paper) open(o ledger.Options) {
	p.t.Helper()
	var err error
	if p.l, err = ledger.Open("ledger", o); err != nil {
		p.t.Fatal(err)
	}
}

// lost are some final rows, as if their records were gone, and the robots files of one host.
func (p *paper) lost() (lost scheduler.Lost) {
	lost.Robots = map[weburl.Host][]string{"h0.test": {"http"}}
	for r, err := range p.l.All() {
		if err != nil {
			p.t.Fatal(err)
		}
		if r.Outcome.Final() && len(lost.Rows) < 5 {
			lost.Rows = append(lost.Rows, r.Key())
		}
	}
	return lost
}

func allKeys(t *testing.T, l *ledger.Ledger) (keys []string) {
	t.Helper()
	if err := l.EachKey(func(key, value []byte) error { keys = append(keys, fmt.Sprintf("%x = %x", key, value)); return nil }); err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestTheRecordsOfACrawlMakeItsLedgerAgain: whatever writes the ledger (a crawl with retries, lapses and errands, changes, recounts,
// URLs taken up again, repairs, a restore, starts and ends) goes through the one door, so a replica that applies the records is equal.
func TestTheRecordsOfACrawlMakeItsLedgerAgain(t *testing.T) {
	for _, kind := range []crawler.Kind{crawler.Crawl, crawler.Download} {
		t.Run(string(kind), func(t *testing.T) {
			var records []format.Record
			o := ledger.Options{FS: vfs.NewMem(), Records: func(r format.Record) { records = append(records, slices.Clone(r)) }}
			p := &paper{t: t, rng: rand.New(rand.NewPCG(1, 2))}
			job := crawler.NewJob(kind)
			job.Scope, job.Archive, job.Delay, job.Depth = crawler.ScopeAny, crawler.ArchiveFiles, 0, 3
			job.Lease, job.Renew, job.Grace, job.Retry.Base = 200*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond, time.Millisecond
			var seeds []scheduler.Seed
			for i := range 40 {
				u := weburl.MustParse(fmt.Sprintf("http://h%d.test/%d", i%6, i))
				seeds = append(seeds, scheduler.Seed{URL: u, Text: u.String(), Credentials: "a:b"})
			}
			paused := true
			for life, change := range []crawler.Change{{Settings: map[string]string{"max-per-host": "1"}}, {Settings: map[string]string{"depth": "1"}}, {Pause: new(bool)}, {Pause: &paused}} {
				p.open(o)
				var again *crawler.Reason
				if life == 2 {
					again = new(crawler.Reason)
					_, err := scheduler.Repair(t.Context(), p.l, p.lost())
					if err := errors.Join(err, p.l.Restored(time.Now())); err != nil {
						t.Fatal(err)
					}
				}
				p.live(job, seeds, again, change)
				if life < 3 {
					if err := p.l.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
			defer p.l.Close()
			replica, err := ledger.Open("replica", ledger.Options{FS: vfs.NewMem()})
			if err != nil {
				t.Fatal(err)
			}
			defer replica.Close()
			for _, r := range records {
				if err := replica.Apply(r); err != nil {
					t.Fatal(err)
				}
			}
			want, got := allKeys(t, p.l), allKeys(t, replica)
			for i := range want {
				if i >= len(got) || got[i] != want[i] {
					t.Fatalf("of %d and %d keys the one at %d differs: %s", len(want), len(got), i, want[i])
				}
			}
			if b, err := replica.Verify(t.Context()); err != nil || !b.OK() || len(got) > len(want) {
				t.Errorf("%d keys, the replica has %d, %v %v", len(want), len(got), b.Differences, err)
			}
			t.Logf("%d records, %d keys", len(records), len(want))
		})
	}
}
