package core

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/settingtest"
	"trawl/scheduler/schedulertest"
)

// desk drives a scheduler's loop by hand, one step at a time, in virtual time.
type desk struct {
	t       *testing.T
	s       *shell
	led     *schedulertest.Ledger
	q       *schedulertest.Queues
	pos     uint64
	out     []crawler.Task
	answers []crawler.Answer // of the newest step
}

func newDesk(t *testing.T, job crawler.Job, led *schedulertest.Ledger) *desk {
	t.Helper()
	q := schedulertest.NewQueues(1)
	s, err := newShell(t.Context(), shellOptions{Job: job, Ledger: led, Tasks: q, Results: q})
	if err != nil {
		t.Fatal(err)
	}
	s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 100}})
	return &desk{t: t, s: s, led: led, q: q, pos: led.State.Position}
}

// step makes one step and keeps the turns that it offered.
func (d *desk) step(e gathered) {
	d.t.Helper()
	out, err := d.s.runStep(d.t.Context(), &e)
	if err != nil {
		d.t.Fatal(err)
	}
	d.out, d.answers = append(d.out, out.Tasks...), out.Answers
	if d.led.Broken != nil {
		d.t.Fatalf("the ledger does not balance: %v", d.led.Broken)
	}
}

func (d *desk) seed(urls ...string) {
	d.t.Helper()
	var seeds []Seed
	for _, u := range urls {
		seeds = append(seeds, Seed{URL: mustURL(u), Text: u})
	}
	d.s.core.state.decided = false // these are those of a start
	d.step(seeding(true, seeds...))
	d.step(gathered{})
}

// take hands out the oldest offered turn.
func (d *desk) take() crawler.Task {
	d.t.Helper()
	if len(d.out) == 0 {
		d.step(gathered{})
	}
	if len(d.out) == 0 {
		d.t.Fatal("no turn is offered")
	}
	task := d.out[0]
	d.out = d.out[1:]
	return task
}

func (d *desk) ask(task crawler.Task, holder byte) crawler.Answer {
	d.t.Helper()
	d.step(gathered{asks: []crawler.Ask{crawler.Ask{Turn: task.Turn, Host: task.Host, Holder: crawler.HolderID{holder}, Fetcher: "f"}}})
	return d.answers[0]
}

func (d *desk) part(task crawler.Task, holder byte, number int, fill func(*crawler.Part)) {
	d.t.Helper()
	p := schedulertest.PartOf(&task, holder, number, fill)
	d.pos++
	d.q.Log = append(d.q.Log, crawler.LoggedPart{Position: d.pos, Part: p})
	d.step(gathered{parts: []crawler.LoggedPart{{Position: d.pos, Part: p}}})
	d.step(gathered{})
}

// pass lets time go by, with the loop looking as often as ever.
func (d *desk) pass(t time.Duration) {
	d.t.Helper()
	for range t / time.Second {
		time.Sleep(time.Second)
		d.step(gathered{tick: true})
	}
}

func (d *desk) row(url string) *crawler.Row {
	d.t.Helper()
	r := d.led.AllRows[mustURL(url).Key()]
	if r == nil {
		d.t.Fatalf("no row for %s", url)
	}
	return r
}

func failed(url string, why crawler.Reason, status int) crawler.Result {
	return crawler.Result{URL: mustURL(url), Outcome: crawler.Failed, Reason: why, Status: status}
}

func inBubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func TestGrant(t *testing.T) {
	inBubble(t, "the first to ask holds the turn, and only that take of it", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		if a := d.ask(task, 1); a.Verdict != crawler.Granted || a.Lease != 15*time.Second {
			t.Fatalf("first ask: %+v", a)
		}
		if a := d.ask(task, 2); a.Verdict != crawler.Refused {
			t.Errorf("another take of the same turn: %+v", a)
		}
		if a := d.ask(task, 1); a.Verdict != crawler.Granted {
			t.Errorf("renewal: %+v", a)
		}
		other := task
		other.Turn[0]++
		if a := d.ask(other, 1); a.Verdict != crawler.Refused {
			t.Errorf("a turn that does not exist: %+v", a)
		}
	})
	inBubble(t, "an ask after the end hears that the job is over", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Results, p.End = []crawler.Result{schedulertest.Fetched("http://a.test/")}, true
		})
		if a := d.ask(task, 1); a.Verdict != crawler.Over {
			t.Errorf("got %+v", a)
		}
	})
	inBubble(t, "the wait of a grant is what is left of the host's clock", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/", "http://a.test/2")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) { p.Wait = 3 * time.Second })
		if a := d.ask(task, 1); a.Wait != 3*time.Second {
			t.Errorf("wait %v, want 3s", a.Wait)
		}
	})
}

func TestSettle(t *testing.T) {
	inBubble(t, "a part after a gap is dropped whole, and so are those that follow", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/", "http://a.test/2")
		task := d.take()
		d.ask(task, 1)
		for n := 2; n <= 3; n++ {
			d.part(task, 1, n, func(p *crawler.Part) { p.Results = []crawler.Result{schedulertest.Fetched("http://a.test/")} })
		}
		if got := d.row("http://a.test/").Outcome; got != crawler.Waiting {
			t.Errorf("outcome %v, want waiting", got)
		}
		if got := d.led.State.Tallies.LateParts; got != 2 {
			t.Errorf("%d late parts, want 2", got)
		}
	})
	inBubble(t, "the same part twice counts once", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/", "http://a.test/2")
		task := d.take()
		d.ask(task, 1)
		for range 2 {
			d.part(task, 1, 1, func(p *crawler.Part) { p.Results = []crawler.Result{schedulertest.Fetched("http://a.test/")} })
		}
		if r := d.row("http://a.test/"); r.Attempts != 1 || d.led.State.Tallies.LateParts != 1 {
			t.Errorf("%d attempts, %d late parts", r.Attempts, d.led.State.Tallies.LateParts)
		}
	})
	inBubble(t, "a result for a URL that the turn does not lease changes nothing", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/", "http://b.test/")
		task := d.take()
		d.ask(task, 1)
		other := "http://b.test/"
		if task.Host == "b.test" {
			other = "http://a.test/"
		}
		d.part(task, 1, 1, func(p *crawler.Part) { p.Results = []crawler.Result{schedulertest.Fetched(other)} })
		if got := d.row(other).Outcome; got != crawler.Waiting {
			t.Errorf("outcome %v, want waiting", got)
		}
	})
	inBubble(t, "links of a page are admitted once, within scope, with depth, via and seed", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		links := []crawler.Link{{URL: mustURL("http://a.test/x")}, {URL: mustURL("http://a.test/x")}, {URL: mustURL("http://a.test/")}, {URL: mustURL("http://b.test/")}}
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Links = []crawler.PageLinks{{Page: mustURL("http://a.test/"), Links: links}}
			p.Results, p.End = []crawler.Result{schedulertest.Fetched("http://a.test/")}, true
		})
		r := d.row("http://a.test/x")
		if r.Depth != 1 || r.Via != "http://a.test/" || r.Seed != "http://a.test/" {
			t.Errorf("got %+v", r)
		}
		if got := d.led.State.Tallies; got.Seen() != 2 || got.Dropped[crawler.DropScope] != 1 {
			t.Errorf("seen %d, dropped %v", got.Seen(), got.Dropped)
		}
	})
	inBubble(t, "where a seed's redirect ends belongs to the scope, at the seed's depth", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			to := mustURL("https://other.test/home")
			p.Links = []crawler.PageLinks{{Page: mustURL("http://a.test/"), Links: []crawler.Link{{URL: to, Kind: crawler.LinkRedirect}}}}
			p.Results = []crawler.Result{{URL: mustURL("http://a.test/"), Outcome: crawler.Redirected, Status: 301, RedirectTo: to}}
			p.End = true
		})
		if r := d.row("https://other.test/home"); r.Depth != 0 || r.Redirects != 1 || !r.IsSeed {
			t.Errorf("got %+v", r)
		}
		if got := d.led.ScopeSeeds(); len(got) != 1 {
			t.Errorf("scope %v before it is known whether they end there", got)
		}
		d.answeredPage(d.takeAt("other.test"))
		if got := d.led.ScopeSeeds(); len(got) != 2 {
			t.Errorf("scope %v, want two hosts", got)
		}
	})
}

func TestRetry(t *testing.T) {
	inBubble(t, "a failed fetch is tried again after its back-off and fails in the end", func(t *testing.T) {
		job := schedulertest.Job()
		job.Retry.Retries = 2
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed("http://a.test/")
		for try := 1; try <= 3; try++ {
			task := d.take()
			d.ask(task, 1)
			d.part(task, 1, 1, func(p *crawler.Part) {
				p.Results, p.End = []crawler.Result{failed("http://a.test/", crawler.ReasonHTTPStatus, 500)}, true
			})
			r := d.row("http://a.test/")
			if r.Attempts != try {
				t.Fatalf("%d attempts after try %d", r.Attempts, try)
			}
			if try < 3 {
				if r.Outcome != crawler.Waiting || r.Reason != crawler.ReasonRetry || !r.RetryAt.After(d.s.clock.now()) {
					t.Fatalf("after try %d: %+v", try, r)
				}
				if len(d.out) > 0 {
					t.Fatal("offered before the back-off was over")
				}
				time.Sleep(r.RetryAt.Sub(d.s.clock.now()))
			}
		}
		if r := d.row("http://a.test/"); r.Outcome != crawler.Failed || r.Reason != crawler.ReasonHTTPStatus {
			t.Errorf("in the end: %+v", r)
		}
	})
	inBubble(t, "a try that brought the kept body on begins the count anew", func(t *testing.T) {
		job := schedulertest.Job()
		job.Retry.Retries = 1
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed("http://a.test/")
		for try := 1; try <= 7; try++ {
			d.until(time.Hour)
			d.turn(first(func(u string) crawler.Result {
				r := failed(u, crawler.ReasonReset, 200)
				r.Bytes, r.Progress = 1<<20, try <= 5
				return r
			}))
			r := d.row("http://a.test/")
			if want := max(1, try-4); r.Attempts != try || r.Tries != want || (r.Outcome == crawler.Failed) != (want > 1) {
				t.Fatalf("after try %d: %d attempts, %d tries, %v", try, r.Attempts, r.Tries, r.Outcome)
			}
			if r.Outcome == crawler.Failed {
				break
			}
		}
	})
	inBubble(t, "404 is final at once", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Results, p.End = []crawler.Result{failed("http://a.test/", crawler.ReasonHTTPStatus, 404)}, true
		})
		if r := d.row("http://a.test/"); r.Outcome != crawler.Failed {
			t.Errorf("got %+v", r)
		}
	})
}

func TestLapse(t *testing.T) {
	inBubble(t, "a turn lapses after lease and grace, its URLs wait and the host keeps its delay", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		d.ask(d.take(), 1)
		d.pass(20 * time.Second)
		if len(d.led.Turns) != 1 {
			t.Fatal("lapsed before lease and grace were over")
		}
		d.pass(time.Second)
		if len(d.led.Turns) != 0 || d.row("http://a.test/").Lapses != 1 {
			t.Fatal("did not lapse")
		}
		if wait := d.led.AllHosts["a.test"].Next.Sub(d.s.clock.now()); wait < time.Second {
			t.Errorf("may be asked in %v, want the delay at least", wait)
		}
	})
	inBubble(t, "a turn does not lapse before what was stored of it is settled", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		p := crawler.Part{Turn: task.Turn, Host: task.Host, Holder: crawler.HolderID{1}, Number: 1, End: true, Results: []crawler.Result{schedulertest.Fetched("http://a.test/")}}
		d.q.Log = append(d.q.Log, crawler.LoggedPart{Position: 1, Part: p}) // stored, and not read yet
		d.pass(time.Minute)
		if len(d.led.Turns) != 1 {
			t.Fatal("lapsed though a part lay in the queue")
		}
		d.step(gathered{parts: []crawler.LoggedPart{{Position: 1, Part: p}}})
		if d.row("http://a.test/").Outcome != crawler.Fetched || d.led.State.Tallies.Lapses != 0 {
			t.Error("the work was thrown away")
		}
	})
	inBubble(t, "a turn outlives a scheduler that stood still, once", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		time.Sleep(time.Hour)
		d.step(gathered{tick: true})
		d.pass(19 * time.Second)
		if len(d.led.Turns) != 1 {
			t.Fatal("lapsed before its holder had the time to ask")
		}
		if a := d.ask(task, 1); a.Verdict != crawler.Granted {
			t.Fatalf("its holder hears %+v", a)
		}
		for range 4 {
			time.Sleep(10 * time.Second)
			d.step(gathered{tick: true})
		}
		if len(d.led.Turns) != 0 {
			t.Error("a turn of a dead fetcher is spared for as long as the scheduler is slow")
		}
	})
	inBubble(t, "a URL that is lost ten times fails, after turns of its own", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/1", "http://a.test/2")
		alone := 0
		for len(d.led.Turns) > 0 || len(d.out) > 0 {
			task := d.take()
			if len(task.URLs) == 1 {
				alone++
			}
			d.ask(task, 1)
			d.pass(time.Minute)
			time.Sleep(2 * time.Second)
			d.step(gathered{})
		}
		if r := d.row("http://a.test/1"); r.Outcome != crawler.Failed || r.Reason != crawler.ReasonLost {
			t.Errorf("got %+v", r)
		}
		if alone != 10 {
			t.Errorf("%d turns of one URL, want 10", alone)
		}
	})
}

func TestStart(t *testing.T) {
	inBubble(t, "a host that was asked before is not asked before start and delay", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/1", "http://a.test/2")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Results, p.End = []crawler.Result{schedulertest.Fetched("http://a.test/1")}, true
		})
		d = newDesk(t, schedulertest.Job(), led) // a start after a crash
		d.step(gathered{})
		if len(d.out) > 0 {
			t.Fatal("offered at once")
		}
		time.Sleep(time.Second)
		d.step(gathered{})
		if len(d.out) != 1 {
			t.Error("not offered after the delay")
		}
	})
	inBubble(t, "a held turn goes on with its holder, an offered one is published again", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/", "http://b.test/")
		held, offered := d.take(), d.take()
		d.ask(held, 1)
		time.Sleep(time.Minute) // down for long
		d = newDesk(t, schedulertest.Job(), led)
		d.step(gathered{tick: true})
		if a := d.ask(held, 1); a.Verdict != crawler.Granted {
			t.Errorf("renewal after the start: %+v", a)
		}
		if len(d.out) != 1 || d.out[0].Turn != offered.Turn || len(d.out[0].URLs) != 1 || d.out[0].URLs[0] != offered.URLs[0] {
			t.Errorf("published %+v, want %+v", d.out, offered)
		}
	})
	inBubble(t, "another scope is another job", func(t *testing.T) {
		led := schedulertest.NewLedger()
		newDesk(t, schedulertest.Job(), led).seed("http://a.test/")
		job := schedulertest.Job()
		job.Scope = crawler.ScopeAny
		if _, err := newShell(t.Context(), shellOptions{Job: job, Ledger: led, Tasks: schedulertest.NewQueues(1), Results: schedulertest.NewQueues(1)}); !errors.Is(err, ErrOtherJob) {
			t.Errorf("got %v, want ErrOtherJob", err)
		}
	})
}

func TestLimits(t *testing.T) {
	inBubble(t, "max-pages is never exceeded, and the rest waits without holding the end", func(t *testing.T) {
		led := schedulertest.NewLedger()
		job := schedulertest.Job()
		job.Delay, job.MaxPages = 0, 3
		d := newDesk(t, job, led)
		d.seed("http://a.test/1", "http://a.test/2", "http://b.test/1", "http://b.test/2", "http://c.test/")
		offered := 0
		for _, task := range d.out {
			offered += len(task.URLs)
		}
		if offered != 3 {
			t.Fatalf("%d URLs are offered, want 3", offered)
		}
		for len(d.out) > 0 {
			task := d.take()
			d.ask(task, 1)
			d.part(task, 1, 1, func(p *crawler.Part) {
				for _, u := range task.URLs {
					p.Results = append(p.Results, schedulertest.Fetched(u.URL.String()))
				}
				p.End = true
			})
		}
		if led.State.State.Finished.IsZero() || led.State.Tallies.Counts[crawler.Fetched] != 3 {
			t.Fatalf("finished %v with %v", led.State.State.Finished, led.State.Tallies.Counts)
		}
		job.MaxPages = 0
		newDesk(t, job, led)
		if !led.State.State.Finished.IsZero() {
			t.Error("a raised limit does not take the job up again")
		}
	})
	inBubble(t, "max-bytes ends the turns that are held, and the rest waits without holding the end", func(t *testing.T) {
		led := schedulertest.NewLedger()
		job := schedulertest.Job()
		job.Delay, job.MaxBytes = 0, crawler.MiB
		d := newDesk(t, job, led)
		d.seed("http://a.test/1", "http://a.test/2", "http://b.test/1", "http://b.test/2", "http://c.test/")
		for got := 0; len(d.out) > 0; got++ {
			task := d.take()
			if a := d.ask(task, 1); a.Stop != (got > 0) {
				t.Errorf("turn %d is told to stop: %v", got, a.Stop)
			}
			d.part(task, 1, 1, func(p *crawler.Part) {
				if p.End = true; got == 0 {
					r := schedulertest.Fetched(task.URLs[0].URL.String())
					r.Bytes = crawler.MiB
					p.Results = append(p.Results, r)
				}
			})
		}
		c := led.State.Tallies.Counts
		if led.State.State.Finished.IsZero() || c[crawler.Fetched] != 1 || c[crawler.Waiting] != 4 || c[crawler.Leased] != 0 {
			t.Fatalf("finished %v with %v", led.State.State.Finished, c)
		}
		job.MaxBytes = 2 * crawler.MiB
		if newDesk(t, job, led); !led.State.State.Finished.IsZero() {
			t.Error("a raised limit does not take the job up again")
		}
	})
	inBubble(t, "URLs beyond the depth wait, and go on when it is raised", func(t *testing.T) {
		led := schedulertest.NewLedger()
		job := schedulertest.Job()
		job.Delay, job.Depth = 0, 0
		d := newDesk(t, job, led)
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Links = []crawler.PageLinks{{Page: mustURL("http://a.test/"), Links: []crawler.Link{{URL: mustURL("http://a.test/deep")}}}}
			p.Results, p.End = []crawler.Result{schedulertest.Fetched("http://a.test/")}, true
		})
		if led.State.Tallies.Parked != 1 || led.State.State.Finished.IsZero() {
			t.Fatalf("parked %d, finished %v", led.State.Tallies.Parked, led.State.State.Finished)
		}
		job.Depth = 1
		d = newDesk(t, job, led)
		d.step(gathered{})
		if task := d.take(); task.URLs[0].URL != mustURL("http://a.test/deep") {
			t.Errorf("offered %v", task.URLs)
		}
	})
}

func TestRobots(t *testing.T) {
	unreachable := func(p *crawler.Part) {
		p.State.Robots = []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsUnreachable, Detail: "status 500"}}
		p.End = true
	}
	inBubble(t, "a host whose robots.txt cannot be reached is given up after four tries in about 15 minutes", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		begin := time.Now()
		d.seed("http://a.test/")
		for range 4 {
			for len(d.out) == 0 {
				time.Sleep(10 * time.Second)
				d.step(gathered{})
			}
			task := d.take()
			d.ask(task, 1)
			d.part(task, 1, 1, unreachable)
		}
		d.step(gathered{})
		if r := d.row("http://a.test/"); r.Outcome != crawler.Failed || r.Reason != crawler.ReasonRobotsUnreachable {
			t.Errorf("got %+v", r)
		}
		if took := time.Since(begin); took < 12*time.Minute || took > 20*time.Minute {
			t.Errorf("took %v", took)
		}
	})
	inBubble(t, "rules come with the next grant, and their Crawl-delay is in force", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		if a := d.ask(task, 1); len(a.Robots) != 0 {
			t.Fatalf("rules before they were asked for: %v", a.Robots)
		}
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.State.Robots = []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsRules, Body: []byte("User-agent: *\nCrawl-delay: 7\n")}}
		})
		if a := d.ask(task, 1); len(a.Robots) != 1 || a.Delay != 7*time.Second {
			t.Errorf("got %+v", a)
		}
		time.Sleep(25 * time.Hour)
		if a := d.ask(task, 1); len(a.Robots) != 0 {
			t.Error("rules are handed out after their time")
		}
	})
	inBubble(t, "a robots.txt elsewhere is asked for in a turn of that host, and the first host waits", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		hop := crawler.RobotsHop{For: "a.test", Scheme: "http", URL: mustURL("http://b.test/robots.txt"), Count: 1}
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.State.Robots = []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsElsewhere, Hop: hop}}
			p.End = true
		})
		errand := d.take()
		if errand.Host != "b.test" || len(errand.URLs) != 0 || len(errand.Errands) != 1 {
			t.Fatalf("offered %+v", errand)
		}
		time.Sleep(time.Minute)
		d.step(gathered{})
		if len(d.out) > 0 {
			t.Fatal("the first host did not wait")
		}
		d.ask(errand, 2)
		d.part(errand, 2, 1, func(p *crawler.Part) {
			p.State.Hops = []crawler.RobotsAnswer{{Hop: errand.Errands[0], File: crawler.RobotsFile{Status: crawler.RobotsRules, Body: []byte("User-agent: *\nDisallow: /x\n")}}}
			p.End = true
		})
		again := d.take()
		if a := d.ask(again, 3); again.Host != "a.test" || len(a.Robots) != 1 {
			t.Errorf("offered %+v with %+v", again, a)
		}
	})
}

// settings are those of a change: names and values in turn.
func settings(pairs ...any) map[string]string {
	all := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i].(string)] = fmt.Sprint(pairs[i+1])
	}
	return all
}

func TestChange(t *testing.T) {
	change := func(d *desk, c crawler.Change) {
		d.t.Helper()
		if refused, err := d.s.change(t.Context(), &c); refused != nil || err != nil {
			d.t.Fatal(refused, err)
		}
	}
	yes, no := true, false
	inBubble(t, "a paused job offers nothing, tells fetchers to stop, and stays paused over a start", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		change(d, crawler.Change{Pause: &yes})
		if a := d.ask(task, 1); !a.Stop {
			t.Error("a renewal does not say stop")
		}
		d = newDesk(t, schedulertest.Job(), led)
		d.seed("http://b.test/")
		d.step(gathered{})
		if len(d.out) > 0 {
			t.Error("a turn is offered after the start of a paused job")
		}
		change(d, crawler.Change{Pause: &no})
		d.step(gathered{})
		if len(d.out) != 1 {
			t.Error("no turn after resuming")
		}
	})
	inBubble(t, "a longer delay is told with the next renewal and outlives a start with the same command", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		long := 9 * time.Second
		change(d, crawler.Change{Settings: settings("delay", long)})
		if a := d.ask(task, 1); a.Delay != long {
			t.Errorf("delay %v, want %v", a.Delay, long)
		}
		if got := newDesk(t, schedulertest.Job(), led).s.core.state.job.Job.Delay; got != long {
			t.Errorf("delay %v after a start, want %v", got, long)
		}
		job := schedulertest.Job()
		job.Delay = 2 * time.Second // the command says something new
		if got := newDesk(t, job, led).s.core.state.job.Job.Delay; got != 2*time.Second {
			t.Errorf("delay %v after a start with another command, want 2s", got)
		}
	})
	inBubble(t, "limits of requests and pages are told to fetchers, and outlive a start with the same command", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		epoch := d.s.notice.Load().ScopeEpoch
		change(d, crawler.Change{Settings: settings("connect-timeout", "11s", "first-byte-timeout", "12s", "timeout", "13s", "total-timeout", "14s",
			"max-redirects", 15, "max-links", 16, "referer", session.RefererNone, "lazy-images", false, "trap-repeat", 17, "trap-segments", 18)})
		n := d.s.notice.Load()
		if n.ScopeEpoch == epoch {
			t.Error("no fetcher would ask for it")
		}
		want := schedulertest.Job()
		want.Fetch.Connect, want.Fetch.FirstByte, want.Fetch.Idle, want.Fetch.Total = 11*time.Second, 12*time.Second, 13*time.Second, 14*time.Second
		want.Fetch.Redirects, want.Fetch.Links, want.Referer, want.LazyImages = 15, 16, session.RefererNone, false
		want.TrapRepeat, want.TrapSegments = 17, 18
		after := newDesk(t, schedulertest.Job(), led).s.core.state.job.Job
		for when, got := range map[string]*crawler.Job{"to fetchers": &n.Job, "after a start": &after} {
			if got.Fetch != want.Fetch || got.Referer != want.Referer || got.LazyImages != want.LazyImages || got.TrapRepeat != want.TrapRepeat || got.TrapSegments != want.TrapSegments {
				t.Errorf("%s: %+v", when, got)
			}
		}
	})
	inBubble(t, "a longer time without a byte is one for the first byte too, as for commands", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		change(d, crawler.Change{Settings: settings("timeout", "2m")})
		change(d, crawler.Change{Settings: settings("total-timeout", "1h")})
		if f := d.s.core.state.job.Job.Fetch; f.FirstByte != 2*time.Minute || f.Idle != 2*time.Minute {
			t.Errorf("%v to the first byte, %v without one", f.FirstByte, f.Idle)
		}
		change(d, crawler.Change{Settings: settings("timeout", "1s")})
		if f := d.s.core.state.job.Job.Fetch; f.FirstByte != 2*time.Minute || f.Idle != time.Second {
			t.Errorf("%v to the first byte, %v without one", f.FirstByte, f.Idle)
		}
	})
	inBubble(t, "a raised depth lets deep URLs go on at once", func(t *testing.T) {
		job := schedulertest.Job()
		job.Delay, job.Depth = 0, 0
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Links = []crawler.PageLinks{{Page: mustURL("http://a.test/"), Links: []crawler.Link{{URL: mustURL("http://a.test/deep")}}}}
		})
		change(d, crawler.Change{Settings: settings("depth", 1)})
		d.part(task, 1, 2, func(p *crawler.Part) {
			p.Results, p.End = []crawler.Result{schedulertest.Fetched("http://a.test/")}, true
		})
		if next := d.take(); next.URLs[0].URL != mustURL("http://a.test/deep") {
			t.Errorf("offered %v", next.URLs)
		}
	})
	inBubble(t, "every live setting is changed, told to fetchers, and stays over a start with the same command", func(t *testing.T) {
		for _, s := range crawler.Settings() {
			if !s.Live {
				continue
			}
			led, text := schedulertest.NewLedger(), settingtest.Sample(t, &s)
			d := newDesk(t, schedulertest.Job(), led)
			change(d, crawler.Change{Settings: settings(s.Name, text)})
			want := schedulertest.Job()
			if err := s.Value(&want).Set(text); err != nil {
				t.Fatal(err)
			}
			if got := d.s.notice.Load().Job; !s.Equal(&got, &want) {
				t.Errorf("%s is %v for fetchers, want %s", s.Name, s.Value(&got), text)
			}
			if got := newDesk(t, schedulertest.Job(), led).s.core.state.job.Job; !s.Equal(&got, &want) {
				t.Errorf("%s is %v after a start, want %s", s.Name, s.Value(&got), text)
			}
		}
	})
	inBubble(t, "a change that would not be valid changes nothing", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		if refused, _ := d.s.change(t.Context(), &crawler.Change{Settings: settings("delay", "-5s")}); refused == nil || d.s.core.state.job.Job.Delay != time.Second {
			t.Errorf("refused %v, delay %v", refused, d.s.core.state.job.Job.Delay)
		}
	})
}

func TestRetryFailed(t *testing.T) {
	inBubble(t, "failed URLs of the reason wait again, and a finished job goes on", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Results = []crawler.Result{failed("http://a.test/1", crawler.ReasonHTTPStatus, 404), failed("http://a.test/2", crawler.ReasonPrivateAddress, 0), schedulertest.Fetched("http://a.test/3")}
			p.End = true
		})
		why := crawler.ReasonHTTPStatus
		q := schedulertest.NewQueues(1)
		again, err := newShell(t.Context(), shellOptions{Job: schedulertest.Job(), Ledger: led, Tasks: q, Results: q, RetryFailed: &why})
		if err != nil {
			t.Fatal(err)
		}
		d = &desk{t: t, s: again, led: led, q: q, pos: led.State.Position}
		d.step(gathered{})
		c := led.State.Tallies.Counts
		if led.Broken != nil || c[crawler.Waiting] != 1 || c[crawler.Failed] != 1 || !led.State.State.Finished.IsZero() {
			t.Errorf("counts %v, finished %v, broken %v", c, led.State.State.Finished, led.Broken)
		}
	})
}
