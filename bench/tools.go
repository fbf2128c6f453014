package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Names of the tools that checks know.
const (
	toolBare  = "bare"
	toolTrawl = "trawl"
)

// loopRequests is how many requests a loop makes at least on a small web, so that it too runs for seconds.
// It goes over all pages at most maxPasses times.
const loopRequests, maxPasses = 100_000, 5

// loopTool runs this program as a loop.
func loopTool(k kit, kind, what string) *tool {
	passes := min(max(1, loopRequests/k.shape.total()), maxPasses)
	return &tool{
		name: toolBare, own: true, passes: passes, what: fmt.Sprintf("%s, %d at once", what, k.loops),
		do: func(ctx context.Context, r *round) error {
			return r.process(ctx, k.self, "-loop", kind, "-urls", r.web.urls, "-loops", strconv.Itoa(k.loops), "-passes", strconv.Itoa(passes))
		},
	}
}

// savingTool runs this program as a loop that saves.
func savingTool(k kit, kind, what string) *tool {
	return &tool{
		name: kind, own: true, what: fmt.Sprintf("%s, %d at once", what, k.loops),
		do: func(ctx context.Context, r *round) error {
			return r.process(ctx, k.self, "-loop", kind, "-urls", r.web.urls, "-to", r.dir, "-loops", strconv.Itoa(k.loops))
		},
	}
}

func bareTool(k kit) *tool {
	return loopTool(k, "bare", "net/http GETs of a list, bodies read and dropped")
}

func decodingTool(k kit) *tool {
	return loopTool(k, "gzip", "net/http GETs of a list, bodies decoded by net/http and dropped")
}

// rawTools are the loop without net/http, where it is asked for.
func rawTools(k kit) []*tool {
	if !k.ceiling {
		return nil
	}
	t := loopTool(k, "raw", "the same list without net/http: what the synthetic web can do")
	t.name = "raw"
	return []*tool{t}
}

// Files that trawl writes in the directory of a round.
const (
	crawlDir   = "crawl"
	exportFile = "out.jsonl"
)

// crawl runs trawl with everything on that a user gets: robots.txt, ledger, WARC and an export.
func crawl(k kit, name, what string, flags ...string) *tool {
	return &tool{
		name: name, own: true, what: what,
		do: func(ctx context.Context, r *round) error {
			args := append([]string{
				"crawl", r.web.seeds, "--dir", filepath.Join(r.dir, crawlDir), "--scope", "host", "--allow-private",
				"--export", filepath.Join(r.dir, exportFile), "--quiet",
			}, flags...)
			return r.process(ctx, k.trawl, args...)
		},
		after: checkExport,
	}
}

// download runs trawl over the list of all URLs.
func download(k kit, what string, flags ...string) *tool {
	return &tool{
		name: toolTrawl, own: true, what: what,
		do: func(ctx context.Context, r *round) error {
			args := append([]string{
				"download", r.web.urls, "--dir", filepath.Join(r.dir, crawlDir), "--allow-private",
				"--export", filepath.Join(r.dir, exportFile), "--quiet",
			}, flags...)
			return r.process(ctx, k.trawl, args...)
		},
		after: checkExport,
	}
}

// checkExport reads trawl's export: every URL once, all fetched.
func checkExport(r *round) error {
	f, err := os.Open(filepath.Join(r.dir, exportFile))
	if err != nil {
		return err
	}
	defer f.Close()
	missing := make(map[string]bool, len(r.web.list))
	for _, u := range r.web.list {
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
	if n != len(r.web.list) || len(missing) > 0 {
		return fmt.Errorf("%d rows for %d pages, %d pages are missing", n, len(r.web.list), len(missing))
	}
	return nil
}
