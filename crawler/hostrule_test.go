package crawler

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"trawl/crawler/weburl"
)

func TestHeadersOfTheUser(t *testing.T) {
	for _, c := range []struct {
		text, name, value, refused string
	}{
		{"Accept-Language: en", "Accept-Language", "en", ""},
		{" x_1 :  a: b ", "x_1", "a: b", ""},
		{"AZaz09-_: v", "AZaz09-_", "v", ""},
		{"X:", "X", "", ""},
		{"X", "", "", "write 'Name: value'"},
		{"", "", "", "write 'Name: value'"},
		{": v", "", "", "the name has"},
		{"X Y: v", "", "", "the name has"},
		{"X/: v", "", "", "the name has"}, // before and behind each range of characters
		{"X;: v", "", "", "the name has"},
		{"X@: v", "", "", "the name has"},
		{"X[: v", "", "", "the name has"},
		{"X`: v", "", "", "the name has"},
		{"X{: v", "", "", "the name has"},
		{"Xé: v", "", "", "the name has"},
		{"HOST: v", "", "", "sets this one itself"},
		{"user-agent: v", "", "", "sets this one itself"},
		{"X: a\nb", "", "", "one line"},
		{"X: a\rb", "", "", "one line"},
		{"X: a\x00b", "", "", "one line"},
	} {
		h, err := ParseHeader(c.text)
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%q: %v, want %q", c.text, err, c.refused)
			}
		} else if err != nil || h != (Header{c.name, c.value}) {
			t.Errorf("%q: %+v, %v", c.text, h, err)
		}
	}
	for name := range reserved {
		if _, err := ParseHeader(name + ": v"); err == nil {
			t.Errorf("%s may be given", name)
		}
	}
}

func TestHeadersThatProveWhoAsksAreSecret(t *testing.T) {
	for name, want := range map[string]bool{"Authorization": true, "PROXY-AUTHORIZATION": true, "Cookie": true, "Accept": false, "X-Cookie": false} {
		if got := (Header{Name: name}).Secret(); got != want {
			t.Errorf("%s: secret %v", name, got)
		}
		for _, headers := range [][]Header{{{Name: name}}, {{Name: "Accept"}, {Name: name}}} {
			if got := (&Job{Headers: headers}).HasSecrets(); got != want {
				t.Errorf("%v: has secrets %v", headers, got)
			}
		}
	}
}

func TestLimitsOfRulesOfHosts(t *testing.T) {
	delay := func(d time.Duration) HostRule { return HostRule{Delay: &d} }
	perHost := func(n int) HostRule { return HostRule{PerHost: &n} }
	pages := func(n int64) HostRule { return HostRule{MaxPages: &n} }
	header := func(name string) HostRule { return HostRule{Headers: []Header{{"X", "1"}, {name, "1"}}} }
	for _, c := range []struct {
		what string
		rule HostRule
		says string // "" = it is taken
	}{
		{"nothing", HostRule{}, ""},
		{"no delay", delay(0), ""},
		{"the longest delay", delay(24 * time.Hour), ""},
		{"a delay below none", delay(-1), "delay -1ns: use 0 to 24h"},
		{"a longer delay", delay(24*time.Hour + 1), "use 0 to 24h"},
		{"one connection", perHost(1), ""},
		{"the most connections", perHost(64), ""},
		{"no connection", perHost(0), "per-host 0: use 1 to 64"},
		{"one more connection", perHost(65), "per-host 65: use 1 to 64"},
		{"no limit of pages", pages(0), ""},
		{"one page", pages(1), ""},
		{"fewer than no pages", pages(-1), "max-pages -1: use 0"},
		{"a header", header("Y"), ""},
		{"a header that is refused", header("Host"), "hosts: a.test: headers \"Host\""},
	} {
		c.rule.Match = "a.test"
		j := NewJob(Crawl)
		j.Hosts = []HostRule{c.rule}
		for what, err := range map[string]error{"the rule": errors.Join(c.rule.validate()...), "the job": j.Validate()} {
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%s: %s says %v, want %q", c.what, what, err, c.says)
			}
		}
	}
}

func TestSettingsOfAHostAreTheJobsButForThoseOfItsRule(t *testing.T) {
	d, n, most, ignore := 9*time.Second, 8, int64(7), false
	j := Job{
		Delay: time.Second, PerHost: 2, MaxPerHost: 3, IgnoreRobots: true, Headers: []Header{{"X", "job"}},
		Hosts: []HostRule{
			{Match: "all.test", Delay: &d, PerHost: &n, MaxPages: &most, IgnoreRobots: &ignore, Headers: []Header{{"X", "rule"}}},
			{Match: "none.test"}, {Match: "delay.test", Delay: &d}, {Match: "per.test", PerHost: &n}, {Match: "pages.test", MaxPages: &most},
			{Match: "robots.test", IgnoreRobots: &ignore},
		},
	}
	job := HostSettings{Delay: time.Second, PerHost: 2, MaxPages: 3, IgnoreRobots: true, Headers: j.Headers}
	for host, change := range map[weburl.Host]func(*HostSettings){
		"other.test": func(*HostSettings) {}, "none.test": func(*HostSettings) {},
		"delay.test": func(s *HostSettings) { s.Delay = d }, "per.test": func(s *HostSettings) { s.PerHost = n },
		"pages.test": func(s *HostSettings) { s.MaxPages = most }, "robots.test": func(s *HostSettings) { s.IgnoreRobots = false },
		"all.test": func(s *HostSettings) {
			*s = HostSettings{Delay: d, PerHost: n, MaxPages: most, Headers: j.Headers, Own: j.Hosts[0].Headers}
		},
	} {
		want := job
		change(&want)
		if got := j.For(host); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", host, got, want)
		}
	}
}

func TestContentTypesThatAreWanted(t *testing.T) {
	for _, c := range []struct {
		accept, contentType string
		want                bool
	}{
		{"", "anything", true},
		{"text/html", "text/html", true},
		{"text/html", "Text/HTML; charset=utf-8", true},
		{"TEXT/HTML", "text/html", true},
		{"text/html", "text/plain", false},
		{"text/html", "", false},
		{"image/*", "image/png", true},
		{"image/*", "text/png", false},
		{"image/png", "image/*", false},
		{"*/*", "video/mp4", true},
		{"*/*", "", true},
		{"text/html image/*", "image/png", true},
		{"text/html image/*", "text/html", true},
		{"odd", " Odd ;x", true}, // no type, so it is compared as it is written
	} {
		if got := (&Job{Accept: strings.Fields(c.accept)}).Accepts(c.contentType); got != c.want {
			t.Errorf("%q takes %q: %v", c.accept, c.contentType, got)
		}
	}
	for text, want := range map[string]bool{
		"text/html": true, "image/*": true, "*/*": true, "application/vnd.a+b": true,
		"": false, "text": false, "/html": false, "text/": false, "*/html": false, "text /html": false, "text/html;q=1": false, "text/html,x": false, `text/"`: false,
	} {
		if validMediaRange(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
