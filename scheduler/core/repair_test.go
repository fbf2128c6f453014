package core

import (
	"errors"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

// lostKeys are the rows' keys.
func lostKeys(urls ...string) (keys []weburl.URLKey) {
	for _, u := range urls {
		keys = append(keys, mustURL(u).Key())
	}
	return keys
}

func TestRepair(t *testing.T) {
	// done is a job of four URLs that is done: one failed, three fetched, each with a record.
	done := func(t *testing.T) (*desk, *schedulertest.Ledger) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/1", "http://a.test/2", "http://a.test/3", "http://a.test/4")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Results = []crawler.Result{failed("http://a.test/1", crawler.ReasonHTTPStatus, 404), schedulertest.Fetched("http://a.test/2"), schedulertest.Fetched("http://a.test/3"), schedulertest.Fetched("http://a.test/4")}
			for i := range p.Results {
				p.Results[i].Archive, p.Results[i].Bytes, p.Results[i].ETag = crawler.Locator{File: "archive/f.warc.gz", Offset: int64(i)}, 10, "tag"
			}
			p.End = true
		})
		if led.State.State.Finished.IsZero() {
			t.Fatal("the job is not done")
		}
		return d, led
	}
	inBubble(t, "rows wait again as if they had never been fetched, and a finished job goes on", func(t *testing.T) {
		d, led := done(t)
		n, err := repairLedger(t.Context(), led, Lost{Rows: lostKeys("http://a.test/3", "http://a.test/1", "http://nobody.test/", "http://a.test/3")})
		if err != nil || n != 2 || led.Broken != nil {
			t.Fatalf("%d rows, %v; the ledger: %v", n, err, led.Broken)
		}
		for _, url := range []string{"http://a.test/1", "http://a.test/3"} {
			r := d.row(url)
			if r.Outcome != crawler.Waiting || !r.Archive.IsZero() || r.Attempts != 0 || r.ETag != "" || r.Reason != "" || r.Sequence == 0 {
				t.Errorf("%+v", r)
			}
		}
		if r := d.row("http://a.test/2"); r.Outcome != crawler.Fetched || r.Archive.IsZero() {
			t.Errorf("another row was changed: %+v", r)
		}
		if c := led.State.Tallies; c.Counts[crawler.Waiting] != 2 || c.Counts[crawler.Fetched] != 2 || c.Bytes != 20 || !led.State.State.Finished.IsZero() {
			t.Errorf("%+v", c)
		}
		again := newDesk(t, schedulertest.Job(), led)
		again.seed()
		time.Sleep(time.Minute) // the host may not be asked at once after a start
		again.step(gathered{})
		if task := again.take(); len(task.URLs) != 2 {
			t.Errorf("offered %v", task.URLs)
		}
	})
	inBubble(t, "a row that is leased when the scheduler died loses its old record and stays leased", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/1")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			busy := failed("http://a.test/1", crawler.ReasonHTTPStatus, 503)
			busy.Archive = crawler.Locator{File: "archive/f.warc.gz"}
			p.Results, p.End = []crawler.Result{busy}, true
		})
		time.Sleep(time.Minute)
		d.step(gathered{})
		if led.State.Tallies.Counts[crawler.Leased] != 1 {
			t.Fatalf("the retry is not leased: %v", led.State.Tallies.Counts)
		}
		retryAt := d.row("http://a.test/1").RetryAt
		n, err := repairLedger(t.Context(), led, Lost{Rows: lostKeys("http://a.test/1")})
		if err != nil || n != 0 || led.Broken != nil {
			t.Fatalf("%d rows, %v; the ledger: %v", n, err, led.Broken)
		}
		r := d.row("http://a.test/1")
		if !r.Archive.IsZero() || !r.RetryAt.Equal(retryAt) || r.Attempts != 1 || led.State.Tallies.Counts[crawler.Leased] != 1 {
			t.Errorf("%+v, %v", r, led.State.Tallies.Counts)
		}
	})
	inBubble(t, "what waits again beyond a limit is parked", func(t *testing.T) {
		_, led := done(t)
		led.State.State.Job.MaxPerHost = 3
		if _, err := repairLedger(t.Context(), led, Lost{Rows: lostKeys("http://a.test/1")}); err != nil || led.Broken != nil {
			t.Fatalf("%v; the ledger: %v", err, led.Broken)
		}
		if led.State.Tallies.Parked != 1 || led.State.State.Finished.IsZero() {
			t.Errorf("%d parked, finished %v", led.State.Tallies.Parked, led.State.State.Finished)
		}
	})
	inBubble(t, "a robots file forgets its record and nothing else", func(t *testing.T) {
		_, led := done(t)
		file := crawler.HostRobots{RobotsFile: crawler.RobotsFile{Scheme: "http", Status: crawler.RobotsRules, Body: []byte("x"), Archive: crawler.Locator{File: "archive/f.warc.gz"}}}
		led.AllRobots["a.test"] = map[string]crawler.HostRobots{"http": file}
		if n, err := repairLedger(t.Context(), led, Lost{Robots: map[weburl.Host][]string{"a.test": {"http"}}}); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if got := led.AllRobots["a.test"]["http"]; !got.Archive.IsZero() || string(got.Body) != "x" || led.State.State.Finished.IsZero() {
			t.Errorf("%+v", got)
		}
	})
	inBubble(t, "a ledger that refuses is an error", func(t *testing.T) {
		_, led := done(t)
		led.Refuse = errors.New("disk full")
		if _, err := repairLedger(t.Context(), led, Lost{Rows: lostKeys("http://a.test/3")}); !errors.Is(err, led.Refuse) {
			t.Errorf("error %v", err)
		}
	})
}
