package core

import (
	"testing"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/scheduler/memory"
	"trawl/scheduler/schedulertest"
)

func TestCookiesOfADomainWhoseHashIsThatOfAnotherAreDropped(t *testing.T) {
	inBubble(t, "and counted", func(t *testing.T) {
		led := schedulertest.NewLedger()
		d := newDesk(t, schedulertest.Job(), led)
		d.seed("http://a.test/1", "http://a.test/2")
		task := d.take()
		d.ask(task, 1)
		first := session.DomainState{Domain: "first.test", Logins: []session.Login{{Host: "first.test"}}}
		led.AllDomains["a.test"] = first // what a look-up by the hash gives
		d.s.core.state.domains = memory.NewDomains()
		set := func(number int, c ...session.CookieChange) int64 {
			d.part(task, 1, number, func(p *crawler.Part) { p.State.Cookies = c })
			return d.s.core.state.tallies.Dropped[crawler.DropCollision]
		}
		if n := set(1, cookie("a.test", "", "gone", "")); n != 0 {
			t.Errorf("%d dropped for a cookie that was not there", n)
		}
		if n := set(2, cookie("a.test", "", "a", "1"), cookie("a.test", "", "b", "1")); n != 1 || led.AllDomains["a.test"].Domain != "first.test" {
			t.Errorf("%d dropped, the ledger has %+v", n, led.AllDomains["a.test"])
		}
	})
}

func TestASeedIsWrittenToItsHostOnlyWhereItSaysMore(t *testing.T) {
	inBubble(t, "by its scheme, or by its credentials", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		for _, tt := range []struct {
			url, credentials string
			writes           bool
		}{
			{"http://a.test/", "", true},
			{"http://a.test/2", "", false},
			{"https://a.test/", "", true},
			{"https://a.test/", "u:p", true},
			{"https://a.test/2", "u:p", false},
			{"https://a.test/", "u:q", true},
			{"http://a.test/", "u:q", true},
			{"http://a.test/", "", false},
		} {
			st := d.s.newStep()
			if st.spell(&Seed{URL: mustURL(tt.url), Credentials: tt.credentials}); len(st.hosts) == 1 != tt.writes {
				t.Errorf("%s with %q: writes %v", tt.url, tt.credentials, !tt.writes)
			}
			if err := d.s.seal(st); err != nil {
				t.Fatal(err)
			}
		}
		if c := d.led.AllHosts["a.test"].Credentials; c.HTTP != "u:q" || c.HTTPS != "u:q" {
			t.Errorf("%+v", c)
		}
	})
}

func TestARobotsFileThatLeadsElsewhere(t *testing.T) {
	for name, tt := range map[string]struct {
		stored crawler.RobotsStatus // of what ran out
		keeps  bool
	}{
		"replaces none":                               {crawler.RobotsNone, false},
		"does not replace rules":                      {crawler.RobotsRules, true},
		"does not replace that all is allowed":        {crawler.RobotsUnavailable, true},
		"replaces that the file could not be reached": {crawler.RobotsUnreachable, false},
	} {
		inBubble(t, name, func(t *testing.T) {
			led := schedulertest.NewLedger()
			d := newDesk(t, schedulertest.Job(), led)
			old := crawler.HostRobots{RobotsFile: crawler.RobotsFile{Scheme: "http", Status: tt.stored, Detail: "old"}}
			if tt.stored != crawler.RobotsNone {
				led.AllRobots["a.test"] = map[string]crawler.HostRobots{"http": old}
			}
			st := d.s.newStep()
			hop := crawler.RobotsHop{Scheme: "http", URL: mustURL("http://b.test/robots.txt"), Count: 1}
			st.robotsFile("a.test", crawler.RobotsFile{Scheme: "http", Status: crawler.RobotsElsewhere, Hop: hop})
			files := st.robotsOf("a.test")
			if len(files) != 1 || (files[0].Detail == "old") != tt.keeps || !st.host("a.test").RobotsWait || len(st.errands) != 1 {
				t.Errorf("%+v, waits %v, %d errands", files, st.host("a.test").RobotsWait, len(st.errands))
			}
			other := crawler.HostRobots{RobotsFile: crawler.RobotsFile{Scheme: "https", Status: crawler.RobotsRules}}
			st.changes.Robots = append(st.changes.Robots, crawler.RobotsChange{Host: "a.test", File: other})
			if files = st.robotsOf("a.test"); len(files) != 2 {
				t.Errorf("of both schemes: %+v", files)
			}
		})
	}
}
