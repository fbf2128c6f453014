package trawl_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"trawl"
	"trawl/crawler"
	"trawl/internal/node"
	"trawl/storage/crawldir"
	"trawl/storage/ledger"
)

// listed serves bodies by path, "=> PATH" for a redirect, and runs a download of a list in which $ stands for the server.
type listed struct {
	t    *testing.T
	url  string
	dir  string
	mu   sync.Mutex
	asks map[string]int
}

func newListed(t *testing.T, pages map[string]string) *listed {
	l := &listed{t: t, dir: filepath.Join(t.TempDir(), "d"), asks: map[string]int{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.asks[r.URL.RequestURI()]++
		l.mu.Unlock()
		body, ok := pages[r.URL.RequestURI()]
		if to, is := strings.CutPrefix(body, "=> "); is {
			http.Redirect(w, r, to, http.StatusFound)
		} else if !ok {
			http.NotFound(w, r)
		} else {
			fmt.Fprint(w, body)
		}
	}))
	t.Cleanup(s.Close)
	l.url = s.URL
	return l
}

func (l *listed) host() string { return strings.TrimPrefix(l.url, "http://") }

func (l *listed) options(lines ...string) (trawl.Job, trawl.Options) {
	l.t.Helper()
	list := filepath.Join(l.t.TempDir(), "list.txt")
	if err := os.WriteFile(list, []byte(strings.ReplaceAll(strings.Join(lines, "\n"), "$", l.url)), 0o600); err != nil {
		l.t.Fatal(err)
	}
	job := trawl.NewJob(trawl.KindDownload)
	job.Retry.Base = 10 * time.Millisecond
	return job, trawl.Options{Dir: l.dir, Seeds: trawl.ReadSeeds([]string{list}, nil), BadSeed: func(err error) { l.t.Error(err) }}
}

// download runs the list to its end, and proves the directory.
func (l *listed) download(lines ...string) map[string]*crawler.Row {
	l.t.Helper()
	job, o := l.options(lines...)
	if ending, _ := crawl(l.t, l.t.Context(), job, o); ending != trawl.Done {
		l.t.Errorf("the download ended %q", ending)
	}
	return l.rows()
}

func (l *listed) rows() map[string]*crawler.Row {
	l.t.Helper()
	report, err := open(l.t, l.dir).Check(l.t.Context(), false)
	if err != nil || !report.OK || len(report.Notes) > 0 || report.Orphans["file"] > 0 {
		l.t.Errorf("the check says %+v, %v", report, err)
	}
	rows := map[string]*crawler.Row{}
	for _, r := range kept(l.t, l.dir) {
		rows[strings.TrimPrefix(r.URL.String(), l.url)] = r
	}
	return rows
}

// want compares what lies below files/, where HOST stands for the server.
func (l *listed) want(files map[string]string) {
	l.t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(filepath.Join(l.dir, "files"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(filepath.Join(l.dir, "files"), path)
		got[strings.Replace(name, l.host(), "HOST", 1)] = string(b)
		return err
	})
	if err != nil || fmt.Sprint(got) != fmt.Sprint(files) {
		l.t.Errorf("files are %v, %v\nwant %v", got, err, files)
	}
	left, err := os.ReadDir(filepath.Join(l.dir, "incoming", "bodies"))
	if err != nil || len(left) > 0 {
		l.t.Errorf("bodies are left: %v, %v", left, err)
	}
}

func TestEachLineOfAListHasItsFile(t *testing.T) {
	t.Parallel()
	l := newListed(t, map[string]string{"/a": "A", "/g": "G", "/r1": "=> /g", "/r2": "=> /r1", "/r3": "=> /gone", "/own": "=> /a"})
	rows := l.download("$/a\tone", "$/a\ttwo", "$/r1\tred/one", "$/r2\tred/two", "$/r2\tred/three", "$/r3\tred/none", "$/own")
	l.want(map[string]string{"one": "A", "two": "A", "red/one": "G", "red/two": "G", "red/three": "G", "HOST/own": "A"})
	for url, want := range map[string][2]string{
		"/a": {"files/one", "files/two"}, "/r1": {"files/red/one"}, "/r2": {"files/red/two", "files/red/three"}, "/r3": {},
		"/own": {"files/" + l.host() + "/own"},
	} {
		if r := rows[url]; r.Archive.File != want[0] || r.Names != want[1] {
			t.Errorf("the row of %s names %q and %q, want %q", url, r.Archive.File, r.Names, want)
		}
	}
	for url, n := range l.asks {
		if n != 1 {
			t.Errorf("%s was asked for %d times", url, n)
		}
	}

	// Lines that come later get their files without another request, also where the redirects lead to a file that is there.
	l.download("$/a\tlate/one", "$/g\tlate/two", "$/r1\tlate/three")
	l.want(map[string]string{"one": "A", "two": "A", "red/one": "G", "red/two": "G", "red/three": "G", "HOST/own": "A",
		"late/one": "A", "late/two": "G", "late/three": "G"})
	if l.asks["/a"]+l.asks["/g"]+l.asks["/r1"] != 3 {
		t.Errorf("something was asked for again: %v", l.asks)
	}
}

func TestNamesThatStandInEachOthersWayAreMarkedLaterOnesFirst(t *testing.T) {
	t.Parallel()
	l := newListed(t, map[string]string{"/1": "1", "/2": "2", "/3": "3", "/4": "4", "/d/": "index", "/d/index.html": "page", "/q?{part}": "braces", "/q": "plain"})
	rows := l.download("$/1\tsame.txt", "$/2\tsame.txt", "$/3\tsame.txt/below", "$/4\tdeep", "$/1\tdeep/down", "$/d/", "$/d/index.html", "$/q?{part}", "$/q")
	files := map[string]string{
		"same.txt": "1", "same.txt{dir}/below": "3", "deep": "4", "deep{dir}/down": "1", "HOST/d/index.html": "index", "HOST/q?%7bpart%7d": "braces", "HOST/q": "plain",
	}
	for url, body := range map[string]string{"/2": "2", "/d/index.html": "page"} {
		name := strings.Replace(strings.TrimPrefix(rows[url].Archive.File, "files/"), l.host(), "HOST", 1)
		if !strings.Contains(name, "{") {
			t.Errorf("the later name %s is not marked", name)
		}
		files[name] = body
	}
	l.want(files)
}

// remembers stores in a new directory that its file system takes names for one by the rule, as the first start stores what it
// found.
func (l *listed) remembers(job trawl.Job, rule crawler.NameRule) {
	l.t.Helper()
	dir, err := crawldir.Open(l.dir, true)
	if err != nil {
		l.t.Fatal(err)
	}
	first, err := ledger.Open(dir.Ledger(), ledger.Options{})
	if err != nil {
		l.t.Fatal(errors.Join(err, dir.Close()))
	}
	err = first.Commit(&crawler.Changes{Now: time.Now().UTC().Round(0), State: &crawler.JobState{Job: job, Given: job, Names: &rule}})
	if err = errors.Join(err, first.Close(), dir.Close()); err != nil {
		l.t.Fatal(err)
	}
}

func TestNamesThatTheFileSystemTakesForOneAreMarked(t *testing.T) {
	t.Parallel()
	names := []string{"Readme", "README", "pic.JPG", "pic.jpg", "Dir/x", "dir/X", "stra\u00dfe", "STRASSE", "\u00e4.txt", "a\u0308.txt", "A\u0308.txt"}
	pages, lines := map[string]string{"/Own/page": "own", "/own/page": "of its own"}, []string{"$/Own/page", "$/own/page"}
	for i, name := range names {
		url := fmt.Sprint("/", i)
		pages[url], lines = name, append(lines, "$"+url+"\t"+name)
	}
	for rule, marked := range map[crawler.NameRule]int{{}: 0, {Form: true}: 1, {Case: true}: 6, {Case: true, Form: true}: 7} {
		t.Run(fmt.Sprintf("%+v", rule), func(t *testing.T) {
			l := newListed(t, pages)
			job, _ := l.options()
			l.remembers(job, rule)
			taken := map[string]string{}
			look := func(rows map[string]*crawler.Row) (n int) {
				clear(taken)
				for url, body := range pages {
					r := rows[url]
					if r == nil {
						continue
					}
					got, err := os.ReadFile(filepath.Join(l.dir, r.Archive.File))
					if err != nil || string(got) != body {
						t.Errorf("%s of %s has %q, %v; want %q", r.Archive.File, url, got, err, body)
					}
					key := rule.Key(r.Archive.File)
					if other, is := taken[key]; is {
						t.Errorf("%s and %s are one file", r.Archive.File, other)
					}
					if taken[key] = r.Archive.File; strings.Contains(r.Archive.File, "{") {
						n++
					}
				}
				return n
			}
			if n := look(l.download(lines[:8]...)); n > marked {
				t.Errorf("%d names are marked", n)
			}
			if n := look(l.download(lines...)); n != marked || len(taken) != len(pages) { // as it was stored, over starts
				t.Errorf("%d names of %d are marked, want %d", n, len(taken), marked)
			}
		})
	}
}

func TestAThousandLinesThatLeadToOneTargetHaveTheirFiles(t *testing.T) {
	t.Parallel()
	pages, lines, files := map[string]string{"/target": "T"}, []string{}, map[string]string{}
	for i := range 600 {
		pages[fmt.Sprintf("/r%d", i)] = "=> /target"
		lines = append(lines, fmt.Sprintf("$/r%d\tn/%d", i, i))
		files[fmt.Sprintf("n/%d", i)] = "T"
	}
	for i := range 400 {
		lines = append(lines, fmt.Sprintf("$/r0\tm/%d", i))
		files[fmt.Sprintf("m/%d", i)] = "T"
	}
	l := newListed(t, pages)
	l.download(lines...)
	l.want(files)
}

func TestANameThatTheFileSystemRefusesFailsItsLineAlone(t *testing.T) {
	t.Parallel()
	l := newListed(t, map[string]string{"/a": "A", "/b": "B", "/t": "T", "/r1": "=> /t", "/r2": "=> /t"})
	for _, taken := range []string{"bad/in the way", "worse/in the way"} { // a directory is not replaced by a file
		if err := os.MkdirAll(filepath.Join(l.dir, "files", taken), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	job, o := l.options("$/a\tbad", "$/b\tgood", "$/r1\tworse", "$/r2\tbetter")
	o.Fresh = false
	if err := os.WriteFile(filepath.Join(l.dir, "version"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if ending, s := crawl(t, t.Context(), job, o); ending != trawl.Done || s.Reasons[crawler.ReasonArchive] != 2 {
		t.Errorf("ended %q: %v", ending, s.Reasons)
	}
	rows := l.rows()
	for url, want := range map[string]crawler.Outcome{"/a": crawler.Failed, "/b": crawler.Fetched, "/t": crawler.Fetched, "/r1": crawler.Failed, "/r2": crawler.Redirected} {
		r := rows[url]
		if r.Outcome != want || want == crawler.Failed && (r.Reason != crawler.ReasonArchive || !strings.HasSuffix(r.Detail, " exists")) {
			t.Errorf("%s: %v %v %q, want %v", url, r.Outcome, r.Reason, r.Detail, want)
		}
	}
	l.want(map[string]string{"good": "B", "better": "T"})
}

func TestABodyThatIsNotTheOneOfTheListFails(t *testing.T) {
	t.Parallel()
	l := newListed(t, map[string]string{"/a": "A", "/b": "B", "/r": "=> /a", "/s": "=> /b"})
	sum := func(s string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s))) }
	rows := l.download("$/a\ta\t"+sum("A"), "$/b\tb\t"+sum("A"), "$/r\tr\t"+sum("A"), "$/s\ts\t"+sum("A"))
	for url, want := range map[string]crawler.Outcome{"/a": crawler.Fetched, "/b": crawler.Failed, "/r": crawler.Redirected} {
		r := rows[url]
		if r.Outcome != want || want == crawler.Failed && (r.Reason != crawler.ReasonDigest || !strings.Contains(r.Detail, sum("B"))) {
			t.Errorf("%s: %v %v %q, want %v", url, r.Outcome, r.Reason, r.Detail, want)
		}
	}
	l.want(map[string]string{"a": "A", "r": "A"})
}

func TestNamesAreGivenAfterAKillAtAnyStep(t *testing.T) {
	t.Parallel()
	pages := map[string]string{"/target": "T"}
	var lines []string
	files := map[string]string{}
	for i := range 40 {
		pages[fmt.Sprintf("/r%d", i)], pages[fmt.Sprintf("/p%d", i)] = "=> /target", fmt.Sprint(i)
		lines = append(lines, fmt.Sprintf("$/r%d\tr%d", i, i), fmt.Sprintf("$/p%d\tp/%d", i, i), fmt.Sprintf("$/p%d\tagain/%d", i, i))
		files[fmt.Sprintf("r%d", i)], files[fmt.Sprintf("p/%d", i)], files[fmt.Sprintf("again/%d", i)] = "T", fmt.Sprint(i), fmt.Sprint(i)
	}
	for _, step := range []string{"place", "settle"} {
		l := newListed(t, pages)
		job, o := l.options(lines...)
		ctx, kill := context.WithCancel(t.Context())
		seen := 0
		var mu sync.Mutex
		fault := func(s string) { // what was done at the disk stays, and what follows is lost
			mu.Lock()
			defer mu.Unlock()
			if s == step {
				if seen++; seen == 1 {
					kill()
				}
			}
		}
		crawl(t, node.WithHooks(ctx, node.Hooks{Fault: fault}), job, o)
		kill()
		l.download(lines...)
		l.want(files)
	}
}

func TestAClusterGivesANameOnce(t *testing.T) {
	t.Parallel()
	pages, lines, files := map[string]string{"/target": "T"}, []string{}, map[string]string{}
	for i := range 30 {
		pages[fmt.Sprintf("/p%d", i)], pages[fmt.Sprintf("/r%d", i)] = fmt.Sprint("body ", i), "=> /target"
		lines = append(lines, fmt.Sprintf("$/p%d\tsame.txt", i), fmt.Sprintf("$/r%d\tr/%d", i, i))
		files[fmt.Sprintf("r/%d", i)] = "T"
	}
	l := newListed(t, pages)
	job, o := l.options(lines...)
	join := make(chan string, 1)
	o.Serve, o.Logger = &trawl.Cluster{Bind: "127.0.0.1:0"}, slog.New(joinHandler{testLogger(t, slog.LevelInfo).Handler(), join})
	c, err := trawl.New(job, o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Run(t.Context()) }()
	at := <-join
	var fetchers sync.WaitGroup
	for i := range 2 {
		fetchers.Go(func() {
			f, err := trawl.NewFetcher(trawl.FetcherOptions{Dir: filepath.Join(t.TempDir(), fmt.Sprint(i)), Name: "one-name", Cluster: trawl.Cluster{Join: []string{at}, Bind: "127.0.0.1:0"}, Workers: 4, Logger: testLogger(t, slog.LevelWarn)})
			if err == nil {
				err = errors.Join(f.Run(t.Context()), f.Close())
			}
			if err != nil || f.Unshipped() {
				t.Errorf("fetcher %d: %v", i, err)
			}
		})
	}
	if err := errors.Join(<-ended, c.Close()); err != nil || c.Ending() != trawl.Done {
		t.Errorf("the job ended %q, %v, missing %v", c.Ending(), err, c.Missing())
	}
	fetchers.Wait()
	for url, r := range l.rows() {
		if strings.HasPrefix(url, "/p") {
			files[strings.TrimPrefix(r.Archive.File, "files/")] = pages[url]
		}
	}
	if len(files) != 60 {
		t.Errorf("%d names for 60 lines", len(files))
	}
	l.want(files)
}
