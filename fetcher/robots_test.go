package fetcher

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/download"
	"trawl/fetcher/fetchertest"
)

// inRobotsWorld runs a test of a job that obeys robots.txt, which is served from files by path.
func inRobotsWorld(t *testing.T, files map[string]download.Finding, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.job.IgnoreRobots = false
		w.job.UserAgent = "bot/1"
		w.robots = func(_ context.Context, u weburl.URL) download.Finding {
			if f, ok := files[u.String()]; ok {
				return f
			}
			return answered(404, "")
		}
		test(t, w)
	})
}

func rulesFile(lines ...string) download.Finding {
	f := answered(200, strings.Join(append([]string{"User-agent: *"}, lines...), "\n")+"\n")
	f.Result.Outcome = crawler.Fetched
	return f
}

func (w *world) paths() string {
	var paths []string
	for _, r := range w.asked() {
		paths = append(paths, strings.TrimPrefix(strings.TrimPrefix(r.url, "http://a.test"), "https://a.test"))
	}
	return strings.Join(paths, " ")
}

// robotsFiles lists what was reported, and checks that each came in a part of its own and before results.
func (w *world) robotsFiles() []crawler.RobotsFile {
	w.t.Helper()
	var files []crawler.RobotsFile
	results := false
	for _, p := range w.sentParts() {
		results = results || len(p.Results) > 0
		if len(p.State.Robots) == 0 {
			continue
		}
		if results || len(p.State.Robots) > 1 || len(p.Links) > 0 {
			w.t.Errorf("part %d: robots.txt after results or not alone", p.Number)
		}
		files = append(files, p.State.Robots...)
	}
	return files
}

func TestRobotsIsFetchedFirstOnceAndReportedAtOnce(t *testing.T) {
	files := map[string]download.Finding{"http://a.test/robots.txt": rulesFile("Disallow: /1")}
	inRobotsWorld(t, files, func(t *testing.T, w *world) {
		w.job.PerHost = 4
		w.task(pages(3)...)
		w.turn(time.Minute)
		if got := w.paths(); got != "/robots.txt /0 /2" && got != "/robots.txt /2 /0" { // four lanes: whichever is first
			t.Errorf("asked for %s", got)
		}
		if at, end := w.happened("stored 1")[0].at, w.asked()[0].end; at != end {
			t.Errorf("reported at %v, fetched at %v", at, end)
		}
		fs := w.robotsFiles()
		if len(fs) != 1 || fs[0].Status != crawler.RobotsRules || fs[0].Scheme != "http" ||
			fs[0].TTL != w.job.Robots.TTL || !strings.Contains(string(fs[0].Body), "/1") {
			t.Errorf("reported %+v", fs)
		}
		r := w.results()["http://a.test/1"]
		if r.Outcome != crawler.Excluded || r.Reason != crawler.ReasonRobots || r.Detail != "robots.txt line 2: Disallow: /1" {
			t.Errorf("result %+v", r)
		}
		if n := w.sentParts()[0].State.Requests; n != 1 {
			t.Errorf("%d requests reported", n)
		}
	})
}

func TestRobotsOfTheGrantIsNotFetchedAgain(t *testing.T) {
	inRobotsWorld(t, nil, func(t *testing.T, w *world) {
		w.answer = func(int, crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			a.Robots = []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsRules, TTL: time.Hour, Body: []byte("User-agent: *\nDisallow: /0")}}
			return a, nil
		}
		w.task("http://a.test/0", "http://a.test/1", "https://a.test/2")
		w.turn(time.Minute)
		if got := w.paths(); got != "/robots.txt /1 /2" || w.asked()[0].url != "https://a.test/robots.txt" {
			t.Errorf("asked for %s, first %s", got, w.asked()[0].url)
		}
	})
}

func TestRobotsIsFetchedAgainWhenItsTimeIsOver(t *testing.T) {
	inRobotsWorld(t, nil, func(t *testing.T, w *world) {
		w.answer = func(int, crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			a.Robots = []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsUnavailable, TTL: 1015 * time.Millisecond}}
			return a, nil
		}
		w.task(pages(3)...)
		w.turn(time.Minute)
		if got := w.paths(); got != "/0 /1 /robots.txt /2" {
			t.Errorf("asked for %s", got)
		}
	})
}

func TestLanesFetchAnExpiredRobotsOnce(t *testing.T) {
	files := map[string]download.Finding{"http://a.test/robots.txt": rulesFile("Disallow: /none")}
	inRobotsWorld(t, files, func(t *testing.T, w *world) {
		w.job.Delay, w.job.PerHost = 0, 4
		w.answer = func(int, crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			a.Robots = []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsUnavailable, TTL: 25 * time.Millisecond}}
			return a, nil
		}
		w.task(pages(100)...)
		w.turn(time.Minute)
		if n := strings.Count(w.paths(), "/robots.txt"); n != 1 || len(w.results()) != 100 {
			t.Errorf("%d results, asked for %s", len(w.results()), w.paths())
		}
	})
}

func TestLanesFetchAnExpiredRobotsOnceAlsoWhenItCannotBeReached(t *testing.T) {
	files := map[string]download.Finding{"http://a.test/robots.txt": answered(503, "")}
	inRobotsWorld(t, files, func(t *testing.T, w *world) {
		w.job.Delay, w.job.PerHost = 0, 4
		w.answer = func(int, crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			a.Robots = []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsUnavailable, TTL: 25 * time.Millisecond}}
			return a, nil
		}
		w.task(pages(100)...)
		w.turn(time.Minute)
		parts := w.sentParts()
		if n := strings.Count(w.paths(), "/robots.txt"); n != 1 || !strings.HasSuffix(w.paths(), "/robots.txt") || !parts[len(parts)-1].End {
			t.Errorf("asked for %s", w.paths())
		}
	})
}

func TestCrawlDelayCountsFromTheReadingOn(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		max  time.Duration
		want time.Duration
	}{
		"longer than the delay":   {"Crawl-delay: 3", time.Minute, 3 * time.Second},
		"shorter than the delay":  {"Crawl-delay: 0.5", time.Minute, time.Second},
		"cut at the job's most":   {"Crawl-delay: 50", 2 * time.Second, 2 * time.Second},
		"as long as a turn waits": {"Crawl-delay: 10", time.Minute, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inRobotsWorld(t, map[string]download.Finding{"http://a.test/robots.txt": rulesFile(c.line)}, func(t *testing.T, w *world) {
				w.job.MaxCrawl = c.max
				w.task(pages(3)...)
				w.turn(time.Minute)
				rs := w.asked()
				for i := 1; i < len(rs); i++ {
					if gap := rs[i].start - rs[i-1].end; gap != c.want {
						t.Errorf("gap %d is %v, want %v", i, gap, c.want)
					}
				}
				if len(rs) != 4 {
					t.Errorf("asked for %s", w.paths())
				}
			})
		})
	}
}

func TestCrawlDelayBeyondATurnEndsIt(t *testing.T) {
	inRobotsWorld(t, map[string]download.Finding{"http://a.test/robots.txt": rulesFile("Crawl-delay: 30")}, func(t *testing.T, w *world) {
		w.task(pages(3)...)
		w.turn(time.Minute)
		parts := w.sentParts()
		last := parts[len(parts)-1]
		if w.paths() != "/robots.txt" || !last.End || last.Wait != 30*time.Second {
			t.Errorf("asked for %s, last part %+v", w.paths(), last)
		}
	})
}

func TestRobotsThatCannotBeReachedEndsTheTurn(t *testing.T) {
	reset := download.Finding{}
	reset.Result.Outcome, reset.Result.Reason, reset.Result.Detail = crawler.Failed, crawler.ReasonReset, "connection reset"
	cut := answered(200, "User-agent: *\nDis")
	cut.Result.Outcome, cut.Result.Reason, cut.Result.Truncated = crawler.Failed, crawler.ReasonReset, true
	broken := answered(200, "User-agent: *\nAl")
	broken.Result.Outcome, broken.Result.Reason, broken.Result.Truncated = crawler.Failed, crawler.ReasonBadEncoding, true
	opaque := answered(200, "")
	opaque.Opaque = true
	for name, f := range map[string]download.Finding{
		"500": answered(500, ""), "429": answered(429, ""), "no answer": reset, "cut off by the net": cut, "broken in its coding": broken,
		"in a coding that is not known": opaque, "compressed without a word": answered(200, string(fetchertest.Gzipped([]byte("User-agent: *")))),
	} {
		t.Run(name, func(t *testing.T) {
			inRobotsWorld(t, map[string]download.Finding{"http://a.test/robots.txt": f}, func(t *testing.T, w *world) {
				w.job.PerHost = 3
				w.task(pages(3)...)
				w.turn(time.Minute)
				fs := w.robotsFiles()
				if w.paths() != "/robots.txt" || len(fs) != 1 || fs[0].Status != crawler.RobotsUnreachable || fs[0].Detail == "" {
					t.Errorf("asked for %s, reported %+v", w.paths(), fs)
				}
				parts := w.sentParts()
				if !parts[len(parts)-1].End || len(w.results()) > 0 || w.happened("close")[0].at > time.Second {
					t.Errorf("the turn goes on: %+v", parts)
				}
			})
		})
	}
}

func TestRobotsWithoutRulesAllows(t *testing.T) {
	for name, f := range map[string]download.Finding{
		"404": answered(404, ""), "403": answered(403, ""), "redirect without a target": answered(302, ""),
	} {
		t.Run(name, func(t *testing.T) {
			inRobotsWorld(t, map[string]download.Finding{"http://a.test/robots.txt": f}, func(t *testing.T, w *world) {
				w.task(pages(1)...)
				w.turn(time.Minute)
				if fs := w.robotsFiles(); w.paths() != "/robots.txt /0" || fs[0].Status != crawler.RobotsUnavailable || fs[0].TTL != w.job.Robots.TTL {
					t.Errorf("asked for %s, reported %+v", w.paths(), fs)
				}
			})
		})
	}
}

func TestRobotsInUTF16IsRead(t *testing.T) {
	f := answered(200, "\xff\xfe"+strings.Join(strings.Split("User-agent: *\nDisallow: /0\n", ""), "\x00")+"\x00")
	f.Result.Outcome = crawler.Fetched
	inRobotsWorld(t, map[string]download.Finding{"http://a.test/robots.txt": f}, func(t *testing.T, w *world) {
		w.task(pages(2)...)
		w.turn(time.Minute)
		if fs := w.robotsFiles(); w.paths() != "/robots.txt /1" || string(fs[0].Body) != "User-agent: *\nDisallow: /0\n" {
			t.Errorf("asked for %s, reported %q", w.paths(), fs[0].Body)
		}
	})
}

func TestRobotsThatWasCutAtOurLimitLosesItsLastLine(t *testing.T) {
	f := rulesFile("Disallow: /0", "Disallow: /1")
	f.Text = f.Text[:len(f.Text)-2]
	f.Result.Truncated = true
	inRobotsWorld(t, map[string]download.Finding{"http://a.test/robots.txt": f}, func(t *testing.T, w *world) {
		w.task(pages(2)...)
		w.turn(time.Minute)
		fs := w.robotsFiles()
		if string(fs[0].Body) != "User-agent: *\nDisallow: /0\n" || !fs[0].Truncated || w.paths() != "/robots.txt /1" {
			t.Errorf("asked for %s, reported %q", w.paths(), fs[0].Body)
		}
	})
}

func TestRobotsRedirectsAtTheSameHostAreFollowedUnderThePace(t *testing.T) {
	inRobotsWorld(t, nil, func(t *testing.T, w *world) {
		files := map[string]download.Finding{
			"http://a.test/robots.txt":  moved(t, "https://a.test/robots.txt"),
			"https://a.test/robots.txt": moved(t, "https://a.test/r"),
			"https://a.test/r":          rulesFile("Disallow: /0"),
		}
		w.robots = func(_ context.Context, u weburl.URL) download.Finding { return files[u.String()] }
		w.task(pages(2)...)
		w.turn(time.Minute)
		w.checkGaps(time.Second)
		if fs := w.robotsFiles(); w.paths() != "/robots.txt /robots.txt /r /1" || len(fs) != 1 || fs[0].Scheme != "http" {
			t.Errorf("asked for %s, reported %+v", w.paths(), fs)
		}
	})
}

func TestRobotsWithTooManyRedirectsAllows(t *testing.T) {
	inRobotsWorld(t, nil, func(t *testing.T, w *world) {
		w.job.Delay = 0
		w.robots = func(context.Context, weburl.URL) download.Finding { return moved(t, "http://a.test/again") }
		w.task(pages(1)...)
		w.turn(time.Minute)
		if fs := w.robotsFiles(); len(w.asked()) != 1+maxRobotsHops+1 || fs[0].Status != crawler.RobotsUnavailable {
			t.Errorf("asked for %s, reported %+v", w.paths(), fs)
		}
	})
}

func TestRobotsAtAnotherHostEndsTheTurnWithAnErrand(t *testing.T) {
	inRobotsWorld(t, nil, func(t *testing.T, w *world) {
		files := map[string]download.Finding{
			"http://a.test/robots.txt":  moved(t, "http://a.test/r"),
			"http://a.test/r":           moved(t, "http://b.test/robots.txt"),
			"https://a.test/robots.txt": answered(404, ""),
		}
		w.robots = func(_ context.Context, u weburl.URL) download.Finding { return files[u.String()] }
		w.task("http://a.test/0", "https://a.test/1")
		w.turn(time.Minute)
		want := crawler.RobotsHop{For: "a.test", Scheme: "http", URL: fetchertest.MustURL(t, "http://b.test/robots.txt"), Count: 2}
		if fs := w.robotsFiles(); w.paths() != "/robots.txt /r" || fs[0].Status != crawler.RobotsElsewhere || fs[0].Hop != want {
			t.Errorf("asked for %s, reported %+v", w.paths(), fs)
		}
	})
}

func TestErrandsComeFirstAndAreReportedAtOnce(t *testing.T) {
	inRobotsWorld(t, nil, func(t *testing.T, w *world) {
		files := map[string]download.Finding{
			"http://a.test/x": rulesFile("Disallow: /"),
			"http://a.test/y": moved(t, "http://c.test/robots.txt"),
			"http://a.test/z": moved(t, "http://a.test/z2"),
		}
		w.robots = func(_ context.Context, u weburl.URL) download.Finding {
			if f, ok := files[u.String()]; ok {
				return f
			}
			return answered(404, "")
		}
		task := crawler.Task{Turn: testTurn, Host: "a.test", URLs: []crawler.TaskURL{{URL: fetchertest.MustURL(t, "http://a.test/0")}}}
		for i, p := range []string{"x", "y", "z"} {
			task.Errands = append(task.Errands, crawler.RobotsHop{For: "b.test", Scheme: "https", URL: fetchertest.MustURL(t, "http://a.test/"+p), Count: 1 + 2*i})
		}
		w.offer(task)
		w.turn(time.Minute)
		w.checkGaps(time.Second)
		if got := w.paths(); got != "/x /y /z /robots.txt /0" {
			t.Errorf("asked for %s", got)
		}
		parts := w.sentParts()
		for i, hop := range task.Errands {
			if len(parts[i].State.Hops) != 1 || parts[i].State.Hops[0].Hop != hop {
				t.Fatalf("part %d: %+v", i+1, parts[i].State)
			}
		}
		if f := parts[0].State.Hops[0].File; f.Status != crawler.RobotsRules || f.Scheme != "https" {
			t.Errorf("first errand: %+v", f)
		}
		if a := parts[1].State.Hops[0]; a.Next != fetchertest.MustURL(t, "http://c.test/robots.txt") || a.File.Status != crawler.RobotsNone {
			t.Errorf("second errand: %+v", a)
		}
		if f := parts[2].State.Hops[0].File; f.Status != crawler.RobotsUnavailable {
			t.Errorf("third errand, after 6 redirects: %+v", f)
		}
	})
}

func TestErrandAloneNeedsNoRobots(t *testing.T) {
	inRobotsWorld(t, nil, func(t *testing.T, w *world) {
		w.offer(crawler.Task{Turn: testTurn, Host: "a.test", Errands: []crawler.RobotsHop{{For: "b.test", Scheme: "http", URL: fetchertest.MustURL(t, "http://a.test/x"), Count: 1}}})
		w.turn(time.Minute)
		if parts := w.sentParts(); w.paths() != "/x" || !parts[len(parts)-1].End {
			t.Errorf("asked for %s, parts %+v", w.paths(), parts)
		}
	})
}

func TestIgnoredRobotsIsNotAskedFor(t *testing.T) {
	yes := true
	for name, set := range map[string]func(*crawler.Job){
		"by the job":          func(j *crawler.Job) { j.IgnoreRobots = true },
		"by the host's rules": func(j *crawler.Job) { j.Hosts = []crawler.HostRule{{Match: "a.test", IgnoreRobots: &yes}} },
	} {
		t.Run(name, func(t *testing.T) {
			inRobotsWorld(t, map[string]download.Finding{"http://a.test/robots.txt": rulesFile("Disallow: /")}, func(t *testing.T, w *world) {
				set(&w.job)
				w.task(pages(2)...)
				w.turn(time.Minute)
				if w.paths() != "/0 /1" {
					t.Errorf("asked for %s", w.paths())
				}
			})
		})
	}
}
