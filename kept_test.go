package trawl_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trawl"
	"trawl/crawler/session"
	"trawl/storage/export"
)

// A crawl of the format of today is kept in testdata, half done, with an export that was made of it then. Every trawl that comes
// after opens it. Where a format changes on purpose, so that the ledger's schema goes up, it is made again:
//
//	go test . -run TestTheKeptCrawl -update-kept
var updateKept = flag.Bool("update-kept", false, "make the crawl in testdata again")

const (
	keptCrawl  = "testdata/kept.crawl"
	keptExport = "testdata/kept.jsonl"
)

// keptWeb serves the sites of the kept crawl as a proxy does, so that they have names.
func keptWeb(t *testing.T) func(*url.URL) (*url.URL, error) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Host + r.URL.Path {
		case "a.test/robots.txt":
			fmt.Fprint(w, "User-agent: *\nDisallow: /private\n")
		case "b.test/robots.txt":
			http.Redirect(w, r, "http://hub.test/robots.txt", http.StatusFound)
		case "a.test/":
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "kept", Path: "/", MaxAge: 1 << 30})
			w.Header().Set("ETag", `"first"`)
			w.Header().Set("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
			fmt.Fprint(w, "<title>Kept \xff</title><a href=/1>1</a> <a href=/private/2>2</a> <a href=/gone>3</a> <a href=/moved>4</a> <img src=/5.png> <a href=http://b.test/>6</a>")
		case "a.test/moved":
			http.Redirect(w, r, "/there", http.StatusFound)
		case "a.test/1", "b.test/":
			fmt.Fprint(w, "<a href=/deeper>deeper</a>")
		case "a.test/deeper", "b.test/deeper", "a.test/there":
			fmt.Fprint(w, "the end")
		case "a.test/5.png":
			w.Header().Set("Content-Type", "image/png")
			w.Write([]byte{0, 1, 2})
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(proxy.Close)
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	return func(*url.URL) (*url.URL, error) { return u, nil }
}

// runKept runs the kept crawl in a directory, down to a depth.
func runKept(t *testing.T, dir string, depth int) trawl.Ending {
	t.Helper()
	job := trawl.NewJob(trawl.KindCrawl)
	job.Name, job.Scope, job.Delay, job.Depth = "kept", "any", 0, depth
	private := session.Private{Logins: []session.Login{{Host: "b.test", Scheme: "http", Credentials: "user:password"}}}
	crawl, err := trawl.New(job, trawl.Options{
		Dir: dir, Seeds: trawl.ReadSeeds([]string{"http://a.test/"}, nil), Proxy: keptWeb(t), Private: private, Workers: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer crawl.Close()
	if err := crawl.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return crawl.Ending()
}

// exportKept gives the rows of a directory as JSONL.
func exportKept(t *testing.T, dir string) string {
	t.Helper()
	target, err := trawl.OpenDir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	var b bytes.Buffer
	if _, err := target.Export(t.Context(), &b, trawl.ExportQuery{Format: export.JSONL}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func makeKept(t *testing.T) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kept.crawl")
	if ending := runKept(t, dir, 1); ending != trawl.Limited {
		t.Fatalf("it ended as %s", ending)
	}
	for _, name := range []string{"trawl.log", "lock", "queue", "exports", "files", "incoming"} { // what it can do without, or is empty
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(keptCrawl); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(keptCrawl, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keptExport, []byte(exportKept(t, dir)), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestTheKeptCrawlIsOpenedAndContinued(t *testing.T) {
	if *updateKept {
		makeKept(t)
	}
	want, err := os.ReadFile(keptExport)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"waiting", "fetched", "redirected", "failed", "excluded"} {
		if !strings.Contains(string(want), `"outcome":"`+word+`"`) {
			t.Errorf("no row of it is %s", word)
		}
	}
	dir := filepath.Join(t.TempDir(), "kept.crawl")
	if err := os.CopyFS(dir, os.DirFS(keptCrawl)); err != nil {
		t.Fatal(err)
	}
	if got := exportKept(t, dir); got != string(want) {
		t.Errorf("it exports\n%s\nnot\n%s", got, want)
	}
	checkKept(t, dir)

	if ending := runKept(t, dir, 3); ending != trawl.Done {
		t.Errorf("continued, it ended as %s", ending)
	}
	got := exportKept(t, dir)
	for line := range strings.Lines(string(want)) {
		if strings.Contains(line, `"outcome":"waiting"`) == strings.Contains(got, line) {
			t.Errorf("continued, it exports\n%s\nand had\n%s", got, line)
		}
	}
	if strings.Contains(got, `"outcome":"waiting"`) || strings.Count(got, `"outcome":"fetched"`) <= strings.Count(string(want), `"outcome":"fetched"`) {
		t.Errorf("continued, it exports\n%s", got)
	}
	checkKept(t, dir)
}

func checkKept(t *testing.T, dir string) {
	t.Helper()
	target, err := trawl.OpenDir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	report, err := target.Check(t.Context(), false)
	if err != nil || !report.OK || report.Records == 0 {
		t.Errorf("checked: %v, %+v", err, report)
	}
}
