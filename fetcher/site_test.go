package fetcher

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gocolly/colly/v2"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/fetcher/engine"
	"trawl/fetcher/fetchertest"
)

// archived is an archive that remembers what was put, and that it was synced before a part named it.
type archived struct {
	mu     sync.Mutex
	got    []crawler.Exchange
	synced int
}

func (a *archived) Put(_ context.Context, x *crawler.Exchange) (crawler.Locator, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := *x
	c.Body.Bytes = slices.Clone(x.Body.Bytes)
	a.got = append(a.got, c)
	return crawler.Locator{File: "archive/a", Offset: int64(len(a.got)), Length: 1}, nil
}

func (a *archived) Sync(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.synced = len(a.got)
	return nil
}

// durable counts the exchanges that were synced.
func (a *archived) durable() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return int64(a.synced)
}

// realWorld is a world in which a real fetcher asks a real server on loopback.
type realWorld struct {
	*world
	archive *archived
	prepare func(*colly.Collector)
	set     func(*Options) // nil = nothing to be set
	base    string         // http://127.0.0.1:port
}

func newRealWorld(t *testing.T, base string) *realWorld {
	t.Helper()
	r := &realWorld{world: newWorld(t), archive: &archived{}, base: base}
	r.job.AllowPrivate = []string{"all"}
	r.job.Delay = 0
	r.send = func(p *crawler.Part) error {
		for _, res := range p.Results {
			if res.Archive.Offset > r.archive.durable() {
				t.Errorf("part %d names %v before it is durable", p.Number, res.URL)
			}
		}
		return nil
	}
	return r
}

// fetch runs one turn with the paths and returns the results by path.
func (r *realWorld) fetch(paths ...string) map[string]crawler.Result {
	r.t.Helper()
	task := crawler.Task{Turn: testTurn, Host: fetchertest.MustURL(r.t, r.base).Host()}
	for _, p := range paths {
		task.URLs = append(task.URLs, crawler.TaskURL{URL: fetchertest.MustURL(r.t, r.base+p)})
	}
	r.offer(task)
	o := Options{
		Name: "f1", Workers: 2, Tasks: r, Scheduler: r, Reports: r, Archive: r.archive,
		SpoolDir: r.t.TempDir(), Engine: engine.NewColly(r.prepare, slog.New(slog.DiscardHandler)),
		Step: func(step string) {
			if step == StepLast {
				r.note("last")
			}
		},
	}
	if r.set != nil {
		r.set(&o)
	}
	f, err := New(o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(r.t.Context(), time.Minute)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for len(r.happened("last")) == 0 && ctx.Err() == nil {
		<-ticker.C
	}
	stop()
	<-ended
	out := make(map[string]crawler.Result)
	for u, res := range r.results() {
		out[strings.TrimPrefix(u, r.base)] = res
	}
	return out
}

func TestPagesGoThroughCollyToTheArchiveAndTheReport(t *testing.T) {
	s := fetchertest.Serve(t, func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/robots.txt":
			io.WriteString(w, "User-agent: trawl\nDisallow: /private\n")
		case "/moved":
			http.Redirect(w, req, "/page", http.StatusFound)
		case "/missing":
			http.NotFound(w, req)
		default:
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, `<title>One</title><a href="/a">a</a><a href="/a">a</a><img src="/i.png">`)
		}
	})
	r := newRealWorld(t, s.URL)
	r.job.IgnoreRobots = false
	got := r.fetch("/page", "/moved", "/missing", "/private/x")

	page := got["/page"]
	if page.Outcome != crawler.Fetched || page.Title != "One" || page.Links != 2 || page.Digest.IsZero() ||
		page.Archive.IsZero() || page.IP != "127.0.0.1" || page.Duration <= 0 {
		t.Errorf("page: %+v", page)
	}
	if m := got["/moved"]; m.Outcome != crawler.Redirected || m.RedirectTo.Path() != "/page" {
		t.Errorf("moved: %+v", m)
	}
	if m := got["/missing"]; m.Outcome != crawler.Failed || m.Reason != crawler.ReasonHTTPStatus || m.Status != 404 {
		t.Errorf("missing: %+v", m)
	}
	if m := got["/private/x"]; m.Outcome != crawler.Excluded || m.Reason != crawler.ReasonRobots {
		t.Errorf("private: %+v", m)
	}
	if links := strings.ReplaceAll(r.sentLinks(), r.base, ""); links != "/a /i.png /page" {
		t.Errorf("links: %s", links)
	}
	var stored []string
	for _, x := range r.archive.got {
		stored = append(stored, x.URL.Path())
	}
	if s := strings.Join(stored, " "); s != "/robots.txt /page /moved /missing" {
		t.Errorf("archived: %s", s)
	}
	if f := r.sentParts()[0].State.Robots; len(f) != 1 || f[0].Status != crawler.RobotsRules || f[0].Archive.IsZero() {
		t.Errorf("robots: %+v", f)
	}
}

func TestURLsGoOnTheWireByteForByte(t *testing.T) {
	paths := []string{"/a|b^c", "/%41%2f%e3", "/a[b];c='d'", "/q?x=%zz&y='|^`{}", "/q?", "/q??a=b#", "//double//slash", "/~a/b:c@d", "/%C3%BC"}
	var mu sync.Mutex
	var got []string
	s := fetchertest.ServeRaw(t, func(s *fetchertest.RawServer, _ int64, c net.Conn) {
		b := bufio.NewReader(c)
		for {
			head := s.Request(b)
			if head == "" {
				return
			}
			mu.Lock()
			got = append(got, strings.Fields(head)[1])
			mu.Unlock()
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	r := newRealWorld(t, strings.TrimSuffix(s.URL, "/"))
	r.fetch(paths...)
	want := make([]string, len(paths))
	for i, p := range paths {
		want[i] = fetchertest.MustURL(t, r.base+p).RequestURI()
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(got, want) {
		t.Errorf("asked for  %q\nwant       %q", got, want)
	}
}

func TestEnvironmentDoesNotChangeACollector(t *testing.T) {
	for k, v := range map[string]string{
		"ALLOWED_DOMAINS": "other.test", "DISALLOWED_DOMAINS": "127.0.0.1", "CACHE_DIR": t.TempDir(),
		"DETECT_CHARSET": "yes", "DISABLE_COOKIES": "no", "IGNORE_ROBOTSTXT": "no", "FOLLOW_REDIRECTS": "yes",
		"MAX_BODY_SIZE": "1", "MAX_DEPTH": "1", "MAX_REQUESTS": "1", "PARSE_HTTP_ERROR_RESPONSE": "no",
		"TRACE_HTTP": "yes", "USER_AGENT": "other",
	} {
		t.Setenv("COLLY_"+k, v)
	}
	var mu sync.Mutex
	agents := make(map[string]int)
	s := fetchertest.Serve(t, func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		agents[req.URL.Path+" "+req.UserAgent()]++
		mu.Unlock()
		if req.URL.Path == "/moved" {
			http.Redirect(w, req, "/0", http.StatusFound)
		}
		io.WriteString(w, "whole text")
	})
	r := newRealWorld(t, s.URL)
	r.job.UserAgent = "bot/1"
	text := make(chan string, 10)
	r.prepare = func(c *colly.Collector) { c.OnResponse(func(res *colly.Response) { text <- string(res.Body) }) }
	got := r.fetch("/0", "/1", "/moved")
	if len(got) != 3 || got["/1"].Outcome != crawler.Fetched || got["/moved"].Outcome != crawler.Redirected {
		t.Errorf("results: %+v", got)
	}
	if body := <-text; body != "whole text" {
		t.Errorf("colly was handed %q", body)
	}
	if len(agents) != 3 || agents["/0 bot/1"] != 1 {
		t.Errorf("the server saw %v", agents)
	}
}

func TestUsersOwnSettingsCannotGoRoundTheTransport(t *testing.T) {
	s := fetchertest.Serve(t, func(w http.ResponseWriter, req *http.Request) { io.WriteString(w, "<a href=/a>a</a>") })
	r := newRealWorld(t, s.URL)
	r.prepare = func(c *colly.Collector) {
		c.Async, c.IgnoreRobotsTxt, c.AllowedDomains = true, false, []string{"other.test"}
		c.SetProxy("http://127.0.0.1:1")
		c.OnHTML("a", func(e *colly.HTMLElement) { e.Request.Visit("/a") }) // has no right of its own
	}
	if got := r.fetch("/0", "/1"); got["/0"].Outcome != crawler.Fetched || got["/1"].Outcome != crawler.Fetched {
		t.Errorf("results: %+v", got)
	}
}

func TestPanicInACallbackFailsItsPageAlone(t *testing.T) {
	s := fetchertest.Serve(t, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<p>%s</p><a href=/a>a</a>", req.URL.Path)
	})
	r := newRealWorld(t, s.URL)
	r.prepare = func(c *colly.Collector) {
		c.OnHTML("p", func(e *colly.HTMLElement) {
			if e.Text == "/1" {
				panic("made by\nthe test")
			}
		})
		c.OnRequest(func(req *colly.Request) {
			if req.URL.Path == "/3" {
				req.Abort()
			}
		})
	}
	got := r.fetch("/0", "/1", "/2", "/3", "/4")
	for path, want := range map[string]crawler.Outcome{"/0": crawler.Fetched, "/1": crawler.Failed, "/2": crawler.Fetched, "/3": crawler.Failed, "/4": crawler.Fetched} {
		if res := got[path]; res.Outcome != want || (want == crawler.Failed) != (res.Reason == crawler.ReasonExtraction) {
			t.Errorf("%s: %+v", path, res)
		}
	}
	if d := got["/1"].Detail; !strings.Contains(d, "made by the test") {
		t.Errorf("detail: %q", d)
	}
	if got["/3"].URL.Path() != "/3" {
		t.Errorf("result without a URL: %+v", got["/3"])
	}
}

// farm notes when its requests came and were answered, and how many there were at once.
type farm struct {
	took time.Duration

	mu           sync.Mutex
	starts, ends []time.Time
	now, most    int
}

func (f *farm) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	f.mu.Lock()
	f.starts = append(f.starts, time.Now())
	f.now++
	f.most = max(f.most, f.now)
	f.mu.Unlock()
	pause(req.Context(), f.took)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now--
	f.ends = append(f.ends, time.Now())
}

// slack is what the ends of a loopback connection may disagree about.
const slack = 5 * time.Millisecond

func TestGapAtTheServer(t *testing.T) {
	const delay = 60 * time.Millisecond
	for name, c := range map[string]struct{ connections int }{
		"one connection, from end to start": {1}, "three, from start to start": {3},
	} {
		t.Run(name, func(t *testing.T) {
			f := &farm{took: 150 * time.Millisecond}
			s := httptest.NewServer(f)
			defer s.Close()
			r := newRealWorld(t, s.URL)
			r.job.Delay, r.job.PerHost, r.job.IgnoreRobots = delay, c.connections, false
			if got := r.fetch("/0", "/1", "/2", "/3", "/4", "/5"); len(got) != 6 {
				t.Errorf("%d results", len(got))
			}
			if f.most > c.connections || len(f.starts) != 7 {
				t.Errorf("%d at once, %d requests", f.most, len(f.starts))
			}
			for i := 1; i < len(f.starts); i++ {
				from := f.starts[i-1]
				if c.connections == 1 {
					from = f.ends[i-1]
				}
				if gap := f.starts[i].Sub(from); gap < delay-slack {
					t.Errorf("request %d comes after %v", i, gap)
				}
			}
		})
	}
}

func TestLanesWithoutDelayUseAllConnectionsAndNoMore(t *testing.T) {
	f := &farm{took: 30 * time.Millisecond}
	s := httptest.NewServer(f)
	defer s.Close()
	r := newRealWorld(t, s.URL)
	r.job.PerHost = 4
	var paths []string
	for i := range 24 {
		paths = append(paths, fmt.Sprintf("/%d", i))
	}
	if got := r.fetch(paths...); len(got) != 24 || f.most > 4 || f.most < 2 {
		t.Errorf("%d results, %d at once", len(got), f.most)
	}
}

func TestHostStateOfTheGrantGoesOnTheWire(t *testing.T) {
	s := fetchertest.Serve(t, func(w http.ResponseWriter, req *http.Request) {
		switch {
		case req.URL.Path == "/0":
			http.SetCookie(w, &http.Cookie{Name: "new", Value: "1", MaxAge: 100})
		case req.Header.Get("If-None-Match") == `"v"`:
			w.WriteHeader(http.StatusNotModified)
			return
		}
		user, password, _ := req.BasicAuth()
		fmt.Fprintf(w, "%s:%s %s %s", user, password, req.Header.Get("Cookie"), req.Header.Get("X-Own"))
	})
	r := newRealWorld(t, s.URL)
	r.job.Kind = crawler.Download
	r.job.Archive = crawler.ArchiveFiles
	r.job.Headers = []crawler.Header{{Name: "X-Own", Value: "mine"}}
	r.job.Bandwidth = crawler.MinBandwidth
	r.answer = func(int, crawler.Ask) (crawler.Answer, error) {
		a := r.grant()
		a.Cookies, a.Credentials = fetchertest.Granted("127.0.0.1", "old=1"), session.Credentials{HTTP: "me:secret"}
		a.Validators = []crawler.Validator{{URL: fetchertest.MustURL(t, r.base+"/2"), ETag: `"v"`}}
		return a, nil
	}
	got := r.fetch("/0", "/1", "/2")
	if got["/2"].Outcome != crawler.Unchanged {
		t.Errorf("unchanged: %+v", got["/2"])
	}
	if x := r.archive.got[1]; string(x.Body.Bytes) != "me:secret old=1; new=1 mine" || strings.Contains(string(x.Request), "Authorization") {
		t.Errorf("the server saw %q; archived %q", x.Body.Bytes, x.Request)
	}
	if c := r.sentParts()[0].State.Cookies; len(c) != 1 || c[0].Name != "new" || c[0].Path != "/" || c[0].Age != 100*time.Second {
		t.Errorf("cookies reported: %+v", c)
	}
}
