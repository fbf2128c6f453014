package fetcher

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/fetcher/download"
	"trawl/fetcher/fetchertest"
)

// fullBacklog adds links to a report until the fetcher's backlog is full.
func fullBacklog(t *testing.T, all *backlog) *report {
	r := newReport()
	r.all = all
	for n := 0; all.Full() == nil; n++ {
		if n > 1000 {
			t.Fatal("a backlog that is never full")
		}
		r.sent = map[uint64]int32{} // the same links again
		r.add(&crawler.Result{URL: fetchertest.MustURL(t, "http://a.test/")}, 0, testLinks(t, 2000, 300), false)
	}
	return r
}

func TestAFullBacklogHoldsTheLanesOfAllTurnsBack(t *testing.T) {
	for name, storing := range map[string]func(r *report){
		"until parts are stored": func(r *report) {
			for range 3 {
				var p crawler.Part
				r.take(&p)
				r.stored()
			}
		},
		"until a turn gives up what it has": (*report).drop,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := &backlog{}
				r := fullBacklog(t, all)
				other := newReport()
				other.all = all
				waited := false
				go func() {
					other.room(nil)
					waited = true
				}()
				synctest.Wait()
				var p crawler.Part
				r.take(&p) // what is on its way is in memory, too
				synctest.Wait()
				if waited {
					t.Error("a lane of another turn went on while the backlog was full")
				}
				storing(r)
				synctest.Wait()
				if !waited {
					t.Error("the lane does not go on")
				}
				other.take(&p)
				if p.State.Bounds[crawler.BoundUnsent] != 1 {
					t.Errorf("the limit is marked as %v", p.State.Bounds)
				}
			})
		})
	}
}

func TestABacklogIsEmptyWhenEverythingWasStoredOrDropped(t *testing.T) {
	all := &backlog{}
	r := newReport()
	r.all = all
	r.add(&crawler.Result{URL: fetchertest.MustURL(t, "http://a.test/")}, 0, testLinks(t, 3000, 300), true)
	var p crawler.Part
	r.take(&p)
	r.stored()
	if all.bytes <= 0 {
		t.Errorf("%d bytes are left of a page of two parts", all.bytes)
	}
	for !r.empty() {
		r.take(&p)
		r.stored()
	}
	if all.bytes != 0 {
		t.Errorf("%d bytes are left", all.bytes)
	}
	r.add(&crawler.Result{URL: fetchertest.MustURL(t, "http://a.test/2")}, 0, testLinks(t, 30, 300), true)
	r.take(&p)
	r.drop()
	if all.bytes != 0 {
		t.Errorf("%d bytes are left after the drop", all.bytes)
	}
}

// countingReports notes what the fetcher's backlog holds at each part that is sent.
type countingReports struct {
	Reports
	held func() int
	seen []int
}

func (c *countingReports) Send(ctx context.Context, p *crawler.Part) error {
	c.seen = append(c.seen, c.held())
	return c.Reports.Send(ctx, p)
}

func TestATurnGivesBackWhatIsStoredPartByPart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.page = func(context.Context, download.Page) download.Finding {
			return download.Finding{Links: testLinks(t, 10_000, 300)}
		}
		w.task(pages(1)...)
		counted := &countingReports{Reports: w}
		f := w.fetcher(func(o *Options) { o.Reports = counted })
		counted.held = func() int {
			f.unsent.mu.Lock()
			defer f.unsent.mu.Unlock()
			return f.unsent.bytes
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		go f.Run(ctx)
		synctest.Wait()
		for len(w.happened("close")) == 0 && ctx.Err() == nil {
			time.Sleep(time.Second)
		}
		n := len(counted.seen)
		if n < 6 || counted.seen[n-1] >= counted.seen[0] {
			t.Errorf("the backlog at each part: %v", counted.seen)
		}
		if left := counted.held(); left != 0 {
			t.Errorf("%d bytes are left when the turn is over", left)
		}
		stop()
		synctest.Wait()
	})
}
