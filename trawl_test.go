package trawl_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"trawl"
	"trawl/crawler"
	"trawl/internal/webfarm"
	"trawl/internal/webfarm/webfarmtest"
	"trawl/storage/archive"
	"trawl/storage/ledger"
)

// everything is a web in which every sort of page and of robots.txt occurs, but for those that make a crawler
// wait for seconds.
func everything() webfarm.Options {
	return webfarm.Options{
		Hosts: 8, PagesPerHost: 60, Links: 12, CrossHost: 0.2, Gzip: 0.3, Chunked: 0.3, MinBytes: 3000, MaxBytes: 9000,
		Faults: webfarm.Faults{
			NotFound: 0.06, ServerError: 0.03, Flaky: 0.06, Reset: 0.03, Truncated: 0.03,
			Redirect: 0.06, RedirectCross: 0.05, RedirectChain: 0.04, RedirectLoop: 0.03,
		},
		Robots: webfarm.RobotsOptions{Disallowed: 0.08, Missing: 0.2, Redirect: 0.2},
	}
}

// farmJob is a job over all of a farm, with short waits.
func farmJob() trawl.Job {
	job := trawl.NewJob(trawl.KindCrawl)
	job.Delay = 0
	job.Retry.Retries, job.Retry.Base = 2, 50*time.Millisecond
	return job
}

// crawl runs a job in a directory and closes it.
func crawl(t *testing.T, ctx context.Context, job trawl.Job, o trawl.Options) (trawl.Ending, trawl.Status) {
	t.Helper()
	o.Logger = testLogger(t, slog.LevelWarn)
	c, err := trawl.New(job, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := c.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return c.Ending(), c.Status()
}

func testLogger(t *testing.T, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level}))
}

// kept opens the ledger of a directory that nobody works in, checks that it balances, and returns its rows.
func kept(t *testing.T, dir string) []*crawler.Row {
	t.Helper()
	l, err := ledger.Open(filepath.Join(dir, "ledger"), ledger.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b, err := l.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range b.Differences {
		t.Errorf("the ledger does not balance: %s", d)
	}
	var rows []*crawler.Row
	for r, err := range l.All() {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

// facts are the columns in which two runs are equal, by URL.
func facts(rows []*crawler.Row) map[string]string {
	m := make(map[string]string, len(rows))
	for _, r := range rows {
		m[r.URL.String()] = fmt.Sprint(r.Outcome, " ", r.Reason, " ", r.Status, " ", r.Bytes, " ", r.Digest, " truncated=", r.Truncated, " to=", r.RedirectTo)
	}
	return m
}

// expected are the facts that a farm's own account asks for. Where a body depends on what the network did with
// it (after a reset), its length and digest are taken from the row.
func expected(f *webfarm.Farm, rows []*crawler.Row) map[string]string {
	got := make(map[string]*crawler.Row, len(rows))
	for _, r := range rows {
		got[r.URL.String()] = r
	}
	m := make(map[string]string)
	for p := range f.Expect() {
		digest, bytes, status := "sha256:"+hex.EncodeToString(p.SHA256[:]), p.Bytes, p.Status
		truncated := p.Kind == webfarm.KindTruncated
		switch r := got[p.URL]; {
		case p.Outcome == "excluded":
			digest, bytes, status = "", 0, 0
		case p.Kind == webfarm.KindReset && r != nil:
			digest, bytes, truncated = r.Digest.String(), r.Bytes, r.Truncated
		}
		m[p.URL] = fmt.Sprint(p.Outcome, " ", p.Reason, " ", status, " ", bytes, " ", digest, " truncated=", truncated, " to=", p.RedirectTo)
	}
	return m
}

// compare reports up to a few URLs whose facts differ.
func compare(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	const most = 10
	differ := 0
	say := func(format string, args ...any) {
		if differ++; differ <= most {
			t.Errorf(what+": "+format, args...)
		}
	}
	for url, w := range want {
		if g, ok := got[url]; !ok {
			say("%s has no row, want %s", url, w)
		} else if g != w {
			say("%s\n  is   %s\n  want %s", url, g, w)
		}
	}
	for url, g := range got {
		if _, ok := want[url]; !ok {
			say("%s is not there, and has the row %s", url, g)
		}
	}
	if differ > most {
		t.Errorf("%s: %d rows differ in all", what, differ)
	}
}

// verifyRecords reads the record of every row that has a body.
func verifyRecords(t *testing.T, dir string, rows []*crawler.Row) {
	t.Helper()
	n := 0
	for _, r := range rows {
		if r.Archive.IsZero() {
			if r.Outcome == crawler.Fetched {
				t.Errorf("%s is fetched and has no record", r.URL)
			}
			continue
		}
		n++
		if err := archive.VerifyRecord(dir, r.Archive, r.Digest); err != nil {
			t.Errorf("the record of %s (%v): %v", r.URL, r.Outcome, err)
		}
	}
	if n == 0 {
		t.Error("no row has a record")
	}
}

func breaches(t *testing.T, f *webfarm.Farm, r webfarm.Rules) {
	t.Helper()
	for _, b := range f.Breaches(r) {
		t.Errorf("the server saw: %s", b)
	}
}

func TestACrawlFindsWhatIsThere(t *testing.T) {
	for name, change := range map[string]func(*trawl.Job){
		"with one connection a host":   func(*trawl.Job) {},
		"with four connections a host": func(j *trawl.Job) { j.PerHost = 4 },
		"with a delay":                 func(j *trawl.Job) { j.Delay = 20 * time.Millisecond },
		"with plain WARC files":        func(j *trawl.Job) { j.Compress = crawler.CompressNone },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := webfarmtest.Start(t, everything())
			job := farmJob()
			change(&job)
			dir := t.TempDir()
			ending, status := crawl(t, t.Context(), job, trawl.Options{Dir: dir, Seeds: trawl.ReadSeeds(f.Seeds(), nil)})
			if ending != trawl.Done {
				t.Errorf("the crawl ended %q, want done", ending)
			}
			rows := kept(t, dir)
			compare(t, "the crawl", facts(rows), expected(f, rows))
			verifyRecords(t, dir, rows)
			breaches(t, f, webfarm.Rules{Delay: job.Delay, PerHost: job.PerHost})
			if status.Seen != int64(f.Total()) || status.Waiting+status.Leased != 0 {
				t.Errorf("status tells of %d URLs, %d waiting and %d leased; want %d and none", status.Seen, status.Waiting, status.Leased, f.Total())
			}
			if sum := status.Fetched + status.Redirected + status.Unchanged + status.Failed + status.Excluded; sum != status.Seen {
				t.Errorf("status does not balance: %+v", status)
			}
		})
	}
}

// Retry-After and the back-off after it hold for the whole host. With several connections this cannot be
// asked: those beside the one that is told may send a request each before it is read.
func TestAHostThatAsksForTimeIsGivenIt(t *testing.T) {
	t.Parallel()
	o := everything()
	o.Hosts, o.PagesPerHost, o.Faults.Throttled = 3, 40, 0.04
	f := webfarmtest.Start(t, o)
	dir := t.TempDir()
	crawl(t, t.Context(), farmJob(), trawl.Options{Dir: dir, Seeds: trawl.ReadSeeds(f.Seeds(), nil)})
	rows := kept(t, dir)
	compare(t, "the crawl", facts(rows), expected(f, rows))
	throttled := 0
	for p := range f.Expect() {
		if p.Kind == webfarm.KindThrottled {
			throttled++
		}
	}
	if throttled == 0 {
		t.Error("no page of the web asks for time")
	}
	breaches(t, f, webfarm.Rules{})
}

// The first seed alone leads to everything; the other hosts' addresses are private, and have to be allowed.
func TestACrawlOfAnyHostFollowsAllLinks(t *testing.T) {
	t.Parallel()
	f := webfarmtest.Start(t, everything())
	job := farmJob()
	job.Scope, job.AllowPrivate = crawler.ScopeAny, []string{"127.0.0.0/8"}
	dir := t.TempDir()
	crawl(t, t.Context(), job, trawl.Options{Dir: dir, Seeds: trawl.ReadSeeds(f.Seeds()[:1], nil)})
	rows := kept(t, dir)
	compare(t, "the crawl", facts(rows), expected(f, rows))
	for _, r := range rows {
		if r.Seed != f.Seeds()[0] || (r.Via == "") != (r.URL.String() == f.Seeds()[0]) {
			t.Errorf("%s has the seed %q and came from %q", r.URL, r.Seed, r.Via)
		}
	}
	breaches(t, f, webfarm.Rules{})
}

// A crawl that is interrupted again and again, at moments that the server chooses, ends as one that is not.
func TestAnInterruptedCrawlGoesOn(t *testing.T) {
	t.Parallel()
	o := everything()
	o.Latency = 2 * time.Millisecond
	f := webfarmtest.Start(t, o)
	job := farmJob()
	job.Delay = 5 * time.Millisecond
	dir := t.TempDir()
	interrupted := 0
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		goal := f.Audit().Total.Requests + 90
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			cancelAt(ctx, cancel, f, goal)
		}()
		ending, status := crawl(t, ctx, job, trawl.Options{Dir: dir, Seeds: trawl.ReadSeeds(f.Seeds(), nil)})
		cancel()
		<-watched
		kept(t, dir)
		if ending == trawl.Done {
			break
		}
		interrupted++
		if ending != trawl.Interrupted || status.HostsHeld != 0 {
			t.Fatalf("ended %q with %d hosts held, want interrupted and none", ending, status.HostsHeld)
		}
	}
	if interrupted < 3 {
		t.Errorf("interrupted %d times, want several", interrupted)
	}
	rows := kept(t, dir)
	compare(t, "the crawl", facts(rows), expected(f, rows))
	verifyRecords(t, dir, rows)
	breaches(t, f, webfarm.Rules{Delay: job.Delay})
}

// cancelAt cancels when the farm has had a number of requests.
func cancelAt(ctx context.Context, cancel func(), f *webfarm.Farm, requests int64) {
	t := time.NewTicker(time.Millisecond)
	defer t.Stop()
	for f.Audit().Total.Requests < requests {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
	cancel()
}

func TestADownloadKeepsFilesUnderTheListedNames(t *testing.T) {
	t.Parallel()
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 3, PagesPerHost: 20, MinBytes: 3000, MaxBytes: 5000, Links: 2})
	urls := slices.Collect(f.URLs())
	job := trawl.NewJob(trawl.KindDownload)
	dir := t.TempDir()
	ending, status := crawl(t, t.Context(), job, trawl.Options{Dir: dir, Seeds: trawl.ReadSeeds(append(urls, urls...), nil)})
	if ending != trawl.Done || status.Fetched != int64(len(urls)) {
		t.Errorf("ended %q with %d fetched of %d", ending, status.Fetched, len(urls))
	}
	rows := kept(t, dir)
	for _, r := range rows {
		if want := "files/" + crawler.FileName(r.URL); r.Archive.File != want {
			t.Errorf("%s is in %s, want %s", r.URL, r.Archive.File, want)
		}
	}
	verifyRecords(t, dir, rows)
	breaches(t, f, webfarm.Rules{PerHost: job.PerHost})
}
