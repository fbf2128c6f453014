package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/scheduler/schedulertest"
)

// cookie is one that a host sets, or takes back, for the hosts below a domain ("" = for itself).
func cookie(host, domain, name, value string) session.CookieChange {
	c := session.CookieChange{Cookie: session.Cookie{Name: name, Value: value, Domain: host, Path: "/"}, Gone: value == ""}
	if domain != "" {
		c.Domain, c.Below = domain, true
	}
	return c
}

func cookieNames(cs []session.CookieChange) string {
	var text strings.Builder
	for _, c := range cs {
		text.WriteString(c.Name + "=" + c.Value + ";")
	}
	return text.String()
}

// moved lets a part tell that a URL redirects, with what its request carried and what its answer set.
func moved(from, to string, asked uint64, set ...session.CookieChange) func(*crawler.Part) {
	return func(p *crawler.Part) {
		p.Links = []crawler.PageLinks{{Page: mustURL(from), Links: []crawler.Link{{URL: mustURL(to), Kind: crawler.LinkRedirect}}}}
		p.Results = []crawler.Result{{URL: mustURL(from), Outcome: crawler.Redirected, Status: 302, RedirectTo: mustURL(to), Asked: asked}}
		p.State.Cookies, p.End = set, true
	}
}

// carried is the digest of what a request for the URL carries now.
func (d *desk) carried(url string) uint64 {
	u := mustURL(url)
	return session.CookieDigest(d.led.AllDomains[session.CookieDomain(u.Host())].Cookies, u, d.s.clock.now())
}

func TestCookiesOfTheLedger(t *testing.T) {
	inBubble(t, "a cookie of a domain reaches another host with its next grant, in the batch of the link that leads there", func(t *testing.T) {
		job := schedulertest.Job()
		job.Scope = crawler.ScopeDomain
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed("http://login.a.example/")
		task := d.take()
		if a := d.ask(task, 1); len(a.Cookies) != 0 {
			t.Errorf("a first grant has cookies: %+v", a.Cookies)
		}
		d.part(task, 1, 1, moved("http://login.a.example/", "http://www.a.example/", 0,
			cookie("login.a.example", "a.example", "sid", "7"), cookie("login.a.example", "", "own", "1"),
			cookie("www.a.example", "", "strange", "1"), cookie("login.a.example", "example", "suffix", "1")))
		a := d.ask(d.take(), 1)
		if got := cookieNames(a.Cookies); got != "sid=7;" || a.Cookies[0].By != "login.a.example" {
			t.Errorf("granted %q", got)
		}
	})
	inBubble(t, "a cookie that is taken back is gone, also the last one", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/1", "http://a.test/2")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.State.Cookies = []session.CookieChange{cookie("a.test", "", "a", "1"), cookie("a.test", "", "b", "1")}
		})
		d.part(task, 1, 2, func(p *crawler.Part) { p.State.Cookies = []session.CookieChange{cookie("a.test", "", "a", "")} })
		if a := d.ask(task, 1); cookieNames(a.Cookies) != "b=1;" {
			t.Errorf("granted %q", cookieNames(a.Cookies))
		}
		d.part(task, 1, 3, func(p *crawler.Part) { p.State.Cookies = []session.CookieChange{cookie("a.test", "", "b", "")} })
		if a := d.ask(task, 1); len(a.Cookies) != 0 {
			t.Errorf("granted %q", cookieNames(a.Cookies))
		}
		commits := d.led.State.Tallies.Bounds
		d.part(task, 1, 4, func(p *crawler.Part) { p.State.Cookies = []session.CookieChange{cookie("a.test", "", "b", "")} })
		if len(d.led.AllDomains["a.test"].Cookies) != 0 || len(commits) != 0 {
			t.Errorf("%+v", d.led.AllDomains)
		}
	})
	inBubble(t, "what a host sets beyond its limit is counted", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/1", "http://a.test/2")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			for i := range session.MaxHostCookies + 3 {
				p.State.Cookies = append(p.State.Cookies, cookie("a.test", "", fmt.Sprint("c", i), "1"))
			}
		})
		if n := d.led.State.Tallies.Bounds[session.BoundCookiesHost]; n != 3 {
			t.Errorf("counted %d", n)
		}
	})
	inBubble(t, "cookies of a late part are not taken", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/1")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 2, func(p *crawler.Part) { p.State.Cookies = []session.CookieChange{cookie("a.test", "", "a", "1")} })
		if a := d.ask(task, 1); len(a.Cookies) != 0 {
			t.Errorf("granted %q", cookieNames(a.Cookies))
		}
	})
	inBubble(t, "cookies survive the end of the process, and end when their time is over", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/1", "http://a.test/2")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			brief := cookie("a.test", "", "brief", "1")
			brief.Age = time.Minute
			p.State.Cookies = []session.CookieChange{brief, cookie("a.test", "", "long", "1")}
		})
		d = newDesk(t, schedulertest.Job(), led)
		if a := d.ask(task, 1); cookieNames(a.Cookies) != "brief=1;long=1;" || a.Cookies[0].Age > time.Minute {
			t.Errorf("granted %+v", a.Cookies)
		}
		time.Sleep(time.Minute)
		d.ask(task, 1)
		if a := d.ask(task, 1); cookieNames(a.Cookies) != "long=1;" {
			t.Errorf("granted %q after the minute", cookieNames(a.Cookies))
		}
	})
}

func TestRedirectsThatComeBack(t *testing.T) {
	inBubble(t, "to a URL that would be asked with another cookie: it waits again, with its name and its place in the chain", func(t *testing.T) {
		job := crawler.NewJob(crawler.Download)
		d := newDesk(t, job, schedulertest.NewLedger())
		d.step(seeding(true, Seed{URL: mustURL("http://a.test/f"), Text: "f", Name: "f.pdf"}))
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, moved("http://a.test/f", "http://a.test/gate", 0))
		task = d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, moved("http://a.test/gate", "http://a.test/f", 0, cookie("a.test", "", "ok", "1")))
		r := d.row("http://a.test/f")
		if r.Outcome != crawler.Waiting || r.Name != "f.pdf" || r.Redirects != 2 || r.Status != 0 || r.Attempts != 1 {
			t.Fatalf("the file's row: %+v", r)
		}
		task = d.take()
		if a := d.ask(task, 1); cookieNames(a.Cookies) != "ok=1;" || task.URLs[0].Redirects != 2 || task.URLs[0].Name != "f.pdf" {
			t.Errorf("granted %+v of %+v", a.Cookies, task)
		}
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Results, p.End = []crawler.Result{schedulertest.Fetched("http://a.test/f")}, true
		})
		if c := d.led.State.Tallies.Counts; c[crawler.Fetched] != 1 || c[crawler.Redirected] != 1 {
			t.Errorf("counts %v", c)
		}
	})
	inBubble(t, "to itself with a new cookie: once for each", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		for n, set := range []string{"1", "2", "2"} {
			d.pass(2 * time.Second)
			task := d.take()
			d.ask(task, 1)
			d.part(task, 1, 1, moved("http://a.test/", "http://a.test/", d.carried("http://a.test/"), cookie("a.test", "", "age", set)))
			r := d.row("http://a.test/")
			if want := map[bool]crawler.Outcome{true: crawler.Waiting, false: crawler.Failed}[n < 2]; r.Outcome != want {
				t.Fatalf("answer %d: %+v", n+1, r)
			}
		}
		if r := d.row("http://a.test/"); r.Reason != crawler.ReasonTooManyRedirects || r.Redirects != 2 || !r.RedirectTo.IsZero() {
			t.Errorf("in the end: %+v", r)
		}
	})
	inBubble(t, "without a cookie that goes there: the row that closes the circle fails", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/1")
		for _, hop := range [][2]string{{"/1", "/2"}, {"/2", "/3"}, {"/3", "/1"}} {
			d.pass(2 * time.Second)
			task := d.take()
			d.ask(task, 1)
			other := cookie("a.test", "", "c", "1")
			other.Path = "/elsewhere"
			d.part(task, 1, 1, moved("http://a.test"+hop[0], "http://a.test"+hop[1], 0, other))
		}
		if a, b := d.row("http://a.test/1"), d.row("http://a.test/3"); a.Outcome != crawler.Redirected || b.Reason != crawler.ReasonTooManyRedirects {
			t.Errorf("%+v\n%+v", a, b)
		}
	})
	inBubble(t, "over another site that keeps the cookie: the circle is gone through again", func(t *testing.T) {
		job := schedulertest.Job()
		job.Scope = crawler.ScopeAny
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, moved("http://a.test/", "http://login.example/", 0))
		task = d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, moved("http://login.example/", "http://a.test/", 0, cookie("login.example", "", "sso", "1")))
		if r := d.row("http://a.test/"); r.Outcome != crawler.Waiting {
			t.Errorf("%+v", r)
		}
	})
	inBubble(t, "to a page that was fetched, or to a chain that ends: nothing comes back", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/1", "http://a.test/2", "http://a.test/3")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Results = []crawler.Result{
				schedulertest.Fetched("http://a.test/1"),
				{URL: mustURL("http://a.test/2"), Outcome: crawler.Redirected, RedirectTo: mustURL("http://a.test/1")},
				{URL: mustURL("http://a.test/3"), Outcome: crawler.Redirected, RedirectTo: mustURL("http://a.test/2")},
			}
			p.State.Cookies, p.End = []session.CookieChange{cookie("a.test", "", "c", "1")}, true
		})
		if c := d.led.State.Tallies.Counts; c[crawler.Redirected] != 2 || c[crawler.Fetched] != 1 {
			t.Errorf("counts %v", c)
		}
	})
}

func TestWhereSecretsMayGo(t *testing.T) {
	inBubble(t, "to the hosts that seeds spell, with or without www., and not to where they redirect", func(t *testing.T) {
		job := schedulertest.Job()
		job.Headers = []crawler.Header{{Name: "Cookie", Value: "sid=1"}}
		d := newDesk(t, job, schedulertest.NewLedger())
		d.seed("https://a.test/")
		task := d.take()
		if a := d.ask(task, 1); a.Seeds != session.SpelledHTTPS {
			t.Errorf("the seed's host: %v", a.Seeds)
		}
		d.part(task, 1, 1, moved("https://a.test/", "https://www.a.test/", 0))
		task = d.take()
		if a := d.ask(task, 1); a.Seeds != session.SpelledHTTPS {
			t.Errorf("the same name with www.: %v", a.Seeds)
		}
		d.part(task, 1, 1, moved("https://www.a.test/", "https://b.test/", 0))
		if a := d.ask(d.take(), 1); a.Seeds != 0 {
			t.Errorf("where a redirect led: %v", a.Seeds)
		}
	})
	inBubble(t, "credentials by the scheme of their seed, also after a restart", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		seeds := []Seed{{URL: mustURL("https://a.test/"), Text: "s", Credentials: "s:1"}, {URL: mustURL("https://a.test/x"), Text: "x"}}
		d.step(seeding(true, seeds...))
		task := d.take()
		for range 2 {
			if a := d.ask(task, 1); a.Credentials != (session.Credentials{HTTPS: "s:1"}) || a.Seeds != session.SpelledHTTPS {
				t.Errorf("%+v %v", a.Credentials, a.Seeds)
			}
			d = newDesk(t, schedulertest.Job(), led)
		}
	})
}

func TestThePageThatLedToAURLTravelsWithIt(t *testing.T) {
	inBubble(t, "through redirects too, where browsers keep it", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		task := d.take()
		if via := task.URLs[0].Via; !via.IsZero() {
			t.Errorf("a seed has %v", via)
		}
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Links = []crawler.PageLinks{{Page: mustURL("http://a.test/"), Links: []crawler.Link{{URL: mustURL("http://a.test/p.jpg")}}}}
			p.Results, p.End = []crawler.Result{schedulertest.Fetched("http://a.test/")}, true
		})
		for _, hop := range [][2]string{{"/p.jpg", "/q.jpg"}, {"/q.jpg", "/r.jpg"}} {
			d.pass(2 * time.Second)
			task = d.take()
			if via := task.URLs[0].Via.String(); via != "http://a.test/" {
				t.Errorf("%v has %q", task.URLs[0].URL, via)
			}
			d.ask(task, 1)
			d.part(task, 1, 1, moved("http://a.test"+hop[0], "http://a.test"+hop[1], 0))
		}
		d.pass(2 * time.Second)
		if via := d.take().URLs[0].Via.String(); via != "http://a.test/" || d.row("http://a.test/r.jpg").Via != "http://a.test/q.jpg" {
			t.Errorf("the last one has %q", via)
		}
	})
}

func TestWhatAUserGivesInPrivateIsKeptInTheLedger(t *testing.T) {
	inBubble(t, "and the same file given again does not undo what servers made of it", func(t *testing.T) {
		led := schedulertest.NewLedger()
		given := session.Private{
			Cookies: []session.KeptCookie{{Cookie: session.Cookie{Name: "sid", Value: "old", Domain: "a.test", Path: "/"}}},
			Logins:  []session.Login{{Host: "a.test", Credentials: "me:1"}},
		}
		for n, want := range []string{"sid=old;", "sid=new;"} {
			s, err := newShell(t.Context(), shellOptions{Job: schedulertest.Job(), Ledger: led, Tasks: schedulertest.NewQueues(1), Results: schedulertest.NewQueues(1), Private: given})
			if err != nil {
				t.Fatal(err)
			}
			s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 100}})
			d := &desk{t: t, s: s, led: led, q: schedulertest.NewQueues(1), pos: led.State.Position}
			d.seed(fmt.Sprintf("http://a.test/%d", n))
			time.Sleep(time.Minute)
			task := d.take()
			a := d.ask(task, 1)
			if cookieNames(a.Cookies) != want || a.Credentials.HTTP != "me:1" || a.Credentials.HTTPS != "me:1" {
				t.Errorf("start %d: %q, %+v", n+1, cookieNames(a.Cookies), a.Credentials)
			}
			d.part(task, 1, 1, func(p *crawler.Part) {
				p.State.Cookies, p.End = []session.CookieChange{cookie("a.test", "", "sid", "new")}, true
				p.Results = []crawler.Result{schedulertest.Fetched(fmt.Sprintf("http://a.test/%d", n))}
			})
		}
	})
}
