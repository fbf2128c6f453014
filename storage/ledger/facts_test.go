package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"trawl/crawler"
	"trawl/crawler/explain"
	"trawl/crawler/weburl"
	"trawl/storage/storagetest"
)

func TestFactsOfAURL(t *testing.T) {
	p := plant(t)
	facts := func(url string) explain.Facts {
		t.Helper()
		f, err := p.Facts(weburl.MustParse(url))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := facts("https://busy.example/leased")
	if f.Row == nil || f.Row.Outcome != crawler.Leased || f.Turn == nil || f.Turn.ID != p.turn.ID || f.Host == nil || f.Host.Retry != 1 {
		t.Errorf("a leased row: %+v", f)
	}
	if f.Tallies.Seen() != 5 || f.Job.Job.Kind != crawler.Crawl || f.Now.Before(time.Now().Add(-time.Hour)) {
		t.Errorf("the job: %+v", f)
	}
	if f := facts("https://busy.example/nothing"); f.Row != nil || f.Host == nil || f.Turn == nil {
		t.Errorf("a URL that was never seen, of a host that was: %+v", f)
	}
	if f := facts("https://other.example/"); f.Row != nil || f.Host != nil || f.Turn != nil {
		t.Errorf("a host that was never seen: %+v", f)
	}
}

func TestFactsTellTheWayFromTheSeed(t *testing.T) {
	l := open(t, "ledger", small(vfs.NewMem()))
	job := crawler.NewJob(crawler.Crawl)
	job.Scope = crawler.ScopePrefix
	via := ""
	for i := range explain.MaxChain + 2 {
		r := &crawler.Row{Result: crawler.Result{URL: weburl.MustParse("http://a.test/b/" + strings.Repeat("x", i))}, Via: via, Sequence: uint64(i + 1)}
		via = r.URL.String()
		storagetest.Commit(t, l, &crawler.Changes{Rows: []crawler.RowChange{{New: r}}, State: &crawler.JobState{Job: job}, Scope: []crawler.ScopeSeed{"prefix a.test/b/", "prefix a.test/c/"}})
	}
	for n, want := range map[int]int{0: 0, 1: 1, explain.MaxChain: explain.MaxChain, explain.MaxChain + 1: explain.MaxChain} {
		f, err := l.Facts(weburl.MustParse("http://a.test/b/" + strings.Repeat("x", n)))
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Chain) != want || f.Cut != (n > explain.MaxChain) {
			t.Errorf("%d pages from the seed: a chain of %d, cut %v", n, len(f.Chain), f.Cut)
		}
		if want > 0 && len(f.Chain[0].URL.String()) != len(f.URL.String())-1 {
			t.Errorf("%d pages from the seed: the nearest is %s", n, f.Chain[0].URL)
		}
		if len(f.Opened) != 1 || f.Opened[0] != "prefix a.test/b/" {
			t.Errorf("opened by %v", f.Opened)
		}
	}
}
