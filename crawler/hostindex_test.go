package crawler

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"trawl/crawler/weburl"
)

func TestRulesOfHostsAreFoundByName(t *testing.T) {
	rules := []string{"example.com", "*.deep.example.com", "example.com:8080", "EXAMPLE.org:443", "münchen.de", "[::1]:9000", "10.0.0.1", "example.com", "shop.example.com"}
	job := NewJob(Crawl)
	for i, match := range rules {
		d := time.Duration(i+1) * time.Second
		job.Hosts = append(job.Hosts, HostRule{Match: match, Delay: &d})
	}
	given := job.Hosts[3].Match
	plain := job
	if err := job.Validate(); err != nil {
		t.Fatal(err)
	}
	if plain.Hosts[3].Match != given {
		t.Error("the rules of the caller were changed")
	}
	plain.Hosts = job.Hosts // without an index
	plain.Index = nil
	for host, want := range map[weburl.Host]int{
		"example.com": 1, "www.example.com": 1, "example.com:8080": 3, "example.com:8081": 1, "www.example.com:8080": 1,
		"deep.example.com": 2, "a.b.deep.example.com": 2, "shop.example.com": 9, "example.org": 4, "a.example.org": 4,
		"xn--mnchen-3ya.de": 5, "[::1]:9000": 6, "[::1]": 0, "10.0.0.1": 7, "10.0.0.1:81": 7, "10.0.0.2": 0, "com": 0, "notexample.com": 0,
	} {
		for which, j := range map[string]*Job{"indexed": &job, "plain": &plain} {
			got := 0
			if r := j.RuleOf(host); r != nil {
				got = int(*r.Delay / time.Second)
			}
			if got != want {
				t.Errorf("%s: rule %d for %s, want %d", which, got, host, want)
			}
		}
	}
	again := job
	if err := again.Validate(); err != nil || again.Hosts[4].Match != "xn--mnchen-3ya.de" {
		t.Errorf("validated again: %v, %q", err, again.Hosts[4].Match)
	}
}

func TestRulesThatCouldNeverMatchAreRefused(t *testing.T) {
	for match, says := range map[string]string{
		"*": "setting of the job itself", "*.": "setting of the job itself", ".": "setting of the job itself", "": "no host", "ex*mple.com": "only at the beginning", "*.*.com": "only at the beginning",
		"::1": "brackets", "*.example.com:8080": "every port", "http://example.com": "no host", "a b": "no host", "example.com:99999": "no host", "a..%zz": "no host",
	} {
		job := NewJob(Crawl)
		job.Hosts = []HostRule{{Match: match}}
		if err := job.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", match, err, says)
		}
	}
	for match, want := range map[string]string{"example.com:80": "example.com", "example.com:443": "example.com", "*.Example.COM": "*.example.com", ".example.com": "*.example.com", " a.test ": "a.test"} {
		job := NewJob(Crawl)
		job.Hosts = []HostRule{{Match: match}}
		if err := job.Validate(); err != nil || job.Hosts[0].Match != want {
			t.Errorf("%q became %q, %v", match, job.Hosts[0].Match, err)
		}
	}
}

func BenchmarkHostRules(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		job := NewJob(Crawl)
		for i := range n {
			job.Hosts = append(job.Hosts, HostRule{Match: fmt.Sprintf("h%d.example", i)})
		}
		if err := job.Validate(); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				job.For("www.h7.example")
			}
		})
	}
}
