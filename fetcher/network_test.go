package fetcher

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/download"
	"trawl/fetcher/fetchertest"
	"trawl/fetcher/trouble"
)

// wires is a world with several hosts and a network that can be pulled.
type wires struct {
	*world
	f     *Fetcher
	cut   atomic.Bool
	tried atomic.Int64 // exchanges while it was cut
	many  atomic.Int64 // of them under way
	most  atomic.Int64 // the most of them at once
}

// pull makes a world of hosts whose turns are offered again and again, each of a few URLs.
func pull(t *testing.T, w *world, hosts int) *wires {
	x := &wires{world: w}
	w.job.Delay, w.took = 0, 500*time.Millisecond
	x.f = w.fetcher(func(o *Options) { o.Workers = 50 })
	offer := func(h weburl.Host) {
		task := crawler.Task{Host: h}
		for i := range 5 {
			task.URLs = append(task.URLs, crawler.TaskURL{URL: fetchertest.MustURL(t, fmt.Sprintf("http://%s/%d", h, i))})
		}
		w.offer(task)
	}
	for i := range hosts {
		offer(weburl.Host(fmt.Sprintf("h%d.test", i)))
	}
	w.send = func(p *crawler.Part) error {
		if p.End && t.Context().Err() == nil {
			time.AfterFunc(100*time.Millisecond, func() { offer(p.Host) })
		}
		return nil
	}
	w.page = func(ctx context.Context, u download.Page) download.Finding {
		if !x.cut.Load() {
			x.f.network.Heard()
			return download.Finding{}
		}
		x.tried.Add(1)
		x.most.Store(max(x.most.Load(), x.many.Add(1)))
		defer x.many.Add(-1)
		pause(ctx, 4*time.Second)
		return download.Finding{Sign: trouble.SignSilence, Result: crawler.Result{Outcome: crawler.Failed, Reason: crawler.ReasonTimeout}}
	}
	return x
}

func TestANetworkThatIsAwayIsNoFaultOfHosts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		x := pull(t, w, 20)
		x.live(t, func() {
			time.Sleep(20 * time.Second)
			x.cut.Store(true)
			time.Sleep(20 * time.Second)
			c, _ := x.f.Condition()
			if c.Slots != 1 || c.Silent < 10*time.Second || c.Silent > 25*time.Second {
				t.Errorf("20 s after the cut: %+v", c)
			}
			x.tried.Store(0)
			x.most.Store(0)
			time.Sleep(10 * time.Minute)
			if n := x.tried.Load(); n < 20 || n > 80 || x.most.Load() != 1 {
				t.Errorf("%d probes in ten minutes, %d at once", n, x.most.Load())
			}
			before := x.f.Pages()
			x.cut.Store(false)
			time.Sleep(15 * time.Second)
			if c, _ := x.f.Condition(); c.Slots != 50 || c.Silent != 0 {
				t.Errorf("15 s after the network came back: %+v", c)
			}
			if x.f.Pages() < before+100 {
				t.Errorf("%d pages in 15 s after it came back", x.f.Pages()-before)
			}
		})
		if n := x.faults(); n > 0 {
			t.Errorf("%d faults were sent", n)
		}
	})
}

func TestTheFaultsOfAFewHostsAreTheirs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		x := pull(t, w, 20)
		page := w.page
		w.page = func(ctx context.Context, u download.Page) download.Finding {
			if h := string(u.URL.Host()); h == "h1.test" || h == "h2.test" || h == "h3.test" || h == "h4.test" {
				if x.cut.Load() {
					return page(ctx, u)
				}
			}
			x.f.network.Heard()
			return download.Finding{}
		}
		x.live(t, func() {
			time.Sleep(20 * time.Second)
			x.cut.Store(true)
			time.Sleep(time.Minute)
			if c, _ := x.f.Condition(); c.Slots != 50 || c.Silent != 0 {
				t.Errorf("while others answer: %+v", c)
			}
		})
		if n, tried := x.faults(), x.tried.Load(); n < int(tried)-4 || n < 20 {
			t.Errorf("%d faults were sent of %d", n, tried)
		}
	})
}

func TestOneSilentHostDoesNotWaitForAJudgementThatCannotCome(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		x := pull(t, w, 1)
		x.live(t, func() {
			time.Sleep(5 * time.Second)
			x.cut.Store(true)
			time.Sleep(time.Minute)
		})
		if n := x.faults(); n < 12 {
			t.Errorf("%d faults of 4 s each in a minute", n)
		}
	})
}

func TestOutOfDescriptorsIsNoFateOfURLs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		x := pull(t, w, 40)
		var under, most atomic.Int64
		w.page = func(ctx context.Context, _ download.Page) download.Finding {
			defer under.Add(-1)
			if under.Add(1) > 10 {
				return download.Finding{Verdict: download.MachineShort, Why: fmt.Errorf("dial: %w", syscall.EMFILE)}
			}
			most.Store(max(most.Load(), under.Load()))
			pause(ctx, time.Second)
			return download.Finding{}
		}
		x.live(t, func() {
			time.Sleep(10 * time.Minute)
			if c, _ := x.f.Condition(); c.Slots > 20 {
				t.Errorf("%d slots where there is room for 10", c.Slots)
			}
		})
		if n := x.faults(); n > 0 || x.f.Pages() < 1000 {
			t.Errorf("%d faults were sent, %d pages", n, x.f.Pages())
		}
	})
}

// faults counts the failed results that were sent.
func (x *wires) faults() (n int) {
	for _, p := range x.sentParts() {
		for _, r := range p.Results {
			if r.Outcome == crawler.Failed {
				n++
			}
		}
	}
	return n
}

func (x *wires) live(t *testing.T, play func()) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- x.f.Run(ctx) }()
	play()
	stop()
	<-ended
	synctest.Wait()
	for len(x.tasks) > 0 {
		<-x.tasks
	}
}
