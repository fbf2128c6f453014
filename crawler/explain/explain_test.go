package explain

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

var explainNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// factsOf is a running job that has seen one URL, which waits; change makes the case.
func factsOf(t *testing.T, change func(*Facts)) *Facts {
	t.Helper()
	u, err := weburl.Parse("https://a.test/dir/page?q=1")
	if err != nil {
		t.Fatal(err)
	}
	job := crawler.NewJob(crawler.Crawl)
	f := &Facts{
		URL: u, Now: explainNow, State: "running", Opened: []crawler.ScopeSeed{"host a.test"},
		Job:  crawler.JobState{Job: job, Given: job},
		Row:  &crawler.Row{Result: crawler.Result{URL: u}, Depth: 1, Via: "https://a.test/", Seed: "https://a.test/", FirstSeen: explainNow.Add(-time.Hour)},
		Host: &crawler.HostState{Host: "a.test", Next: explainNow.Add(-time.Second)},
	}
	f.Host.Counts[crawler.Waiting] = 1
	change(f)
	return f
}

func failedRow(why crawler.Reason, status int, detail string) func(*Facts) {
	return func(f *Facts) {
		f.Row.Outcome, f.Row.Reason, f.Row.Status, f.Row.Detail, f.Row.Attempts = crawler.Failed, why, status, detail, 1
	}
}

func robotsOf(body string) []crawler.HostRobots {
	return []crawler.HostRobots{{
		RobotsFile: crawler.RobotsFile{Scheme: "https", Status: crawler.RobotsRules, HTTP: 200, Body: []byte(body)},
		Fetched:    explainNow.Add(-time.Hour), Expires: explainNow.Add(23 * time.Hour),
	}}
}

// explained has a case for every reason; the test below finds one that is missing.
var explained = []struct {
	name                string
	reason              crawler.Reason // of the row's story
	facts               func(*Facts)
	rule, place, change string // parts of them
	next                string
}{
	{"a name that cannot be resolved", crawler.ReasonDNS, failedRow(crawler.ReasonDNS, 0, "no such host"),
		"could not be resolved (no such host)", "resolver", "`retry-failed` dns", "never again"},
	{"no connection", crawler.ReasonConnect, failedRow(crawler.ReasonConnect, 0, "connection refused"),
		"no connection could be made (connection refused)", "network", "`retry-failed` connect", "never again"},
	{"a bad certificate", crawler.ReasonTLS, failedRow(crawler.ReasonTLS, 0, "unknown authority"),
		"certificates are always verified", "certificate", "`ca-file`", "never again"},
	{"a server that is too slow", crawler.ReasonTimeout, failedRow(crawler.ReasonTimeout, 0, "no byte for 1m0s"),
		"`timeout` 1m0s without a byte", "`timeout`, in job.yaml", "a longer `timeout`", "never again"},
	{"a connection that ended", crawler.ReasonReset, failedRow(crawler.ReasonReset, 0, "EOF"),
		"ended in the middle", "the answer of a.test", "`retry-failed` reset", "never again"},
	{"something that is not HTTP", crawler.ReasonProtocol, failedRow(crawler.ReasonProtocol, 0, "malformed"),
		"not HTTP as it should be", "the answer of a.test", "port", "never again"},
	{"a page that is gone", crawler.ReasonHTTPStatus, failedRow(crawler.ReasonHTTPStatus, 404, "404 Not Found"),
		"HTTP 404: an answer that is not 2xx, 304 or a redirect is a failure, and this one is final at once", "the answer of a.test", "the page is gone", "never again"},
	{"a server that was too busy for too long", crawler.ReasonHTTPStatus, func(f *Facts) {
		failedRow(crawler.ReasonHTTPStatus, 503, "503 Service Unavailable")(f)
		f.Row.Attempts, f.Row.Tries = 13, 4
	}, "13 fetches were made, 4 of them count (`retries` 3)", "the answer of a.test", "a longer `delay`", "never again"},
	{"a page behind a login", crawler.ReasonHTTPStatus, failedRow(crawler.ReasonHTTPStatus, 403, ""),
		"HTTP 403", "the answer of a.test", "credentials", "never again"},
	{"a chain of redirects", crawler.ReasonTooManyRedirects, failedRow(crawler.ReasonTooManyRedirects, 302, ""),
		"`max-redirects` 10: a chain has so many at most", "job.yaml", "loop", "never again"},
	{"redirects that come back", crawler.ReasonTooManyRedirects, failedRow(crawler.ReasonTooManyRedirects, 302, session.CameBack+"http://a.test/"),
		"only when it would be asked with other cookies", "the answers of a.test", "`cookies`", "never again"},
	{"a redirect to nowhere", crawler.ReasonBadRedirect, failedRow(crawler.ReasonBadRedirect, 302, `Location "mailto:x": not an http or https URL`),
		"must lead to an http or https URL", "the Location", "the site must mend it", "never again"},
	{"a body that cannot be decoded", crawler.ReasonBadEncoding, failedRow(crawler.ReasonBadEncoding, 200, "gzip: invalid header"),
		"Content-Encoding", "the answer of a.test", "the server must mend it", "never again"},
	{"a private address", crawler.ReasonPrivateAddress, failedRow(crawler.ReasonPrivateAddress, 0, "a.test is at the private address 10.0.0.1"),
		"only when a seed spells them", "`allow-private`", "`allow-private` NETWORK", "never again"},
	{"a robots.txt that could not be read", crawler.ReasonRobotsUnreachable, failedRow(crawler.ReasonRobotsUnreachable, 0, "robots.txt could not be read: 500"),
		"RFC 9309", "robots.txt of the host", "`retry-failed` robots_unreachable", "never again"},
	{"a page that takes fetchers down", crawler.ReasonLost, failedRow(crawler.ReasonLost, 0, "lost with its fetcher 10 times"),
		"10 turns that lapsed", "trawl's own", "fetchers' logs", "never again"},
	{"a trap", crawler.ReasonTrap, failedRow(crawler.ReasonTrap, 0, ""), "made-up pages", "trawl's own", "`exclude`", "never again"},
	{"a full disk", crawler.ReasonArchive, failedRow(crawler.ReasonArchive, 200, "no space left on device"),
		"could not be stored", "the disk of the fetcher", "full or broken disk", "never again"},
	{"a rule of extraction that failed", crawler.ReasonExtraction, failedRow(crawler.ReasonExtraction, 200, ""),
		"what reads it failed", "extraction rules", "mend the rule", "never again"},
	{"a body that is not the one of the list", crawler.ReasonDigest, failedRow(crawler.ReasonDigest, 200, "the list asks for another"),
		"whose digest the list has", "the list, or the server", "`retry-failed` digest", "never again"},
	{"a host that was given up", crawler.ReasonConnect, func(f *Facts) {
		failedRow(crawler.ReasonConnect, 0, "the host never answered in 4 attempts, the last: refused")(f)
		f.Row.Attempts, f.Host.GivenUp, f.Host.GivenUpDetail = 0, crawler.ReasonConnect, f.Row.Detail
	}, "its host was given up: the host never answered in 4 attempts, the last: refused", "host a.test", "`retry-failed` connect", "never again"},
	{"a reason of a later trawl", "later", failedRow("later", 0, ""), "reason later", "another version", "`retry-failed` later", "never again"},

	{"robots.txt disallows it", crawler.ReasonRobots, func(f *Facts) {
		f.Row.Outcome, f.Row.Reason, f.Row.Detail = crawler.Excluded, crawler.ReasonRobots, "robots.txt line 3: Disallow: /dir"
		f.Robots = robotsOf("User-agent: *\nAllow: /\nDisallow: /dir\n")
	}, "Disallow: /dir", "line 3 of https://a.test/robots.txt, read 2026-03-01 11:00:00", "`ignore-robots`", "never again"},
	{"robots.txt disallowed it and is another one now", crawler.ReasonRobots, func(f *Facts) {
		f.Row.Outcome, f.Row.Reason, f.Row.Detail = crawler.Excluded, crawler.ReasonRobots, "robots.txt line 3: Disallow: /dir"
		f.Robots = robotsOf("")
	}, "robots.txt line 3: Disallow: /dir", "https://a.test/robots.txt", "`ignore-robots`", "never again"},
	{"a type that is not wanted", crawler.ReasonType, func(f *Facts) {
		f.Row.Outcome, f.Row.Reason, f.Row.ContentType = crawler.Excluded, crawler.ReasonType, "image/png"
		f.Job.Job.Accept = []string{"text/html", "text/plain"}
	}, "`accept` text/html,text/plain: the server says \"image/png\"", "`accept`, in job.yaml", "`accept` with this type", "never again"},

	{"a retry", crawler.ReasonRetry, func(f *Facts) {
		f.Row.Status, f.Row.Detail, f.Row.Attempts, f.Row.Tries, f.Row.RetryAt = 500, "500 Internal Server Error", 2, 2, explainNow.Add(20*time.Second)
	}, "`retries` 3: try 2 of 4 failed (HTTP 500", "`retries`, in job.yaml", "`retries` 0", "not before 2026-03-01T12:00:20Z (in 20s)"},
	{"a refusal", crawler.ReasonRetry, func(f *Facts) {
		f.Row.Status, f.Row.Detail, f.Row.Attempts, f.Row.Spared, f.Row.RetryAt = 503, "503 Service Unavailable", 2, 2, explainNow.Add(20*time.Second)
	}, "`retries` 3: fetch 2 was not taken, which costs no try (HTTP 503", "`retries`, in job.yaml", "`retries` 0", "not before 2026-03-01T12:00:20Z (in 20s)"},
	{"a host that is away", "", func(f *Facts) {
		f.Host.Away, f.Host.AwayDetail, f.Host.Failed, f.Host.Answered = crawler.ReasonConnect, "dial tcp: connection refused", 3, 2
		f.Host.AwaySince, f.Host.Next = explainNow.Add(-7*time.Second), explainNow.Add(4*time.Second)
	}, "away since 2026-03-01T11:59:53Z: connection refused by a.test; attempt 3 failed, the next is at 2026-03-01T12:00:04Z; it is given up when it has not answered for 1h0m0s", "host a.test", "`host-patience`", "when its host is back"},
	{"a host that never was there", "", func(f *Facts) {
		f.Host.Away, f.Host.AwayDetail, f.Host.Failed = crawler.ReasonDNS, "lookup a.test: no such host", 2
		f.Host.AwaySince, f.Host.Next = explainNow.Add(-3*time.Second), explainNow.Add(2*time.Second)
	}, "the name a.test does not exist; attempt 2 failed, the next is at 2026-03-01T12:00:02Z; it never answered, and is given up after 4 attempts", "host a.test", "check the name", "in 2s"},
	{"a long Crawl-delay", crawler.ReasonCrawlDelay, func(f *Facts) {
		f.Host.CrawlDelay, f.Host.Next = 2*time.Minute, explainNow.Add(30*time.Second)
	}, "it counts up to 1m0s: 1m0s between two requests", "https://a.test/robots.txt", "`ignore-robots`", "in 30s"},
	{"a paused job", crawler.ReasonPaused, func(f *Facts) { f.Job.Paused = true }, "paused", "trawl pause", "trawl resume", "when the job is resumed"},
	{"too many links from the seed", crawler.ReasonLimit, func(f *Facts) {
		f.Job.Job.Depth, f.Job.Given.Depth, f.Row.Depth = 2, 2, 3
	}, "`depth` 2: it is 3 links from its seed", "`depth`, in job.yaml", "`depth` 3 or more", "not before the limit is raised"},
	{"a depth that was set while the job ran", crawler.ReasonLimit, func(f *Facts) {
		f.Job.Job.Depth, f.Job.Given.Depth, f.Row.Depth = 2, 5, 3
	}, "`depth` 2", "changed while the job ran (trawl set)", "`depth` 3", "not before"},
	{"enough pages of the host", crawler.ReasonLimit, func(f *Facts) {
		f.Job.Job.MaxPerHost, f.Job.Given.MaxPerHost, f.Host.Counts[crawler.Fetched] = 4, 4, 4
	}, "`max-per-host` 4: so many URLs of a.test", "`max-per-host`, in job.yaml", "a higher `max-per-host`", "not before"},
	{"enough pages of the host by a rule of its own", crawler.ReasonLimit, func(f *Facts) {
		most := int64(2)
		f.Job.Job.Hosts = []crawler.HostRule{{Match: "*.test", MaxPages: &most}}
		f.Host.Counts[crawler.Fetched] = 2
	}, "max-pages 2", "hosts: *.test, in the configuration", "a higher max-pages", "not before"},
	{"enough pages", crawler.ReasonLimit, func(f *Facts) {
		f.Job.Job.MaxPages, f.Job.Given.MaxPages, f.Tallies.Counts[crawler.Fetched] = 3, 3, 3
	}, "`max-pages` 3", "`max-pages`, in job.yaml", "a higher `max-pages`", "not before"},
	{"enough bytes", crawler.ReasonLimit, func(f *Facts) {
		f.Job.Job.MaxBytes, f.Job.Given.MaxBytes, f.Tallies.Bytes = 100, 100, 120
	}, "`max-bytes` 100", "`max-bytes`, in job.yaml", "a higher `max-bytes`", "not before"},

	{"the delay", "", func(f *Facts) { f.Host.Next = explainNow.Add(time.Second) },
		"`delay`: 1s between two requests", "`delay`, in job.yaml", "a shorter `delay`", "in 1s"},
	{"back-off", "", func(f *Facts) { f.Host.Next, f.Host.Penalty = explainNow.Add(time.Minute), 2*time.Minute },
		"back-off after answers of 429 or 503: 2m0s", "the answers of a.test", "a longer `delay`", "in 1m0s"},
	{"the delay of a host rule", "", func(f *Facts) {
		slow := time.Minute
		f.Job.Job.Hosts, f.Host.Next = []crawler.HostRule{{Match: "a.test", Delay: &slow}}, explainNow.Add(time.Second)
	}, "delay of the host rule a.test: 1m0s", "hosts: a.test", "delay", "in 1s"},
	{"a robots.txt that is not there to be read", "", func(f *Facts) {
		f.Host.RobotsTries, f.Host.Next = 2, explainNow.Add(3*time.Minute)
		f.Robots = []crawler.HostRobots{{RobotsFile: crawler.RobotsFile{Scheme: "https", Status: crawler.RobotsUnreachable, HTTP: 500, Detail: "500 Oops"}, Fetched: explainNow}}
	}, "robots.txt could not be read (HTTP 500, 500 Oops), so nothing may be asked for (RFC 9309 section 2.3.1.4); try 2 of 4 failed", "https://a.test/robots.txt", "`ignore-robots`", "in 3m0s"},
	{"a robots.txt that is elsewhere", "", func(f *Facts) {
		f.Host.RobotsWait = true
		hop, _ := weburl.Parse("https://b.test/robots.txt")
		f.Robots = []crawler.HostRobots{{RobotsFile: crawler.RobotsFile{Scheme: "https", Status: crawler.RobotsElsewhere, Hop: crawler.RobotsHop{URL: hop}}, Fetched: explainNow}}
	}, "redirected to https://b.test/robots.txt", "https://a.test/robots.txt", "", "robots.txt was redirected to has answered"},
	{"a turn of others of its host", "", func(f *Facts) {
		f.Turn = &crawler.TurnState{Host: "a.test", URLs: []uint64{1, 2}, Held: true, Fetcher: "one"}
	},
		"a host has one turn at a time, and 2 of its URLs are in it", "host a.test", "`per-host`", "in a later turn"},
	{"a host that is given up, before its URLs fail", "", func(f *Facts) { f.Host.GivenUp, f.Host.GivenUpDetail = crawler.ReasonDNS, "the host failed 20 times" },
		"its host is given up: the host failed 20 times", "host a.test", "`retry-failed` dns", "never: its host is given up"},
	{"no slot", "", func(f *Facts) { f.WaitsFor = "no fetcher has joined" },
		"waits for a free slot of a fetcher: no fetcher has joined", "host a.test", "`workers`", "in the next turn of its host"},
	{"a job that is not running", "", func(f *Facts) { f.State = "stopped" },
		"not running", "the crawl directory", "run the same command", "when the job goes on"},

	{"an offered turn", "", func(f *Facts) {
		f.Row.Outcome, f.Turn = crawler.Leased, &crawler.TurnState{Host: "a.test", URLs: []uint64{1}}
	}, "a turn of 1 URLs of a.test that is offered", "turn 0000", "", "as soon as a fetcher takes the turn"},
	{"a held turn", "", func(f *Facts) {
		f.Row.Outcome, f.Turn = crawler.Leased, &crawler.TurnState{Host: "a.test", URLs: []uint64{1}, Held: true, Fetcher: "one"}
	}, "fetcher one works on", "turn 0000", "", "in the turn that fetcher one works on now"},
	{"a held turn of a job that was stopped", "", func(f *Facts) {
		f.Row.Outcome, f.State, f.Turn = crawler.Leased, "stopped", &crawler.TurnState{Host: "a.test", URLs: []uint64{1}, Held: true, Fetcher: "one"}
	}, "the job is not running", "turn 0000", "run the same command", "when the job goes on"},
	{"a page", "", func(f *Facts) { f.Row.Outcome, f.Row.Status, f.Row.IP = crawler.Fetched, 200, "192.0.2.1" },
		"HTTP 200", "the answer of a.test at 192.0.2.1", "", "never again"},
	{"a page that was cut", "", func(f *Facts) {
		f.Row.Outcome, f.Row.Status, f.Row.Truncated, f.Row.Detail = crawler.Fetched, 200, true, "cut at the limit of 1024 bytes"
	}, "cut at the limit of 1024 bytes", "the answer of a.test", "`max-body`", "never again"},
	{"a redirect", "", func(f *Facts) { f.Row.Outcome, f.Row.Status, f.Row.RedirectTo = crawler.Redirected, 301, f.URL },
		"HTTP 301", "the answer of a.test", "trawl explain", "never again"},
	{"a page that is as it was", "", func(f *Facts) { f.Row.Outcome, f.Row.Status = crawler.Unchanged, 304 }, "HTTP 304", "the answer of a.test", "", "never again"},

	{"never seen, in scope", "", func(f *Facts) { f.Row = nil }, "nothing led to it", "pages that were read", "give it as a seed", "never, unless"},
	{"never seen, not on the list", "", func(f *Facts) { f.Row, f.Job.Job = nil, crawler.NewJob(crawler.Download) }, "not on the list", "the list", "give it as a seed", "never, unless"},
	{"out of scope", "", func(f *Facts) { f.Row, f.Opened = nil, nil }, "`scope` host: no seed opens it", "`scope`, in job.yaml", "`scope` domain", "never, unless"},
	{"excluded by the user", "", func(f *Facts) { f.Row, f.Job.Job.Exclude = nil, []string{"dir", "x"} }, "`exclude` dir", "`exclude`, in job.yaml", "leave out this `exclude`", "never, unless"},
	{"not included by the user", "", func(f *Facts) { f.Row, f.Job.Job.Include = nil, []string{"pdf$"} }, "no `include` matches", "`include`, in job.yaml", "another `include`", "never, unless"},
}

func TestExplainNamesTheRuleItsPlaceAndWhatToChange(t *testing.T) {
	for _, c := range explained {
		t.Run(c.name, func(t *testing.T) {
			e := Explain(factsOf(t, c.facts))
			if e.Row != nil && e.Row.Reason != c.reason {
				t.Errorf("reason %q, want %q", e.Row.Reason, c.reason)
			}
			if !strings.Contains(e.Why.Rule, c.rule) {
				t.Errorf("rule %q\nlacks %q", e.Why.Rule, c.rule)
			}
			if !strings.Contains(e.Why.Place, c.place) {
				t.Errorf("place %q\nlacks %q", e.Why.Place, c.place)
			}
			if all := strings.Join(e.Why.Change, "\n"); !strings.Contains(all, c.change) || (c.change == "") != (all == "") {
				t.Errorf("change %q\nlacks %q", all, c.change)
			}
			if !strings.Contains(e.Next.Text, c.next) {
				t.Errorf("next %q\nlacks %q", e.Next.Text, c.next)
			}
		})
	}
}

// words are the constants of a file whose names begin with prefix, by their words.
func words(t *testing.T, name, prefix string) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, prefix) {
			return true
		}
		if text, ok := spec.Values[0].(*ast.BasicLit); ok {
			word, err := strconv.Unquote(text.Value)
			if err != nil {
				t.Fatal(err)
			}
			found[word] = spec.Names[0].Name
		}
		return true
	})
	if len(found) < 2 {
		t.Fatalf("found only %d constants %s… in %s", len(found), prefix, name)
	}
	return found
}

func TestEveryReasonIsExplainedAndDocumented(t *testing.T) {
	tried, failed := make(map[crawler.Reason]bool), make(map[crawler.Reason]bool)
	for _, c := range explained {
		tried[c.reason] = true
		if f := factsOf(t, c.facts); f.Row != nil && f.Row.Outcome == crawler.Failed {
			failed[c.reason] = true
		}
	}
	for word, name := range words(t, "../outcome.go", "Reason") {
		if !tried[crawler.Reason(word)] {
			t.Errorf("%s (%s) has no case in this file", name, word)
		}
		if in := slices.Contains(crawler.FailedReasons(), crawler.Reason(word)); in != failed[crawler.Reason(word)] {
			t.Errorf("%s (%s) is among FailedReasons: %v", name, word, in)
		}
	}
}

// The tables of docs/reasons.md and the words in the code are the same.
func TestTheTablesOfReasonsAreWhole(t *testing.T) {
	doc, err := os.ReadFile("../../docs/reasons.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{"bad_url": "of the fetcher"}
	maps.Copy(known, words(t, "../outcome.go", "Reason"))
	maps.Copy(known, words(t, "../scope.go", "Drop"))
	maps.Copy(known, words(t, "../bounds.go", "Bound"))
	maps.Copy(known, words(t, "../session/domain.go", "Bound"))
	told := make(map[string]bool)
	for line := range strings.Lines(string(doc)) {
		if word, ok := strings.CutPrefix(line, "| `"); ok {
			word, _, _ = strings.Cut(word, "`")
			told[word] = true
			if known[word] == "" {
				t.Errorf("%q is told and not known", word)
			}
		}
	}
	for word, name := range known {
		if !told[word] {
			t.Errorf("%s (%s) is not in the tables", name, word)
		}
	}
}

func TestExplainScope(t *testing.T) {
	t.Run("a requisite may belong where a page does not", func(t *testing.T) {
		e := Explain(factsOf(t, func(f *Facts) { f.Row, f.Opened, f.Job.Job.Requisites = nil, nil, crawler.RequisitesAll }))
		if e.Scope.Page.In || !e.Scope.Requisite.In || !strings.Contains(e.Why.Rule, "nothing led to it") {
			t.Errorf("%+v, %+v", e.Scope, e.Why)
		}
	})
	t.Run("a seed belongs whatever the scope says, which is told", func(t *testing.T) {
		e := Explain(factsOf(t, func(f *Facts) { f.Row.IsSeed, f.Job.Job.Include = true, []string{"pdf$"} }))
		if e.Scope.Page.In || !strings.Contains(e.Scope.Note, "seeds belong") {
			t.Errorf("%+v", e.Scope)
		}
	})
	t.Run("openers are the seeds of the rule that cover a URL", func(t *testing.T) {
		for rule, want := range map[crawler.ScopeRule]string{
			crawler.ScopeAny: "", crawler.ScopePage: "page https://www.a.test/x/y?q", crawler.ScopeHost: "host a.test", crawler.ScopeDomain: "domain a.test",
			crawler.ScopePrefix: "prefix a.test/,prefix a.test/x/",
		} {
			job := crawler.NewJob(crawler.Crawl)
			job.Scope = rule
			s, err := crawler.NewScope(&job)
			if err != nil {
				t.Fatal(err)
			}
			u, err := weburl.Parse("https://www.a.test/x/y?q")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for o := range s.Openers(u) {
				got = append(got, string(o))
				if rule != crawler.ScopeAny {
					fresh, _ := crawler.NewScope(&job)
					if fresh.Add(o); !fresh.Decide(u, crawler.LinkPage).In {
						t.Errorf("%s: %s does not open it", rule, o)
					}
				}
			}
			if strings.Join(got, ",") != want {
				t.Errorf("%s: %q, want %q", rule, got, want)
			}
		}
	})
}

func TestExplainRobots(t *testing.T) {
	for _, c := range []struct {
		name    string
		facts   func(*Facts)
		status  string
		allowed bool
		text    string
	}{
		{"not read yet", func(*Facts) {}, "unread", true, "was not read yet"},
		{"allowed by a line", func(f *Facts) { f.Robots = robotsOf("User-agent: trawl\nDisallow: /\nAllow: /dir/\n") }, "rules", true, "allows it, line 3: Allow: /dir/"},
		{"allowed as nothing matches", func(f *Facts) { f.Robots = robotsOf("User-agent: *\nDisallow: /x\n") }, "rules", true, "no rule matches"},
		{"there is none", func(f *Facts) {
			f.Robots = []crawler.HostRobots{{RobotsFile: crawler.RobotsFile{Scheme: "https", Status: crawler.RobotsUnavailable, HTTP: 404}, Expires: explainNow.Add(time.Hour)}}
		}, "unavailable", true, "there is none (HTTP 404)"},
		{"it has expired", func(f *Facts) { f.Robots = robotsOf(""); f.Robots[0].Expires = explainNow }, "rules", true, "it has expired"},
		{"only the file of the other scheme was read", func(f *Facts) { f.Robots = robotsOf("User-agent: *\nDisallow: /"); f.Robots[0].Scheme = "http" }, "unread", true, "was not read yet"},
		{"ignored by flag", func(f *Facts) { f.Job.Job.IgnoreRobots = true }, "ignored", true, "is not asked for: `ignore-robots`"},
		{"ignored by a host rule", func(f *Facts) {
			yes := true
			f.Job.Job.Hosts = []crawler.HostRule{{Match: "a.test", IgnoreRobots: &yes}}
		}, "ignored", true, "ignore-robots in hosts: a.test"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Explain(factsOf(t, c.facts)).Robots
			if r.Status != c.status || r.Allowed != c.allowed || !strings.Contains(r.Text, c.text) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestTheDelayThatIsExplainedIsTheOneInForce(t *testing.T) {
	second := time.Second
	for _, delay := range []time.Duration{0, second, 90 * second} {
		for _, crawl := range []time.Duration{0, second, 70 * second} {
			for _, penalty := range []time.Duration{0, 2 * second, 80 * second} {
				for _, ignore := range []bool{false, true} {
					f := factsOf(t, func(f *Facts) {
						f.Job.Job.Delay, f.Job.Job.IgnoreRobots, f.Host.CrawlDelay, f.Host.Penalty = delay, ignore, crawl, penalty
					})
					if got, want := f.delay().delay, f.Host.DelayInForce(&f.Job.Job); got != want {
						t.Errorf("delay %v, crawl %v, penalty %v: %v, want %v", delay, crawl, penalty, got, want)
					}
				}
			}
		}
	}
}
