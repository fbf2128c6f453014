package core

import (
	"fmt"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

// refused is what comes of a URL whose host cannot be connected to.
func refused(url string) crawler.Result {
	r := failed(url, crawler.ReasonConnect, 0)
	r.Unsent, r.Detail = true, "dial tcp: connect: connection refused"
	return r
}

func urlsOf(host string, n int) (urls []string) {
	for i := range n {
		urls = append(urls, fmt.Sprintf("http://%s/%d", host, i))
	}
	return urls
}

// turn takes the next turn, and reports what result makes of each of its URLs, until one is left out by nil.
func (d *desk) turn(result func(url string) *crawler.Result) crawler.Task {
	d.t.Helper()
	task := d.take()
	d.ask(task, 1)
	d.part(task, 1, 1, func(p *crawler.Part) {
		p.End = true
		for _, u := range task.URLs {
			r := result(u.URL.String())
			if r == nil {
				return
			}
			p.Results = append(p.Results, *r)
		}
	})
	return task
}

// first lets a turn end with its first URL.
func first(of func(string) crawler.Result) func(string) *crawler.Result {
	n := 0
	return func(url string) *crawler.Result {
		if n++; n > 1 {
			return nil
		}
		r := of(url)
		return &r
	}
}

func every(of func(string) crawler.Result) func(string) *crawler.Result {
	return func(url string) *crawler.Result { r := of(url); return &r }
}

// until lets time pass until the host is offered again, and returns how long that was.
func (d *desk) until(most time.Duration) time.Duration {
	d.t.Helper()
	begin := time.Now()
	for len(d.out) == 0 {
		if time.Since(begin) > most {
			d.t.Fatalf("no turn is offered for %v", most)
		}
		time.Sleep(100 * time.Millisecond)
		d.step(gathered{tick: true})
	}
	return time.Since(begin)
}

func (d *desk) host(name weburl.Host) crawler.HostState { return d.led.AllHosts[name] }

func TestAHostThatIsAway(t *testing.T) {
	inBubble(t, "is probed with one URL in one lane, each time the next, after waits that double, and nobody pays", func(t *testing.T) {
		job := schedulertest.Job()
		job.PerHost = 4
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed(urlsOf("a.test", 9)...)
		d.turn(first(schedulertest.Fetched))
		d.until(time.Minute)
		d.turn(first(refused))
		asked := map[string]bool{}
		for wait := time.Second; wait <= 16*time.Second; wait *= 2 {
			if got := d.until(time.Hour); got < wait*9/10 || got > wait*12/10 {
				t.Errorf("probed after %v, want %v and a tenth", got, wait)
			}
			task := d.take()
			if len(task.URLs) != 1 || asked[task.URLs[0].URL.String()] {
				t.Fatalf("the probe has %v, asked before: %v", task.URLs, asked)
			}
			asked[task.URLs[0].URL.String()] = true
			if a := d.ask(task, 1); a.Connections != 1 || a.Stop {
				t.Errorf("the probe has %d lanes, stop %v", a.Connections, a.Stop)
			}
			d.part(task, 1, 1, func(p *crawler.Part) {
				p.Results, p.End = []crawler.Result{refused(task.URLs[0].URL.String())}, true
			})
		}
		for _, u := range urlsOf("a.test", 9) {
			if r := d.row(u); r.Outcome == crawler.Waiting && (r.Attempts != 0 || r.Tries != 0 || r.Spared != 0) {
				t.Errorf("%s: %d attempts, %d tries", u, r.Attempts, r.Tries)
			}
		}
		if d.led.State.Tallies.Away != 1 {
			t.Errorf("%d hosts are away", d.led.State.Tallies.Away)
		}
		d.until(time.Minute)
		d.turn(every(func(u string) crawler.Result { return failed(u, crawler.ReasonHTTPStatus, 404) }))
		d.until(3 * time.Second)
		if task := d.take(); len(task.URLs) < 4 || d.led.State.Tallies.Away != 0 {
			t.Errorf("after an answer the turn has %d URLs, %d hosts are away", len(task.URLs), d.led.State.Tallies.Away)
		}
	})
	inBubble(t, "is asked no faster than its delay allows", func(t *testing.T) {
		job := schedulertest.Job()
		job.Delay = 10 * time.Second
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed(urlsOf("a.test", 3)...)
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Results, p.End, p.Wait = []crawler.Result{refused(task.URLs[0].URL.String())}, true, job.Delay
		})
		if got := d.until(time.Minute); got < job.Delay {
			t.Errorf("asked after %v", got)
		}
	})
	inBubble(t, "is given up with the fault's own reason after four attempts, if it never answered", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed(urlsOf("a.test", 5)...)
		begin := time.Now()
		for n := 1; n <= crawler.AttemptsNever; n++ {
			if d.host("a.test").GivenUp != "" {
				t.Fatalf("given up after %d attempts", n-1)
			}
			d.until(time.Minute)
			d.turn(first(refused))
		}
		d.step(gathered{})
		if c := d.led.State.Tallies; c.Counts[crawler.Failed] != 5 || c.Reasons[crawler.ReasonConnect] != 5 || c.Away != 0 {
			t.Errorf("counts %v, reasons %v, %d away", c.Counts, c.Reasons, c.Away)
		}
		if took := time.Since(begin); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
	inBubble(t, "is given up an hour after its last answer, of which only running time counts", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed(urlsOf("a.test", 50)...)
		d.turn(first(schedulertest.Fetched))
		d.until(time.Minute)
		paused := true
		if _, err := d.s.change(t.Context(), &crawler.Change{Pause: &paused}); err != nil {
			t.Fatal(err)
		}
		d.pass(2 * time.Hour)
		if paused = false; d.s.core.state.ran > time.Minute {
			t.Errorf("a paused job ran %v", d.s.core.state.ran)
		}
		if _, err := d.s.change(t.Context(), &crawler.Change{Pause: &paused}); err != nil {
			t.Fatal(err)
		}
		begin, probes := time.Now(), 0
		for d.host("a.test").GivenUp == "" {
			d.until(time.Hour)
			d.turn(first(refused))
			probes++
		}
		if took := time.Since(begin); took < time.Hour || took > time.Hour+11*time.Minute || probes < 12 {
			t.Errorf("given up after %v and %d probes", took, probes)
		}
		d.step(gathered{})
		if c := d.led.State.Tallies; c.Reasons[crawler.ReasonConnect] != 49 {
			t.Errorf("reasons %v", c.Reasons)
		}
	})
	inBubble(t, "that was away while nobody looked gets five probes first", func(t *testing.T) {
		job := schedulertest.Job()
		job.HostPatience = 0
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed(urlsOf("a.test", 9)...)
		d.turn(first(schedulertest.Fetched))
		attempts := 0
		for d.host("a.test").GivenUp == "" {
			d.until(time.Hour)
			d.turn(first(refused))
			attempts++
		}
		if attempts != 1+crawler.ProbesAtLeast {
			t.Errorf("given up after %d attempts", attempts)
		}
	})
	inBubble(t, "keeps its running time over a restart, and time that it was down does not count", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed(urlsOf("a.test", 9)...)
		d.turn(first(schedulertest.Fetched))
		d.until(time.Minute)
		d.turn(first(refused))
		d.pass(10 * time.Minute)
		ran := led.State.Ran
		if ran < 9*time.Minute {
			t.Fatalf("%v are stored", ran)
		}
		time.Sleep(3 * time.Hour)
		d = newDesk(t, schedulertest.Job(), led)
		d.step(gathered{tick: true})
		if got := d.s.core.state.ran; got < ran || got > ran+time.Minute {
			t.Errorf("the running time went from %v to %v", ran, got)
		}
	})
	inBubble(t, "by three tries without an answer: they are given back, over parts and turns", func(t *testing.T) {
		job := schedulertest.Job()
		job.Retry.Retries = 1
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed(urlsOf("a.test", 4)...)
		silent := func(u string) crawler.Result { return failed(u, crawler.ReasonTimeout, 0) }
		for range 3 {
			d.until(time.Minute)
			d.turn(first(silent))
		}
		h := d.host("a.test")
		if !h.Gone() || h.Away != crawler.ReasonTimeout || h.Failed != 1 {
			t.Fatalf("after three: %+v", h)
		}
		sent, tries := 0, 0
		for _, u := range urlsOf("a.test", 4) {
			r := d.row(u)
			sent, tries = sent+r.Attempts, tries+r.Tries
		}
		if sent != 3 || tries != 0 {
			t.Errorf("%d were sent, %d count", sent, tries)
		}
	})
	inBubble(t, "by three tries of two URLs: what both paid is given back", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed(urlsOf("a.test", 2)...)
		for d.host("a.test").Away == "" {
			d.until(time.Minute)
			d.turn(first(func(u string) crawler.Result { return failed(u, crawler.ReasonReset, 0) }))
		}
		sent := 0
		for _, u := range urlsOf("a.test", 2) {
			r := d.row(u)
			if sent += r.Attempts; r.Tries != 0 || r.Retrying() {
				t.Errorf("%s: %d tries count, waits for a retry: %v", u, r.Tries, r.Retrying())
			}
		}
		if sent != 3 {
			t.Errorf("away after %d tries", sent)
		}
	})
	inBubble(t, "is not what one URL alone says, and that URL pays", func(t *testing.T) {
		job := schedulertest.Job()
		job.Retry.Retries = 4
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed("http://a.test/only")
		for range 5 {
			d.until(time.Hour)
			d.turn(first(func(u string) crawler.Result { return failed(u, crawler.ReasonReset, 0) }))
		}
		if r := d.row("http://a.test/only"); r.Outcome != crawler.Failed || r.Tries != 5 || r.Attempts != 5 {
			t.Errorf("got %+v", r)
		}
	})
	inBubble(t, "does not flap for ever between bad URLs and good ones", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed(append(urlsOf("a.test", 3), urlsOf("a.test/good", 20)...)...)
		begin := time.Now()
		for d.led.State.Tallies.Counts[crawler.Waiting] > 0 && time.Since(begin) < 10*time.Hour {
			d.until(time.Hour)
			d.turn(every(func(u string) crawler.Result {
				if len(u) <= len("http://a.test/0") {
					return failed(u, crawler.ReasonReset, 0)
				}
				return schedulertest.Fetched(u)
			}))
		}
		if c := d.led.State.Tallies.Counts; c[crawler.Fetched] != 20 || c[crawler.Failed] != 3 {
			t.Errorf("after %v: %v", time.Since(begin), c)
		}
	})
	inBubble(t, "by one scheme only is none: those URLs pay, the others go on", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		var urls []string
		for i := range 3 {
			urls = append(urls, fmt.Sprintf("http://a.test/%d", i), fmt.Sprintf("https://a.test/%d", i))
		}
		d.seed(urls...)
		begin := time.Now()
		for d.led.State.Tallies.Counts[crawler.Waiting] > 0 && time.Since(begin) < 3*time.Hour {
			d.until(time.Hour)
			bad := false
			d.turn(func(u string) *crawler.Result {
				if bad {
					return nil
				}
				r := schedulertest.Fetched(u)
				if mustURL(u).Scheme() == "https" {
					r, bad = refused(u), true
				}
				return &r
			})
		}
		c := d.led.State.Tallies
		if c.Counts[crawler.Fetched] != 3 || c.Reasons[crawler.ReasonConnect] != 3 || time.Since(begin) > 10*time.Minute {
			t.Errorf("after %v: %v %v", time.Since(begin), c.Counts, c.Reasons)
		}
	})
	inBubble(t, "ends a turn that other lanes still work on, but not its probe", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed(urlsOf("a.test", 5)...)
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) { p.Results = []crawler.Result{refused(task.URLs[0].URL.String())} })
		if a := d.ask(task, 1); !a.Stop {
			t.Error("the turn goes on")
		}
		d.part(task, 1, 2, func(p *crawler.Part) {
			p.Results, p.End = []crawler.Result{refused(task.URLs[1].URL.String())}, true
		})
		if h := d.host("a.test"); h.Failed != 1 {
			t.Errorf("two lanes of one turn count as %d attempts", h.Failed)
		}
		d.until(time.Minute)
		task = d.take()
		d.ask(task, 1)
		if a := d.ask(task, 1); a.Stop {
			t.Error("a probe is stopped")
		}
	})
}

func TestRefusalsUseUpNoRetryUntilTheTenth(t *testing.T) {
	inBubble(t, "nine are free, then each costs one", func(t *testing.T) {
		job := schedulertest.Job()
		job.Retry.Retries = 2
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed("http://a.test/")
		for n := 1; n <= 12; n++ {
			d.until(time.Hour)
			d.turn(first(func(u string) crawler.Result { return failed(u, crawler.ReasonHTTPStatus, 429) }))
			r := d.row("http://a.test/")
			if r.Attempts != n || r.Tries != max(0, n-crawler.MaxSpared) || (r.Outcome == crawler.Failed) != (n == 12) {
				t.Fatalf("after %d refusals: %d attempts, %d tries, %v", n, r.Attempts, r.Tries, r.Outcome)
			}
		}
	})
}
