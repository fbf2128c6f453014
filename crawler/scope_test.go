package crawler

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"trawl/crawler/weburl"
)

// newScope compiles a scope with the seeds opened.
func newScope(t testing.TB, j Job, seeds ...string) *Scope {
	t.Helper()
	s, err := NewScope(&j)
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range seeds {
		s.Add(s.SeedOf(weburl.MustParse(seed)))
	}
	return s
}

func crawlJob(rule ScopeRule) Job {
	j := NewJob(Crawl)
	j.Scope = rule
	return j
}

func TestScopeRules(t *testing.T) {
	for _, c := range []struct {
		rule ScopeRule
		seed string
		in   []string
		out  []string
	}{
		{ScopePage, "http://h/a/b?c",
			[]string{"http://h/a/b?c", "HTTP://h:80/a/./b?c#d"},
			[]string{"http://h/a/b", "http://h/a/b?", "https://h/a/b?c", "http://h/a/"}},
		{ScopePrefix, "http://h/docs/v1/intro.html?x=/y/",
			[]string{"http://h/docs/v1/", "http://h/docs/v1/intro.html", "https://www.h/docs/v1/a/b/c?d", "http://h:443/docs/v1/a"},
			[]string{"http://h/docs/v1", "http://h/docs/", "http://h/docs/v10/", "http://h:8080/docs/v1/", "http://o/docs/v1/", "http://h/?/docs/v1/"}},
		{ScopePrefix, "http://h/docs/",
			[]string{"http://h/docs/", "http://h/docs//a", "http://h/docs/a"},
			[]string{"http://h/docs", "http://h//docs/", "http://h/Docs/"}},
		{ScopePrefix, "http://h/a/directory/whose/path/is/longer/than/what/is/hashed/at/once/",
			[]string{"http://h/a/directory/whose/path/is/longer/than/what/is/hashed/at/once/and/more"},
			[]string{"http://h/a/directory/whose/path/is/longer/than/what/is/hashed/at/", "http://h/a/directory/whose/path/is/longer/than/what/is/hashed/at/twice/"}},
		{ScopePrefix, "http://h",
			[]string{"http://h/", "http://h/a", "https://www.h/a/b"},
			[]string{"http://o/"}},
		{ScopeHost, "http://www.example.com/a",
			[]string{"http://www.example.com/", "https://example.com/b", "https://www.example.com:80/", "http://example.com:443/"},
			[]string{"http://example.com:8080/", "http://sub.example.com/", "http://www.www.example.com/", "http://example.com.evil.net/", "http://wwwexample.com/", "http://example.org/"}},
		{ScopeHost, "http://127.0.0.1:8080/",
			[]string{"https://127.0.0.1:8080/a", "http://0x7f.1:8080/"},
			[]string{"http://127.0.0.1/", "http://127.0.0.1:8081/", "http://localhost:8080/"}},
		{ScopeDomain, "https://blog.example.co.uk:8443/",
			[]string{"http://example.co.uk/", "http://a.b.example.co.uk/", "http://example.co.uk:81/", "http://example.co.uk./"},
			[]string{"http://co.uk/", "http://other.co.uk/", "http://example.com/", "http://notexample.co.uk/"}},
		{ScopeDomain, "http://alice.github.io/",
			[]string{"http://x.alice.github.io/"},
			[]string{"http://bob.github.io/", "http://github.io/"}},
		{ScopeDomain, "http://github.io/",
			[]string{"https://github.io/a"},
			[]string{"http://alice.github.io/"}},
		{ScopeDomain, "http://10.0.0.1/",
			[]string{"http://10.0.0.1:8080/"},
			[]string{"http://10.1.0.1/", "http://192.168.0.1/"}},
		{ScopeDomain, "http://[::1]/", []string{"http://[::1]:8080/"}, []string{"http://[::2]/"}},
		{ScopeDomain, "http://localhost/", []string{"http://localhost:8080/"}, []string{"http://a.localhost/"}},
		{ScopeAny, "http://h/", []string{"http://h/", "https://other:1234/x"}, nil},
	} {
		t.Run(string(c.rule)+" of "+c.seed, func(t *testing.T) {
			s := newScope(t, crawlJob(c.rule), c.seed)
			for _, in := range append(c.in, c.seed) {
				if d := s.Decide(weburl.MustParse(in), LinkPage); !d.In || d.Rule != "`scope` "+string(c.rule) || d.Drop != "" {
					t.Errorf("%s belongs to it, and we say %+v", in, d)
				}
			}
			for _, out := range c.out {
				if d := s.Decide(weburl.MustParse(out), LinkPage); d.In || d.Drop != DropScope || d.Rule != "`scope` "+string(c.rule) {
					t.Errorf("%s does not belong to it, and we say %+v", out, d)
				}
			}
		})
	}
}

func TestSeveralSeedsAreAUnion(t *testing.T) {
	s := newScope(t, crawlJob(ScopePrefix), "http://a/x/", "http://b/y/z", "http://a/w/v/")
	for in, want := range map[string]bool{
		"http://a/x/1": true, "http://b/y/1": true, "http://a/w/v/": true, "http://a/y/": false, "http://b/x/": false, "http://a/w/": false,
	} {
		if d := s.Decide(weburl.MustParse(in), LinkPage); d.In != want {
			t.Errorf("%s: %+v, want %v", in, d, want)
		}
	}
	if newScope(t, crawlJob(ScopeHost)).Decide(weburl.MustParse("http://a/"), LinkPage).In {
		t.Error("without seeds something belongs to the job")
	}
}

func TestSeedsAreAddedOnce(t *testing.T) {
	s := newScope(t, crawlJob(ScopeHost))
	if !s.Add(s.SeedOf(weburl.MustParse("http://h/a"))) || s.Add(s.SeedOf(weburl.MustParse("https://www.h/b"))) {
		t.Error("two seeds that open the same are one")
	}
	if s.Add(s.SeedOf(weburl.MustParse("http://o/"))); len(s.Keys()) != 2 {
		t.Errorf("two hosts have %d keys", len(s.Keys()))
	}
	other := newScope(t, crawlJob(ScopeHost))
	for _, k := range s.Keys() {
		other.AddKey(k)
	}
	a, b := s.Keys(), other.Keys()
	slices.Sort(a)
	slices.Sort(b)
	if !slices.Equal(a, b) || !other.Decide(weburl.MustParse("http://o/x"), LinkPage).In {
		t.Error("a scope made from another's keys is not the same")
	}
}

func TestIncludeAndExclude(t *testing.T) {
	j := crawlJob(ScopeHost)
	j.Include, j.Exclude = []string{`/docs/`, `\.pdf$`}, []string{`[?&]session=`, `^https:`}
	s := newScope(t, j, "http://h/")
	for _, c := range []struct{ what, in, drop, rule string }{
		{"one include matches", "http://h/docs/a", "", "`include` /docs/"},
		{"another matches", "http://h/x.pdf", "", "`include` \\.pdf$"},
		{"none matches", "http://h/x", DropInclude, "no `include` matches"},
		{"exclude wins", "http://h/docs/?session=1", DropExclude, "`exclude` [?&]session="},
		{"the canonical URL is tested, with its scheme", "HTTPS://H/docs/", DropExclude, "`exclude` ^https:"},
		{"include does not widen the scope", "http://o/docs/", DropScope, "`scope` host"},
		{"exclude is told before scope", "http://o/?session=", DropExclude, "`exclude` [?&]session="},
	} {
		t.Run(c.what, func(t *testing.T) {
			if d := s.Decide(weburl.MustParse(c.in), LinkPage); d.Drop != c.drop || d.In != (c.drop == "") || d.Rule != c.rule {
				t.Errorf("%s: %+v", c.in, d)
			}
		})
	}
	for _, bad := range []Job{{Include: []string{"("}}, {Exclude: []string{"("}}} {
		if _, err := NewScope(&bad); err == nil || !strings.Contains(err.Error(), `"("`) {
			t.Errorf("a bad expression gives the error %v, want one that shows it", err)
		}
	}
}

func TestTheLongestURLBelongsToAJobAndALongerOneDoesNot(t *testing.T) {
	s := newScope(t, crawlJob(ScopeAny))
	for more, want := range map[int]string{0: "", 1: DropTooLong} {
		u := weburl.MustParse("http://" + strings.Repeat("a", weburl.MaxBytes-len("http:///robots.txt")+more) + "/").RobotsURL() // no other way makes one that long
		if d := s.Decide(u, LinkPage); d.Drop != want || d.In != (want == "") {
			t.Errorf("%d bytes: %+v", len(u.String()), d)
		}
	}
}

func TestSeedsBeyondThoseInMemoryAreLookedUp(t *testing.T) {
	var stored []ScopeSeed
	broken := errors.New("disk")
	var fail error
	s := newScope(t, crawlJob(ScopeHost))
	s.Bound(2, false, func(seed ScopeSeed) (bool, error) { return slices.Contains(stored, seed), fail })
	seed := func(name string) ScopeSeed { return s.SeedOf(weburl.MustParse("http://" + name + "/")) }
	for i, name := range []string{"a", "b", "c"} {
		if s.Beyond() {
			t.Errorf("%d seeds are too many for memory", i)
		}
		if !s.Add(seed(name)) || s.Add(seed(name)) {
			t.Errorf("%s is not added once", name)
		}
	}
	if s.Len() != 2 || !s.Beyond() || s.Add(seed("a")) {
		t.Errorf("%d seeds in memory, others: %v", s.Len(), s.Beyond())
	}
	in := func(want string) {
		t.Helper()
		var got strings.Builder
		for _, name := range []string{"a", "b", "c", "d"} {
			if s.Decide(weburl.MustParse("https://www."+name+"/x"), LinkPage).In {
				got.WriteString(name)
			}
		}
		if got.String() != want || s.Err() != fail {
			t.Errorf("in scope are %q, want %q; %v", got.String(), want, s.Err())
		}
	}
	in("abc") // c is fresh
	s.Stored()
	in("ab")
	stored = []ScopeSeed{seed("c")}
	in("abc")
	if s.Add(seed("c")) {
		t.Error("a seed that is stored is new")
	}
	fail = broken
	in("abc") // the last one before the error is noticed
	stored, fail = nil, nil
	if s.Err() != broken || s.Decide(weburl.MustParse("http://c/"), LinkPage).In {
		t.Errorf("after an error: %v", s.Err())
	}
}

func TestPrefixesBeyondThoseInMemoryAreLookedUpFromTheWidest(t *testing.T) {
	s, looks := newScope(t, crawlJob(ScopePrefix)), 0
	deep := "http://h" + strings.Repeat("/x", maxPrefixLooks-1) + "/"
	opened := s.SeedOf(weburl.MustParse(deep))
	s.Bound(0, true, func(seed ScopeSeed) (bool, error) { looks++; return seed == opened, nil })
	if d := s.Decide(weburl.MustParse(deep+"page"), LinkPage); !d.In || looks != maxPrefixLooks {
		t.Errorf("%+v after %d looks", d, looks)
	}
	looks, opened = 0, s.SeedOf(weburl.MustParse(deep+"x/"))
	if d := s.Decide(weburl.MustParse(deep+"x/page"), LinkPage); d.In || looks != maxPrefixLooks {
		t.Errorf("%+v after %d looks, and %d are the most", d, looks, maxPrefixLooks)
	}
}

func TestRequisites(t *testing.T) {
	for _, c := range []struct {
		what string
		rule Requisites
		in   string
		kind LinkKind
		drop string
	}{
		{"none drops those of the host", RequisitesNone, "http://h/a.css", LinkRequisite, DropRequisite},
		{"none leaves pages", RequisitesNone, "http://h/a", LinkPage, ""},
		{"none leaves redirects", RequisitesNone, "http://h/a", LinkRedirect, ""},
		{"scope takes those of the host", RequisitesScope, "http://h/a.css", LinkRequisite, ""},
		{"scope drops those of others", RequisitesScope, "http://o/a.css", LinkRequisite, DropScope},
		{"all takes those of others", RequisitesAll, "http://o/a.css", LinkRequisite, ""},
		{"all takes no pages of others", RequisitesAll, "http://o/a", LinkPage, DropScope},
		{"all takes no redirects to others", RequisitesAll, "http://o/a", LinkRedirect, DropScope},
		{"exclude wins over all", RequisitesAll, "http://o/ad.js", LinkRequisite, DropExclude},
	} {
		t.Run(c.what, func(t *testing.T) {
			j := crawlJob(ScopeHost)
			j.Requisites, j.Exclude = c.rule, []string{"/ad"}
			if d := newScope(t, j, "http://h/").Decide(weburl.MustParse(c.in), c.kind); d.Drop != c.drop || d.In != (c.drop == "") {
				t.Errorf("%+v, want %q", d, c.drop)
			}
		})
	}
}

func TestOpensPrivate(t *testing.T) {
	for in, want := range map[string]bool{
		"http://localhost/": true, "http://a.localhost:81/": true, "http://localhost./": true, "http://127.1/": true, "http://10.0.0.1/": true,
		"http://[::1]/": true, "http://[::ffff:10.0.0.1]/": true, "http://169.254.169.254/": true,
		"http://example.com/": false, "http://8.8.8.8/": false, "http://notlocalhost/": false, "http://localhost.example/": false,
	} {
		if OpensPrivate(weburl.MustParse(in)) != want {
			t.Errorf("%s: %v, want %v", in, !want, want)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, rule := range []ScopeRule{ScopePage, ScopeHost, ScopeDomain} {
		s := newScope(b, crawlJob(rule), "http://www.example.com/docs/")
		u := weburl.MustParse("http://www.example.com/docs/v1/page-17.html")
		b.Run(string(rule), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Decide(u, LinkPage)
			}
		})
	}
}

func BenchmarkDecidePrefix(b *testing.B) {
	s := newScope(b, crawlJob(ScopePrefix), "http://h/docs/v1/")
	for name, in := range map[string]string{"usual": "http://h/a/b/c/d.html", "slashes": "http://h" + strings.Repeat("/", 4000)} {
		u := weburl.MustParse(in)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.Decide(u, LinkPage)
			}
		})
	}
}
