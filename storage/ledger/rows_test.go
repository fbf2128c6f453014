package ledger

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"trawl/crawler"
	"trawl/crawler/explain"
	"trawl/crawler/weburl"
	"trawl/storage/storagetest"
)

func TestPeopleReadWhyARowWaits(t *testing.T) {
	retry := time.Unix(9, 0)
	for name, c := range map[string]struct {
		row    crawler.Row
		host   crawler.HostState
		job    func(*crawler.JobState)
		leased bool
		want   crawler.Outcome
		reason crawler.Reason
	}{
		"it waits for its host only": {},
		"it waits for a Crawl-delay": {host: crawler.HostState{CrawlDelay: time.Minute, Next: time.Now().Add(time.Hour)}, reason: crawler.ReasonCrawlDelay},
		"its Crawl-delay is over":    {host: crawler.HostState{CrawlDelay: time.Minute, Next: time.Now().Add(-time.Hour)}},
		"it waits for another try":   {row: crawler.Row{RetryAt: retry}, reason: crawler.ReasonRetry},
		"the job is paused":          {job: func(s *crawler.JobState) { s.Paused = true }, reason: crawler.ReasonPaused},
		"a retry of a paused job":    {row: crawler.Row{RetryAt: retry}, job: func(s *crawler.JobState) { s.Paused = true }, reason: crawler.ReasonRetry},
		"it is too deep":             {row: crawler.Row{Depth: 3}, job: func(s *crawler.JobState) { s.Job.Depth = 2 }, reason: crawler.ReasonLimit},
		"a retry that is too deep":   {row: crawler.Row{Depth: 3, RetryAt: retry}, job: func(s *crawler.JobState) { s.Job.Depth = 2 }, reason: crawler.ReasonLimit},
		"just deep enough":           {row: crawler.Row{Depth: 2}, job: func(s *crawler.JobState) { s.Job.Depth = 2 }},
		"its host has enough pages":  {job: func(s *crawler.JobState) { s.Job.MaxPerHost = 5 }, reason: crawler.ReasonLimit},
		"its host lacks pages":       {job: func(s *crawler.JobState) { s.Job.MaxPerHost = 6 }},
		"the job has enough pages":   {job: func(s *crawler.JobState) { s.Job.MaxPages = 7 }, reason: crawler.ReasonLimit},
		"the job lacks pages":        {job: func(s *crawler.JobState) { s.Job.MaxPages = 8 }},
		"it is leased":               {row: crawler.Row{RetryAt: retry}, leased: true, want: crawler.Leased},
		"it is leased, last failed":  {row: crawler.Row{Result: crawler.Result{Reason: crawler.ReasonDNS}}, leased: true, want: crawler.Leased},
		"a failure keeps its reason": {row: crawler.Row{Result: crawler.Result{Outcome: crawler.Failed, Reason: crawler.ReasonDNS}}, want: crawler.Failed, reason: crawler.ReasonDNS},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t, "ledger", small(vfs.NewMem()))
			r := c.row
			r.URL = weburl.MustParse("https://a.example/x")
			h := c.host
			h.Host = "a.example"
			h.Counts[crawler.Fetched] = 5
			state := crawler.JobState{Job: crawler.NewJob(crawler.Crawl)}
			if c.job != nil {
				c.job(&state)
			}
			tallies := crawler.Tallies{}
			tallies.Counts[crawler.Fetched] = 7
			change := &crawler.Changes{Rows: []crawler.RowChange{{New: &r}}, Hosts: []crawler.HostChange{{New: &h}}, State: &state, Tallies: &tallies}
			if c.leased {
				change.Turns = []crawler.TurnState{{ID: crawler.TurnID{1}, Host: h.Host, URLs: []uint64{9, r.Key().URL, 5}}}
			}
			storagetest.Commit(t, l, change)
			one, found, err := l.Row(r.URL)
			if err != nil || !found || one.Outcome != c.want || one.Reason != c.reason {
				t.Errorf("Row says %v, %v, %v", one, found, err)
			}
			if f, err := l.Facts(r.URL); err != nil || explain.Explain(&f).Row.Reason != c.reason {
				t.Errorf("explain says %+v, %v", explain.Explain(&f).Row, err)
			}
			for all, err := range l.All() {
				if err != nil || all.Outcome != c.want || all.Reason != c.reason {
					t.Errorf("All says %v, %v", all, err)
				}
			}
		})
	}
}

func TestARowThatWasNeverAdmittedIsNotFound(t *testing.T) {
	l := open(t, "ledger", small(vfs.NewMem()))
	if r, found, err := l.Row(weburl.MustParse("https://a.example/")); found || err != nil {
		t.Errorf("Row: %v, %v, %v", r, found, err)
	}
}

func TestAllReadsTheMomentItBegan(t *testing.T) {
	l := open(t, "ledger", small(vfs.NewMem()))
	put := func(url string) {
		r := &crawler.Row{Result: crawler.Result{URL: weburl.MustParse(url)}}
		storagetest.Commit(t, l, &crawler.Changes{Rows: []crawler.RowChange{{New: r}}})
	}
	put("https://a.example/1")
	put("https://b.example/1")
	var seen []string
	for r, err := range l.All() {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, r.URL.String())
		for _, h := range []string{"a", "b", "c", "d"} {
			put("https://" + h + ".example/late" + string(rune('0'+len(seen))))
		}
	}
	slices.Sort(seen)
	if !slices.Equal(seen, []string{"https://a.example/1", "https://b.example/1"}) {
		t.Errorf("All gave %v", seen)
	}
}

func TestReadersMayReadWhileTheWriterCommits(t *testing.T) {
	l := open(t, "ledger", small(vfs.NewMem()))
	m := storagetest.NewModel(21)
	storagetest.Commit(t, l, m.Step())
	done := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			b, err := l.Verify(t.Context())
			if err == nil {
				_, err = l.Due(10)
			}
			if err == nil {
				_, _, err = l.Queue("host1.example", time.Now(), -1, 100)
			}
			if err != nil || !b.OK() {
				t.Errorf("in the middle of commits: %v, %v", b.Differences, err)
				return
			}
		}
	})
	for range 150 {
		storagetest.Commit(t, l, m.Step())
	}
	close(done)
	reader.Wait()
	check(t, m, l)
}

func TestChangesThatMakeNoSenseAreRefusedWhole(t *testing.T) {
	l := open(t, "ledger", small(vfs.NewMem()))
	good := &crawler.Row{Result: crawler.Result{URL: weburl.MustParse("https://a.example/1")}}
	other := &crawler.Row{Result: crawler.Result{URL: weburl.MustParse("https://a.example/2")}}
	leased := *other
	leased.Outcome = crawler.Leased
	for name, c := range map[string]crawler.Changes{
		"a row without a new value":    {Rows: []crawler.RowChange{{New: good}, {Old: good}}},
		"a row that becomes another":   {Rows: []crawler.RowChange{{New: good}, {Old: good, New: other}}},
		"a row that says leased":       {Rows: []crawler.RowChange{{New: good}, {New: &leased}}},
		"a row without a URL":          {Rows: []crawler.RowChange{{New: good}, {New: new(crawler.Row)}}},
		"a host without a new value":   {Rows: []crawler.RowChange{{New: good}}, Hosts: []crawler.HostChange{{}}},
		"an errand that leads nowhere": {Rows: []crawler.RowChange{{New: good}}, Errands: []crawler.RobotsHop{{For: "a"}}},
	} {
		if err := l.Commit(&c); err == nil {
			t.Errorf("%s was taken", name)
		}
		if _, found, err := l.Row(good.URL); found || err != nil {
			t.Errorf("%s: a part of the change is there (%v)", name, err)
		}
	}
}
