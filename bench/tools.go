package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"trawl/internal/webfarm"
)

// Names of the tools that the report knows.
const (
	toolBare  = "bare"
	toolTrawl = "trawl"
)

const (
	// roundTime is how long a tool may take for a round; what it did until then counts.
	roundTime = 2 * time.Minute
	// passes is how often a loop goes through the list, so that it runs for seconds too.
	passes = 5
)

// tool is one of the things measured.
type tool struct {
	name   string
	what   string // it does, for the report
	passes int    // over all pages
	do     func(ctx context.Context, w *web, dir string) (usage, error)
	after  func(dir string, w *web) error // checks what it wrote
	rounds []outcome
}

// outcome is what a tool did in one round.
type outcome struct {
	usage
	audit   webfarm.Total
	written error // what after found
	cut     bool  // it took longer than roundTime
}

// newTools lists the tools to measure. The bare loop is the first.
func newTools(s settings) []*tool {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	loops := strconv.Itoa(s.loops)
	tools := []*tool{
		{
			name: toolBare, passes: passes, what: "net/http GETs of a list, " + loops + " at once, bodies read and dropped",
			do: func(ctx context.Context, w *web, dir string) (usage, error) {
				return process(ctx, dir, self, "-bare", w.urls, "-loops", loops, "-passes", strconv.Itoa(passes))
			},
		},
		{
			name: toolTrawl, passes: 1, what: "trawl crawl with robots.txt, ledger, WARC (gzip) and a JSONL export",
			do: func(ctx context.Context, w *web, dir string) (usage, error) {
				return process(ctx, dir, s.trawl, "crawl", w.seeds, "--dir", filepath.Join(dir, "crawl"), "--scope", "host",
					"--delay", "0", "--per-host", "1", "--allow-private", "--export", filepath.Join(dir, "out.jsonl"), "--quiet")
			},
			after: checkExport,
		},
	}
	if s.ceiling {
		tools = append(tools, &tool{
			name: "raw", passes: passes, what: "the same list without net/http: what the synthetic web can do",
			do: func(ctx context.Context, w *web, dir string) (usage, error) {
				return process(ctx, dir, self, "-raw", w.urls, "-loops", loops, "-passes", strconv.Itoa(passes))
			},
		})
	}
	if s.peers {
		tools = append(tools, peers(loops)...)
	}
	return tools
}

// peers are the other crawlers that are installed, each told to be as fast as it can with as many
// connections as the loops have, and to obey robots.txt where it knows it.
func peers(loops string) []*tool {
	all := []*tool{
		{
			name: "wget2", passes: 1, what: "wget2 -r, files on disk",
			do: func(ctx context.Context, w *web, dir string) (usage, error) {
				return process(ctx, dir, "wget2", "--quiet", "--recursive", "--level=0", "--max-threads="+loops,
					"--hsts=off", "--hpkp=off", "--ocsp=off", "-P", dir, "-i", w.seeds)
			},
		},
		{
			name: "httrack", passes: 1, what: "httrack, files on disk",
			do: func(ctx context.Context, w *web, dir string) (usage, error) {
				return process(ctx, dir, "httrack", "-%L", w.seeds, "-O", dir, "-q", "-c"+loops, "-%c1000", "-A10000000000",
					"--disable-security-limits", "-r1000", "-I0", "-%v0")
			},
		},
		{
			name: "aria2c", passes: 1, what: "aria2c with a list, files on disk, no crawl",
			do: func(ctx context.Context, w *web, dir string) (usage, error) {
				list := filepath.Join(dir, "list")
				var text strings.Builder
				for i, u := range w.list {
					fmt.Fprintf(&text, "%s\n\tout=%d\n", u, i)
				}
				if err := os.WriteFile(list, []byte(text.String()), 0o644); err != nil {
					return usage{}, err
				}
				return process(ctx, dir, "aria2c", "--no-conf", "-q", "-i", list, "-j", loops, "-x", "1", "-d", dir, "--file-allocation=none", "--deferred-input=true")
			},
		},
	}
	var installed []*tool
	for _, t := range all {
		if _, err := exec.LookPath(t.name); err == nil {
			installed = append(installed, t)
		}
	}
	return installed
}

// run measures one round in a directory of its own.
func (t *tool) run(ctx context.Context, w *web, dir string) (outcome, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return outcome{}, err
	}
	defer t.clean(dir)
	if err := w.reset(ctx); err != nil {
		return outcome{}, err
	}
	limited, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	u, err := t.do(limited, w, dir)
	if ctx.Err() != nil {
		return outcome{}, ctx.Err()
	}
	var status *exec.ExitError
	if err != nil && (t.name == toolBare || t.name == toolTrawl || !errors.As(err, &status)) && limited.Err() == nil {
		return outcome{}, err
	}
	a, err := w.audit(ctx)
	if err != nil {
		return outcome{}, err
	}
	o := outcome{usage: u, audit: a.Total, cut: limited.Err() != nil}
	if t.after != nil {
		o.written = t.after(dir, w)
	}
	return o, nil
}

// clean removes what a round wrote, but for what -keep asked for.
func (t *tool) clean(dir string) {
	if strings.HasPrefix(filepath.Base(filepath.Dir(dir)), "trawl-bench-") {
		os.RemoveAll(dir)
	}
}

// checkExport reads trawl's export: every URL once, all fetched.
func checkExport(dir string, w *web) error {
	f, err := os.Open(filepath.Join(dir, "out.jsonl"))
	if err != nil {
		return err
	}
	defer f.Close()
	missing := make(map[string]bool, len(w.list))
	for _, u := range w.list {
		missing[u] = true
	}
	rows := bufio.NewScanner(f)
	rows.Buffer(nil, 1<<20)
	n := 0
	for ; rows.Scan(); n++ {
		var row struct{ URL, Outcome, Digest string }
		if err := json.Unmarshal(rows.Bytes(), &row); err != nil {
			return fmt.Errorf("row %d: %w", n+1, err)
		}
		if row.Outcome != "fetched" || row.Digest == "" {
			return fmt.Errorf("row %d: %s is %s", n+1, row.URL, row.Outcome)
		}
		delete(missing, row.URL)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if n != len(w.list) || len(missing) > 0 {
		return fmt.Errorf("%d rows for %d pages, %d pages are missing", n, len(w.list), len(missing))
	}
	return nil
}
