package webfarm_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"trawl/internal/webfarm"
	"trawl/internal/webfarm/webfarmtest"
)

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not in 20 s: %s", what)
		}
	}
}

func TestTheAuditSeesWhatAPoliteClientDoes(t *testing.T) {
	o := webfarm.Options{Hosts: 3, PagesPerHost: 50, Robots: webfarm.RobotsOptions{Disallowed: 0.2}}
	f := webfarmtest.Start(t, o)
	c := client(t, f)
	for _, seed := range f.Seeds() {
		get(t, c, seed+"robots.txt")
	}
	n := int64(0)
	for p := range f.Expect() {
		if p.Outcome != "excluded" {
			get(t, c, p.URL)
			n++
		}
	}
	if b := f.Breaches(webfarm.Rules{}); len(b) > 0 {
		t.Errorf("breaches of a polite client: %q", b)
	}
	a := f.Audit().Total
	if a.Robots != 3 || a.Pages != n || a.Unique != n || a.Requests != n+3 || a.HostsAsked != 3 || a.MaxConcurrency != 1 ||
		a.MinGap < 0 || a.MinStartGap < a.MinGap || !a.Last.After(a.First) || a.MinGapHost == "" {
		t.Errorf("%+v after %d pages", a, n)
	}
}

func TestTheAuditCatchesBreaches(t *testing.T) {
	all := webfarm.Rules{}
	for name, c := range map[string]struct {
		o     webfarm.Options
		rules webfarm.Rules
		do    func(t *testing.T, f *webfarm.Farm, c *http.Client, seed string)
		want  string
	}{
		"too small a gap": {
			rules: webfarm.Rules{Delay: time.Hour},
			do: func(t *testing.T, f *webfarm.Farm, c *http.Client, seed string) {
				get(t, c, firstOf(f, webfarm.KindGood, 1).URL)
			}, want: "1h0m0s wanted",
		},
		"too small a gap from start to start": {
			rules: webfarm.Rules{Delay: time.Hour, PerHost: 2},
			do: func(t *testing.T, f *webfarm.Farm, c *http.Client, seed string) {
				get(t, c, firstOf(f, webfarm.KindGood, 1).URL)
			}, want: "from the start of a request",
		},
		"a gap smaller than the Crawl-delay": {
			o: webfarm.Options{Robots: webfarm.RobotsOptions{CrawlDelay: 30 * time.Second}}, rules: all,
			do: func(t *testing.T, f *webfarm.Farm, c *http.Client, seed string) { get(t, c, seed) }, want: "30s wanted",
		},
		"what robots.txt forbids": {
			o: webfarm.Options{Robots: webfarm.RobotsOptions{Disallowed: 0.3}}, rules: all,
			do: func(t *testing.T, f *webfarm.Farm, c *http.Client, seed string) {
				get(t, c, firstOf(f, webfarm.KindDisallowed, 0).URL)
			}, want: "1 requests that robots.txt forbids",
		},
		"what robots.txt forbids to one": {
			rules: all,
			do: func(t *testing.T, f *webfarm.Farm, c *http.Client, seed string) {
				get(t, c, firstOf(f, webfarm.KindGood, 1).URL, "User-Agent", "BarredBot/2.0")
			}, want: "1 requests that robots.txt forbids",
		},
		"an unknown page below a forbidden path": {
			rules: all,
			do: func(t *testing.T, f *webfarm.Farm, c *http.Client, seed string) {
				for _, s := range []string{"private", "members", "drafts", "tmp"} {
					get(t, c, seed+s+"/nothing")
				}
			}, want: "1 requests that robots.txt forbids",
		},
		"robots.txt twice": {
			rules: all,
			do:    func(t *testing.T, f *webfarm.Farm, c *http.Client, seed string) { get(t, c, seed+"robots.txt") },
			want:  "robots.txt asked for 2 times over http, 1 allowed",
		},
		"a page twice": {
			rules: all,
			do: func(t *testing.T, f *webfarm.Farm, c *http.Client, seed string) {
				get(t, c, seed)
				get(t, c, seed)
			}, want: "1 requests for URLs that had been answered",
		},
		"another Host header": {
			rules: all,
			do: func(t *testing.T, f *webfarm.Farm, c *http.Client, seed string) {
				q, err := http.NewRequestWithContext(t.Context(), "GET", seed, nil)
				if err != nil {
					t.Fatal(err)
				}
				q.Host = q.URL.Hostname() // without the port
				r, err := c.Do(q)
				if err != nil || r.StatusCode != 200 {
					t.Fatalf("%v %v, want an answer all the same", r, err)
				}
				r.Body.Close()
			}, want: "1 requests with another Host header",
		},
		"before the Retry-After": {
			o: webfarm.Options{Faults: webfarm.Faults{Throttled: 0.3, RetryAfter: time.Hour}}, rules: all,
			do: func(t *testing.T, f *webfarm.Farm, c *http.Client, seed string) {
				get(t, c, firstOf(f, webfarm.KindThrottled, 0).URL)
				get(t, c, seed)
			}, want: "1 requests before the time of a Retry-After",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Hosts, c.o.PagesPerHost = 1, 60
			f := webfarmtest.Start(t, c.o)
			cl := client(t, f)
			seed := f.Seeds()[0]
			get(t, cl, seed+"robots.txt")
			if b := f.Breaches(c.rules); len(b) > 0 {
				t.Fatalf("breaches before any: %q", b)
			}
			c.do(t, f, cl, seed)
			if b := strings.Join(f.Breaches(c.rules), "\n"); !strings.Contains(b, c.want) || !strings.HasPrefix(b, f.Audit().Hosts[0].Host) {
				t.Errorf("breaches: %q, want %q", b, c.want)
			}
			f.ResetAudit()
			if b := f.Breaches(c.rules); len(b) > 0 {
				t.Errorf("breaches after a reset: %q", b)
			}
		})
	}
}

// firstOf is the first page of a kind, from page n on.
func firstOf(f *webfarm.Farm, k webfarm.Kind, n int) webfarm.Page {
	for p := range f.Expect() {
		if n--; n < 0 && p.Kind == k {
			return p
		}
	}
	return webfarm.Page{}
}

func TestAPageBeforeRobotsIsABreach(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 1, Robots: webfarm.RobotsOptions{Error: 1}})
	c := client(t, f)
	for range 2 { // robots.txt fails once
		get(t, c, f.Seeds()[0])
		get(t, c, f.Seeds()[0]+"robots.txt")
	}
	get(t, c, f.Seeds()[0])
	if b := f.Breaches(webfarm.Rules{Repeats: true}); len(b) != 1 || !strings.Contains(b[0], "2 requests before robots.txt") {
		t.Errorf("%q", b)
	}
	if b := f.Breaches(webfarm.Rules{Repeats: true, NoRobots: true}); len(b) != 0 {
		t.Errorf("%q, though nobody asked for robots.txt", b)
	}
}

func TestTwoAtOnceAreSeenAndAClientThatLeavesEndsItsRequest(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 1, Latency: time.Hour})
	address := f.Audit().Hosts[0].Host
	open := func() net.Conn {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+address+"\r\n\r\n")
		return c
	}
	requests := func() int64 { return f.Audit().Total.Requests }
	first := open()
	until(t, "the first request", func() bool { return requests() == 1 })
	first.Close()
	until(t, "the end of the first request", func() bool { return !f.Audit().Total.Last.IsZero() })
	second := open()
	defer second.Close()
	until(t, "the second request", func() bool { return requests() == 2 })
	if b := f.Breaches(webfarm.Rules{NoRobots: true}); len(b) > 0 {
		t.Fatalf("%q, though the first client had left", b)
	}
	third := open()
	defer third.Close()
	until(t, "the third request", func() bool { return requests() == 3 })
	if b := f.Breaches(webfarm.Rules{NoRobots: true}); len(b) != 1 || !strings.Contains(b[0], "2 requests at once, 1 allowed") {
		t.Errorf("%q", b)
	}
	if b := f.Breaches(webfarm.Rules{NoRobots: true, PerHost: 2}); len(b) != 0 {
		t.Errorf("%q, though two are allowed", b)
	}
}

func TestSlowAnswersCountUntilTheirEnd(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 1, PagesPerHost: 2, MinBytes: 50_000, Bandwidth: 1 << 20})
	c := client(t, f)
	get(t, c, f.Seeds()[0])
	get(t, c, f.Seeds()[0])
	a := f.Audit().Hosts[0]
	if pauses := 30 * time.Millisecond; a.MinStartGap < pauses || a.MinGap > a.MinStartGap-pauses { // 50 kB at 1 MiB/s
		t.Errorf("%v from start to start, %v from end to start", a.MinStartGap, a.MinGap)
	}
}
