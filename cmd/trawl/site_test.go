package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for what must come.
const patience = 20 * time.Second

type sitesKey struct{}

// sites are the web sites of a script, by the name of their directory.
type sites struct {
	mu  sync.Mutex
	all []*site
}

// site serves a directory of the script, and beside it:
//
//	/status/CODE     that status
//	/to/PATH         a redirect to /PATH
//	/hang-once/…     no answer to the first request, "late" to the others
//	/flaky/N/…       500 to the first N requests
//	/sees/NAME       a page whose title is that header of the request, and the user's name and password for Authorization
//	/gate/PATH       a redirect to /consent/PATH, or with the cookie that it sets, a page with the title "in"
//	/consent/PATH    sets that cookie, and redirects to /gate/PATH
type site struct {
	dir    string
	server *httptest.Server

	mu      sync.Mutex
	asked   map[string]int
	changed chan struct{}
	end     chan struct{}
}

// cmdSite serves a directory until the script ends. It sets $SITE to the URL without a slash at its end,
// $HOST to name:port and $PORT_OF_SITE; with a second argument N, $SITEN and so on. In the files seeds.txt,
// list.txt, list2.txt, list.csv and auth.txt of the script, $SITE stands for the URL and $HOST for its host.
func cmdSite(ts *testscript.TestScript, neg bool, args []string) {
	mustAbsent(ts, neg)
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: site DIRECTORY [SUFFIX]")
	}
	s := &site{dir: ts.MkAbs(args[0]), asked: make(map[string]int), changed: make(chan struct{}), end: make(chan struct{})}
	s.server = httptest.NewServer(s)
	ts.Defer(func() { close(s.end); s.server.Close() })
	suffix := strings.Join(args[1:], "")
	ts.Setenv("SITE"+suffix, s.server.URL)
	host := strings.TrimPrefix(s.server.URL, "http://")
	ts.Setenv("HOST"+suffix, host)
	ts.Setenv("PORT_OF_SITE"+suffix, strings.TrimPrefix(host, "127.0.0.1:"))
	all := ts.Value(sitesKey{}).(*sites)
	all.mu.Lock()
	defer all.mu.Unlock()
	all.all = append(all.all, s)
	// Files of the script may name the site.
	for _, name := range []string{"seeds.txt", "list.txt", "list2.txt", "list.csv", "auth.txt"} {
		b, err := os.ReadFile(ts.MkAbs(name))
		if err != nil {
			continue
		}
		text := strings.NewReplacer("$SITE"+suffix, s.server.URL, "$HOST"+suffix, host).Replace(string(b))
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o666))
	}
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.count(r.URL.Path)
	kind, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch kind {
	case "status":
		code, err := strconv.Atoi(rest)
		if err != nil {
			code = http.StatusInternalServerError
		}
		http.Error(w, "as asked", code)
	case "to":
		http.Redirect(w, r, "/"+rest, http.StatusFound)
	case "sees":
		text := r.Header.Get(rest)
		if user, password, ok := r.BasicAuth(); ok && rest == "Authorization" {
			text = user + ":" + password
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<title>%s</title>", text)
	case "gate":
		if c, err := r.Cookie("consent"); err != nil || c.Value != "yes" {
			http.Redirect(w, r, "/consent/"+rest, http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<title>in %s</title>", rest)
	case "consent":
		http.SetCookie(w, &http.Cookie{Name: "consent", Value: "yes", Path: "/", HttpOnly: true})
		http.Redirect(w, r, "/gate/"+rest, http.StatusFound)
	case "hang-once":
		if n == 1 {
			select {
			case <-r.Context().Done():
			case <-s.end:
			}
			return
		}
		fmt.Fprint(w, "late")
	case "flaky":
		times, _, _ := strings.Cut(rest, "/")
		if fail, err := strconv.Atoi(times); err != nil || n <= fail {
			http.Error(w, "not yet", http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, "at last")
	default:
		http.FileServer(http.Dir(s.dir)).ServeHTTP(w, r)
	}
}

func (s *site) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[path]++
	close(s.changed)
	s.changed = make(chan struct{})
	return s.asked[path]
}

// last is the site that was started last, or the one with the directory of the name.
func (s *sites) last(ts *testscript.TestScript) *site {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		ts.Fatalf("there is no site yet")
	}
	return s.all[len(s.all)-1]
}

// cmdAsked waits until the site was asked for a path.
func cmdAsked(ts *testscript.TestScript, neg bool, args []string) {
	mustAbsent(ts, neg)
	if len(args) != 1 {
		ts.Fatalf("usage: asked PATH")
	}
	s := ts.Value(sitesKey{}).(*sites).last(ts)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		s.mu.Lock()
		n, changed := s.asked[args[0]], s.changed
		s.mu.Unlock()
		if n > 0 {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			ts.Fatalf("%s was not asked for within %v", args[0], patience)
		}
	}
}

// cmdRequests prints how often the site was asked for each path.
func cmdRequests(ts *testscript.TestScript, neg bool, _ []string) {
	mustAbsent(ts, neg)
	s := ts.Value(sitesKey{}).(*sites).last(ts)
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for path, n := range s.asked {
		lines = append(lines, fmt.Sprintf("%d %s\n", n, path))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[strings.Index(a, " "):], b[strings.Index(b, " "):]) })
	fmt.Fprint(ts.Stdout(), strings.Join(lines, ""))
}

// cmdRows prints columns of exported rows, sorted, with $SITE for the site.
func cmdRows(ts *testscript.TestScript, neg bool, args []string) {
	mustAbsent(ts, neg)
	if len(args) < 2 {
		ts.Fatalf("usage: rows FILE.jsonl COLUMN…")
	}
	var lines []string
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		var row map[string]any
		ts.Check(json.Unmarshal([]byte(line), &row))
		var cells []string
		for _, column := range args[1:] {
			v, ok := row[column]
			if !ok {
				ts.Fatalf("%s: a row without %q: %s", args[0], column, line)
			}
			if v == nil {
				v = "-"
			}
			cells = append(cells, strings.ReplaceAll(fmt.Sprint(v), ts.Getenv("SITE"), "$SITE"))
		}
		lines = append(lines, strings.Join(cells, " ")+"\n")
	}
	slices.Sort(lines)
	fmt.Fprint(ts.Stdout(), strings.Join(lines, ""))
}

// cmdLines prints the number of lines of a file.
func cmdLines(ts *testscript.TestScript, neg bool, args []string) {
	mustAbsent(ts, neg)
	if len(args) != 1 {
		ts.Fatalf("usage: lines FILE")
	}
	fmt.Fprintln(ts.Stdout(), strings.Count(ts.ReadFile(args[0]), "\n"))
}

// cmdPack makes FILE.gz of a file.
func cmdPack(ts *testscript.TestScript, neg bool, args []string) {
	mustAbsent(ts, neg)
	if len(args) != 1 {
		ts.Fatalf("usage: pack FILE")
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, ts.ReadFile(args[0]))
	ts.Check(errors.Join(err, w.Close()))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".gz"), b.Bytes(), 0o666))
}
