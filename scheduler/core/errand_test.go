package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/memory"
	"trawl/scheduler/schedulertest"
)

// redirected reports that the robots.txt of the task's host leads to u.
func (d *desk) redirected(task crawler.Task, u string) {
	d.t.Helper()
	d.ask(task, 1)
	hop := crawler.RobotsHop{For: task.Host, Scheme: "http", URL: mustURL(u), Count: 1}
	d.part(task, 1, 1, func(p *crawler.Part) {
		p.State.Robots = []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsElsewhere, Hop: hop}}
		p.End = true
	})
}

// answered reports how the errands of a task ended.
func (d *desk) answered(task crawler.Task, f crawler.RobotsFile) {
	d.t.Helper()
	d.ask(task, 1)
	d.part(task, 1, 1, func(p *crawler.Part) {
		for _, e := range task.Errands {
			p.State.Hops = append(p.State.Hops, crawler.RobotsAnswer{Hop: e, File: f})
		}
		p.End = true
	})
}

// takeAt hands out the oldest offered turn of a host, waiting for it.
func (d *desk) takeAt(h weburl.Host) crawler.Task {
	d.t.Helper()
	for range 100 {
		for i, task := range d.out {
			if task.Host == h {
				d.out = slices.Delete(d.out, i, i+1)
				return task
			}
		}
		time.Sleep(time.Second)
		d.step(gathered{})
	}
	d.t.Fatalf("no turn of %s is offered", h)
	return crawler.Task{}
}

var allowAll = crawler.RobotsFile{Status: crawler.RobotsRules, Body: []byte("User-agent: *\nDisallow: /x\n"), TTL: time.Hour}

func TestErrands(t *testing.T) {
	job := schedulertest.Job()
	job.Scope = crawler.ScopeAny
	wide := func(t *testing.T, led *schedulertest.Ledger) *desk {
		d := newDesk(t, job, led)
		d.s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 10_000}})
		return d
	}
	inBubble(t, "many hosts whose robots.txt leads to one URL share one question, over a restart in the middle", func(t *testing.T) {
		const hosts = 600
		led := schedulertest.NewLedger()
		d := wide(t, led)
		var seeds []string
		for i := range hosts {
			seeds = append(seeds, fmt.Sprintf("http://h%d.test/", i))
		}
		d.seed(seeds...)
		for range hosts {
			d.redirected(d.take(), "http://hub.test/r.txt")
		}
		hub := d.takeAt("hub.test")
		if len(hub.Errands) != 1 {
			t.Fatalf("%d errands for one URL", len(hub.Errands))
		}
		d.ask(hub, 1)
		p := crawler.Part{Turn: hub.Turn, Host: hub.Host, Holder: crawler.HolderID{1}, Number: 1, Fetcher: "f", End: true}
		p.State.Hops = []crawler.RobotsAnswer{{Hop: hub.Errands[0], File: allowAll}}
		d.pos++
		d.step(gathered{parts: []crawler.LoggedPart{{Position: d.pos, Part: p}}})
		left := len(led.AllErrands["hub.test"])
		if left == 0 || left < hosts-2*maxHandOn {
			t.Fatalf("one step handed the answer to %d hosts", hosts-left)
		}
		d = wide(t, led)
		for range 20 {
			d.step(gathered{})
		}
		if n := len(led.AllErrands["hub.test"]); n != 0 || led.AllHosts["hub.test"].Handing != 0 {
			t.Fatalf("%d hosts still wait, %d answers are handed on", n, led.AllHosts["hub.test"].Handing)
		}
		d.pass(2 * time.Second)
		ready := 0
		for _, task := range d.out {
			if a := d.ask(task, 1); task.Host == "hub.test" {
				t.Error("the hub is asked again")
			} else if len(a.Robots) == 1 && len(task.URLs) == 1 {
				ready++
			}
		}
		if ready != hosts {
			t.Errorf("%d of %d hosts go on with their rules", ready, hosts)
		}
	})
	inBubble(t, "a host that comes later is answered from what is known, until that has run out", func(t *testing.T) {
		d := wide(t, schedulertest.NewLedger())
		d.seed("http://a.test/")
		d.redirected(d.take(), "http://hub.test/r.txt")
		d.answered(d.takeAt("hub.test"), allowAll)
		d.takeAt("a.test")
		d.seed("http://b.test/")
		time.Sleep(30 * time.Minute)
		d.redirected(d.takeAt("b.test"), "http://hub.test/r.txt")
		task := d.takeAt("b.test")
		if a := d.ask(task, 1); len(a.Robots) != 1 || a.Robots[0].TTL > 30*time.Minute {
			t.Errorf("got %+v", a.Robots)
		}
		time.Sleep(time.Hour)
		d.seed("http://c.test/")
		d.redirected(d.takeAt("c.test"), "http://hub.test/r.txt")
		d.takeAt("hub.test")
	})
	inBubble(t, "an answer that leads on takes all of them along", func(t *testing.T) {
		d := wide(t, schedulertest.NewLedger())
		d.seed("http://a.test/", "http://b.test/")
		for range 2 {
			d.redirected(d.take(), "http://hub.test/r.txt")
		}
		task := d.takeAt("hub.test")
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.State.Hops, p.End = []crawler.RobotsAnswer{{Hop: task.Errands[0], Next: mustURL("http://far.test/r.txt")}}, true
		})
		if hub := d.led.AllHosts["hub.test"]; !hub.Answered.Has("http") {
			t.Errorf("the host that leads on counts as one that never answered: %+v", hub)
		}
		far := d.takeAt("far.test")
		if len(far.Errands) != 1 {
			t.Fatalf("%+v", far)
		}
		d.answered(far, allowAll)
		d.takeAt("a.test")
		d.takeAt("b.test")
	})
	inBubble(t, "errands of strangers and the host's own pages take turns, and a turn's errands are bounded", func(t *testing.T) {
		led := schedulertest.NewLedger()
		quick := job
		quick.Delay = 0
		d := newDesk(t, quick, led)
		d.s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 10_000}})
		var seeds []string
		for i := range 300 {
			seeds = append(seeds, fmt.Sprintf("http://h%d.test/", i))
		}
		d.seed(seeds...)
		for i := range 300 {
			d.redirected(d.take(), fmt.Sprintf("http://hub.test/%s/%d", strings.Repeat("x", 3000), i))
		}
		d.seed("http://hub.test/1", "http://hub.test/2", "http://hub.test/3")
		errands, own := 0, 0
		for i := range 6 {
			task := d.takeAt("hub.test")
			size := 0
			for _, e := range task.Errands {
				size += len(e.URL.String()) + len(e.For)
			}
			if len(task.Errands) > crawler.MaxTurnErrands || size > crawler.MaxTaskBytes {
				t.Fatalf("a turn of %d errands, %d bytes", len(task.Errands), size)
			}
			d.ask(task, 1)
			d.part(task, 1, 1, func(p *crawler.Part) {
				for _, e := range task.Errands {
					p.State.Hops = append(p.State.Hops, crawler.RobotsAnswer{Hop: e, File: allowAll})
				}
				if len(task.URLs) > 0 { // one only: the others go on in the next turn
					p.Results = []crawler.Result{schedulertest.Fetched(task.URLs[0].URL.String())}
				}
				p.End = true
			})
			if i > 0 && len(task.Errands) > 0 {
				errands++
			}
			if len(task.URLs) > 0 {
				own++
			}
		}
		if errands < 2 || own != 3 {
			t.Errorf("%d turns of errands and %d of its own", errands, own)
		}
	})
	inBubble(t, "what a fetcher reports twice waits once", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := wide(t, led)
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		hop := crawler.RobotsHop{For: "a.test", Scheme: "http", URL: mustURL("http://hub.test/r.txt"), Count: 1}
		for n := 1; n <= 2; n++ {
			d.part(task, 1, n, func(p *crawler.Part) {
				f := crawler.RobotsFile{Scheme: "http", Status: crawler.RobotsElsewhere, Hop: hop}
				p.State.Robots, p.End = []crawler.RobotsFile{f, f}, n == 2
			})
		}
		if n := led.AllHosts["hub.test"].Errands; n != 1 {
			t.Fatalf("%d errands are counted", n)
		}
		d.answered(d.takeAt("hub.test"), allowAll)
		if _, due := new(led.AllHosts["hub.test"]).Due(); due {
			t.Error("the hub is due with nothing to do")
		}
	})
	inBubble(t, "a count of errands that are not there mends itself", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := wide(t, led)
		d.seed("http://a.test/1", "http://b.test/")
		d.answeredPage(d.takeAt("a.test"))
		h := led.AllHosts["a.test"]
		h.Errands = 3
		led.AllHosts["a.test"] = h
		d.s.core.state.hosts = memory.NewHosts()
		d.s.core.state.window = memory.NewWindow(0)
		led.Lenient = true
		d.pass(3 * time.Second)
		if n := led.AllHosts["a.test"].Errands; n != 0 {
			t.Errorf("%d errands are counted", n)
		}
	})
	inBubble(t, "an errand is not sent to a host that has the key of another one", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := wide(t, led)
		d.seed("http://a.test/")
		task := d.take()
		first := crawler.HostState{Host: "first.test"}
		led.AllHosts["hub.test"] = first // what a look-up by the hash gives
		d.redirected(task, "http://hub.test/r.txt")
		led.Lenient = true
		if again := d.takeAt("a.test"); len(again.URLs) != 1 {
			t.Errorf("%+v", again)
		}
	})
	inBubble(t, "errands of a host that was given up fail, and those that come later", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := wide(t, led)
		d.seed("http://a.test/", "http://b.test/")
		d.redirected(d.takeAt("a.test"), "http://hub.test/r.txt")
		st := d.s.newStep()
		st.giveUp(st.host("hub.test"), crawler.ReasonConnect, "gone")
		if err := d.s.seal(st); err != nil {
			t.Fatal(err)
		}
		hub := d.takeAt("hub.test")
		d.ask(hub, 1)
		d.part(hub, 1, 1, func(p *crawler.Part) { p.End = true })
		d.redirected(d.takeAt("b.test"), "http://hub.test/r.txt")
		for _, h := range []weburl.Host{"a.test", "b.test"} {
			if s := led.AllHosts[h]; s.RobotsWait || s.RobotsTries != 1 {
				t.Errorf("%s: %+v", h, s)
			}
		}
	})
	inBubble(t, "errands of a host that was given up fail, in batches", func(t *testing.T) {
		const hosts = 2*maxHanding + 3
		led := schedulertest.NewLedger()
		d := wide(t, led)
		var seeds []string
		for i := range hosts {
			seeds = append(seeds, fmt.Sprintf("http://h%d.test/", i))
		}
		d.seed(seeds...)
		for i := range hosts {
			d.redirected(d.take(), fmt.Sprintf("http://hub.test/%d", i))
		}
		d.out = nil
		st := d.s.newStep()
		hub := st.host("hub.test")
		st.giveUp(hub, crawler.ReasonConnect, "gone")
		if st.failErrands(hub); hub.Errands != hosts-maxHanding {
			t.Errorf("%d errands are left", hub.Errands)
		}
		if err := d.s.seal(st); err != nil {
			t.Fatal(err)
		}
	})
	inBubble(t, "counts of answers and errands that are not there mend themselves", func(t *testing.T) {
		st := wide(t, schedulertest.NewLedger()).s.newStep()
		h := st.host("hub.test")
		h.Errands, h.Handing = 3, 3
		st.handOn(h)
		if st.failErrands(h); h.Errands != 0 || h.Handing != 0 {
			t.Errorf("%d errands, %d answers", h.Errands, h.Handing)
		}
	})
	inBubble(t, "a stored turn that no message can carry is taken back at a start", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := wide(t, led)
		d.seed("http://a.test/")
		d.redirected(d.take(), "http://hub.test/r.txt")
		d.takeAt("hub.test")
		stored := led.Turns["hub.test"]
		for i := range crawler.MaxTurnErrands * 300 {
			e := stored.Errands[0]
			e.For = weburl.Host(fmt.Sprintf("x%d.test", i))
			stored.Errands = append(stored.Errands, e)
		}
		led.Turns["hub.test"] = stored
		d = wide(t, led)
		d.answered(d.takeAt("hub.test"), allowAll)
		d.takeAt("a.test")
	})
}

// answeredPage reports every URL of a task as fetched.
func (d *desk) answeredPage(task crawler.Task) {
	d.t.Helper()
	d.ask(task, 1)
	d.part(task, 1, 1, func(p *crawler.Part) {
		for _, u := range task.URLs {
			p.Results = append(p.Results, schedulertest.Fetched(u.URL.String()))
		}
		p.End = true
	})
}

func TestTheLargerCrawlDelayOfBothSchemesCounts(t *testing.T) {
	inBubble(t, "in whichever order they come", func(t *testing.T) {
		slow := crawler.RobotsFile{Scheme: "http", Status: crawler.RobotsRules, Body: []byte("User-agent: *\nCrawl-delay: 20\n"), TTL: time.Hour}
		free := crawler.RobotsFile{Scheme: "https", Status: crawler.RobotsUnavailable, HTTP: 404, TTL: 10 * time.Hour}
		for _, files := range [][]crawler.RobotsFile{{slow, free}, {free, slow}} {
			led := schedulertest.NewLedger()
			d := newDesk(t, schedulertest.Job(), led)
			d.seed("http://a.test/", "https://a.test/")
			task := d.take()
			d.ask(task, 1)
			for i, f := range files {
				d.part(task, 1, i+1, func(p *crawler.Part) { p.State.Robots = []crawler.RobotsFile{f} })
			}
			if got := led.AllHosts["a.test"].CrawlDelay; got != 20*time.Second {
				t.Errorf("Crawl-delay %v", got)
			}
			time.Sleep(2 * time.Hour)
			d = newDesk(t, schedulertest.Job(), led) // the turn goes on
			d.part(task, 1, 3, func(p *crawler.Part) { p.State.Robots = []crawler.RobotsFile{free} })
			if got := led.AllHosts["a.test"].CrawlDelay; got != 0 {
				t.Errorf("Crawl-delay %v from a file that has run out", got)
			}
		}
	})
}
