package crawler

import (
	"strings"
	"testing"
	"time"
)

func TestDefaultsAreValid(t *testing.T) {
	for _, kind := range []Kind{Crawl, Download} {
		j := NewJob(kind)
		if err := j.Validate(); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if d := NewJob(Download); d.Delay != 0 || d.PerHost != 2 || d.Archive != ArchiveFiles || d.Scope != ScopeAny || d.Fetch.MaxBody != 0 || d.Fetch.Total != 0 {
		t.Errorf("download has no delay, two connections, files, and no limit of size and time, and not %+v", d)
	}
	if c := NewJob(Crawl); c.Delay != time.Second || c.PerHost != 1 || c.Archive != ArchiveWARC || c.Scope != ScopeHost || c.Fetch.MaxBody != 64*MiB {
		t.Errorf("crawl has a second, one connection, WARC, its hosts and 64 MiB, and not %+v", c)
	}
}

// spoilers are settings that must be refused, by a word that the refusal must have.
var spoilers = map[string]func(*Job){
	"kind":               func(j *Job) { j.Kind = "mirror" },
	"scope":              func(j *Job) { j.Scope = "site" },
	"requisites":         func(j *Job) { j.Requisites = "" },
	"archive":            func(j *Job) { j.Archive = "zip" },
	"compress":           func(j *Job) { j.Compress = "lzma" },
	"include":            func(j *Job) { j.Include = []string{"ok", "("} },
	"exclude":            func(j *Job) { j.Exclude = []string{"["} },
	"allow-private":      func(j *Job) { j.AllowPrivate = []string{"all", "10.0.0.1"} },
	"depth":              func(j *Job) { j.Depth = -2 },
	"max-pages":          func(j *Job) { j.MaxPages = -1 },
	"max-bytes":          func(j *Job) { j.MaxBytes = -1 },
	"max-per-host":       func(j *Job) { j.MaxPerHost = -1 },
	"delay":              func(j *Job) { j.Delay = -time.Second },
	"per-host":           func(j *Job) { j.PerHost = 65 },
	"user-agent":         func(j *Job) { j.UserAgent = "007" },
	"timeout":            func(j *Job) { j.Fetch.Idle = 0 },
	"connect-timeout":    func(j *Job) { j.Fetch.Connect = 0 },
	"first-byte-timeout": func(j *Job) { j.Fetch.FirstByte = -1 },
	"total-timeout":      func(j *Job) { j.Fetch.Total = -1 },
	"max-redirects":      func(j *Job) { j.Fetch.Redirects = MaxRedirects + 1 },
	"max-links":          func(j *Job) { j.Fetch.Links = -1 },
	"trap-repeat":        func(j *Job) { j.TrapRepeat = -1 },
	"trap-segments":      func(j *Job) { j.TrapSegments = -1 },
	"max-body":           func(j *Job) { j.Fetch.MaxBody = -1 },
	"retries":            func(j *Job) { j.Retry.Retries = -1 },
	"renewal":            func(j *Job) { j.Renew = j.Lease },
	"grace":              func(j *Job) { j.Grace = 0 },
}

func TestValidateRefusesEachProblem(t *testing.T) {
	for word, spoil := range spoilers {
		t.Run(word, func(t *testing.T) {
			j := NewJob(Crawl)
			spoil(&j)
			if err := j.Validate(); err == nil || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want one line that names %s", err, word)
			}
		})
	}
	j := NewJob(Crawl)
	j.UserAgent = "bot/1\r\nX-Injected: 1"
	if err := j.Validate(); err == nil || !strings.Contains(err.Error(), "one line") {
		t.Errorf("a User-Agent of two lines: %v", err)
	}
}

func TestValidateReportsAllProblemsAtOnce(t *testing.T) {
	j := NewJob(Crawl)
	for _, spoil := range spoilers {
		spoil(&j)
	}
	err := j.Validate()
	if err == nil {
		t.Fatal("nothing is wrong with a job in which everything is wrong")
	}
	for word := range spoilers {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s is missing in:\n%v", word, err)
		}
	}
	if lines := strings.Count(err.Error(), "\n") + 1; lines != len(spoilers) {
		t.Errorf("%d problems in %d lines:\n%v", len(spoilers), lines, err)
	}
}

func TestSameAs(t *testing.T) {
	for word, change := range map[string]func(*Job){
		"kind":       func(j *Job) { j.Kind = Download },
		"scope":      func(j *Job) { j.Scope = ScopeAny },
		"requisites": func(j *Job) { j.Requisites = RequisitesAll },
		"include":    func(j *Job) { j.Include = []string{"a"} },
		"exclude":    func(j *Job) { j.Exclude = []string{"a", "b"} },
	} {
		a, b := NewJob(Crawl), NewJob(Crawl)
		change(&b)
		if err := a.SameAs(&b); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("jobs that differ in %s: %v", word, err)
		}
	}
	a, b := NewJob(Crawl), NewJob(Crawl)
	b.Delay, b.PerHost, b.MaxPages, b.Depth, b.UserAgent, b.Retry.Retries, b.Fetch.Idle = 0, 8, 7, 6, "x", 5, time.Hour
	if err := a.SameAs(&b); err != nil {
		t.Errorf("pace and limits may change, and we say: %v", err)
	}
}

func TestProductToken(t *testing.T) {
	for in, want := range map[string]string{
		"trawl/1 (+https://example.com)": "trawl", "Foo-Bar_Baz": "Foo-Bar_Baz", "Foo Bar": "Foo", "": "", "1bot": "", "bot1": "bot", "böt": "b",
	} {
		if got := ProductToken(in); got != want {
			t.Errorf("%q is called %q, want %q", in, got, want)
		}
	}
}

func TestAcceptReadsContentTypesAsBrowsersDo(t *testing.T) {
	j := NewJob(Crawl)
	j.Accept = []string{"text/html", "image/*"}
	for said, want := range map[string]bool{
		"text/html, text/html": true, "text/plain, Text/HTML; charset=x": true, "image/png;q=1": true,
		"text/html, text/plain": false, "video/mp4": false, "text/html charset=utf-8": false,
	} {
		if got := j.Accepts(said); got != want {
			t.Errorf("%q: %v", said, got)
		}
	}
}
