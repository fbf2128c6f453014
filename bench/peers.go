package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// peerRounds are those of tools that take long; the median of three says enough.
const peerRounds = 3

// slowLimit is how long a crawler runs that does not end in a time worth waiting for. Its rate until then
// counts.
const slowLimit = 45 * time.Second

// spider makes Scrapy a crawler of the web that keeps each page in a file.
//
//go:embed spider.py
var spider []byte

// crawlers are the other crawlers, each told to be as fast as it can with as many connections as the loops
// have, and to obey robots.txt.
func crawlers(k kit) []*tool {
	n := strconv.Itoa(k.loops)
	return []*tool{
		{
			name: "wget2", program: "wget2", rounds: peerRounds, what: "wget2 --recursive, " + n + " threads, files on disk",
			do: func(ctx context.Context, r *round) error {
				return r.process(ctx, "wget2", "--no-config", "--quiet", "--recursive", "--level=0", "--max-threads="+n, "--tries=1",
					"--hsts=off", "--hpkp=off", "--ocsp=off", "-P", r.dir, "-i", r.web.seeds)
			},
		},
		{
			// No cache, no rewriting of links, no log, and its own limits off. With -%c1000 in place of -%c0 it
			// asks for some pages a second only.
			name: "httrack", program: "httrack", rounds: 1, limit: slowLimit, what: "httrack, " + n + " connections, files on disk",
			do: func(ctx context.Context, r *round) error {
				return r.process(ctx, "httrack", "-%L", r.web.seeds, "-O", r.dir, "-q", "-c"+n, "-%c0", "-A0",
					"--disable-security-limits", "-r1000", "-I0", "-%v0", "-C0", "-K4", "-X0", "-Q", "-R0")
			},
		},
		{
			name: "scrapy", program: "scrapy", rounds: 1, limit: slowLimit, what: "scrapy with a link extractor, " + n + " requests at once, files on disk",
			do: func(ctx context.Context, r *round) error {
				file := filepath.Join(r.dir, "spider.py")
				if err := os.WriteFile(file, spider, 0o644); err != nil {
					return err
				}
				return r.process(ctx, "scrapy", "runspider", file, "-a", "seeds="+r.web.seeds, "-a", "to="+r.dir, "-s", "CONCURRENT_REQUESTS="+n)
			},
		},
	}
}

// synced makes what a downloader wrote durable, as trawl's files and the loops' are.
func synced(t *tool) *tool {
	do := t.do
	t.what += ", then sync -f"
	t.do = func(ctx context.Context, r *round) error {
		if err := do(ctx, r); err != nil {
			return err
		}
		return r.process(ctx, "sync", "-f", r.dir)
	}
	return t
}

// curl takes a list with a file for each URL.
func curl(k kit) *tool {
	n := strconv.Itoa(k.loops)
	return synced(&tool{
		name: "curl", program: "curl", what: "curl --parallel, " + n + " at once",
		do: func(ctx context.Context, r *round) error {
			list := filepath.Join(r.dir, "list")
			if err := writeList(list, r.web.list, "url = %q\noutput = \"%d\"\n"); err != nil {
				return err
			}
			return r.process(ctx, "curl", "-q", "--silent", "--parallel", "--parallel-immediate", "--parallel-max", n, "--config", list)
		},
	})
}

// downloaders are the other downloaders of lists.
func downloaders(k kit) []*tool {
	n := strconv.Itoa(k.loops)
	return []*tool{
		curl(k),
		synced(&tool{
			name: "wget2", program: "wget2", rounds: peerRounds, what: "wget2 -i, " + n + " threads",
			do: func(ctx context.Context, r *round) error {
				return r.process(ctx, "wget2", "--no-config", "--quiet", "--max-threads="+n, "--tries=1", "--force-directories",
					"--hsts=off", "--hpkp=off", "--ocsp=off", "-P", r.dir, "-i", r.web.urls)
			},
		}),
		synced(&tool{
			name: "aria2c", program: "aria2c", rounds: peerRounds, what: "aria2c -i, " + n + " at once",
			do: func(ctx context.Context, r *round) error {
				list := filepath.Join(r.dir, "list")
				if err := writeList(list, r.web.list, "%s\n\tout=%d\n"); err != nil {
					return err
				}
				return r.process(ctx, "aria2c", "--no-conf", "-q", "-i", list, "-j", n, "-x", "1", "-s", "1", "-d", r.dir,
					"--file-allocation=none", "--deferred-input=true", "--auto-file-renaming=false", "--console-log-level=error", "--summary-interval=0")
			},
		}),
	}
}

// writeList writes a line of a format for each URL and its number.
func writeList(file string, urls []string, format string) error {
	var text strings.Builder
	for i, u := range urls {
		fmt.Fprintf(&text, format, u, i)
	}
	return os.WriteFile(file, []byte(text.String()), 0o644)
}
