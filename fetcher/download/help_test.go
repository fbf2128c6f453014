package download

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/download/dial"
	"trawl/fetcher/fetchertest"
	"trawl/fetcher/lease"
)

// testLimits are short where a test waits for them to be hit, and the real ones elsewhere.
func testLimits() crawler.FetchLimits { return crawler.NewJob(crawler.Crawl).Fetch }

func testKit(t testing.TB) *bodyKit {
	t.Helper()
	kit, err := newBodyKit(t.TempDir(), new(testBacklog))
	if err != nil {
		t.Fatal(err)
	}
	return kit
}

// testTransport is a transport that may reach loopback, with a right that lasts for the test.
func testTransport(t testing.TB, set func(*transportOptions)) *transport {
	t.Helper()
	o := transportOptions{
		Options: dial.Options{Lease: lease.New(time.Now(), time.Hour), Guard: weburl.AddressGuard{All: true}},
		Limits:  testLimits(), Lanes: 2, Kit: testKit(t),
	}
	if set != nil {
		set(&o)
	}
	tr := newTransport(o)
	t.Cleanup(tr.close)
	return tr
}

func testExchange(t testing.TB, url string) *exchange {
	return &exchange{clock: testClock(t), request: request{url: fetchertest.MustURL(t, url), limits: testLimits(), keep: keepWire, links: true}}
}

func testClock(t testing.TB) *exchangeClock {
	c := new(exchangeClock)
	t.Cleanup(c.close)
	return c
}

// ask carries out an exchange as a lane does, with a client that does not follow redirects, and returns
// what the client got of the body.
func ask(t testing.TB, tr *transport, x *exchange) string {
	t.Helper()
	return askWith(t, t.Context(), tr, x, nil)
}

func askWith(t testing.TB, ctx context.Context, tr *transport, x *exchange, header http.Header) string {
	t.Helper()
	x.over = tr
	client := http.Client{Transport: x, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://placeholder.invalid/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	t.Cleanup(x.release)
	resp, err := client.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("the body handed over fails: %v", err)
	}
	return string(b)
}

// wantOutcome compares how an exchange ended.
func wantOutcome(t testing.TB, x *exchange, o crawler.Outcome, r crawler.Reason) {
	t.Helper()
	if x.verdict != Counts {
		t.Errorf("no result: %v; want %v %v", x.why, o, r)
	} else if x.result.Outcome != o || x.result.Reason != r {
		t.Errorf("%v %q (%s), want %v %q", x.result.Outcome, x.result.Reason, x.result.Detail, o, r)
	}
}

// kept reads what was spooled.
func kept(t testing.TB, x *exchange) []byte {
	t.Helper()
	b, err := x.spool.Body()
	if err != nil {
		t.Fatal(err)
	}
	if b.File == "" {
		return b.Bytes
	}
	content, err := os.ReadFile(b.File)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// fakeArchive keeps what was put.
type fakeArchive struct {
	err error
	got []crawler.Exchange
}

func (a *fakeArchive) Put(_ context.Context, x *crawler.Exchange) (crawler.Locator, error) {
	if a.err != nil {
		return crawler.Locator{}, a.err
	}
	c := *x
	c.Body.Bytes = bytes.Clone(x.Body.Bytes)
	a.got = append(a.got, c)
	return crawler.Locator{File: "archive/a.warc", Offset: 10, Length: 20}, nil
}

func (a *fakeArchive) Sync(context.Context) error { return nil }

// testPermit is a permit of a test; nil functions do nothing, and let the request be written.
type testPermit struct {
	onValid func() bool
	onWrote func()
	onHeard func(r crawler.Result)
}

func (l *testPermit) Valid() bool { return l.onValid == nil || l.onValid() }

func (l *testPermit) Wrote() {
	if l.onWrote != nil {
		l.onWrote()
	}
}

func (l *testPermit) Heard(r *crawler.Result) {
	if l.onHeard != nil {
		l.onHeard(*r)
	}
}
