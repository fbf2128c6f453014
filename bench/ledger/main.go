// Command ledger measures how a large crawl costs its scheduler: it makes a ledger of so many known URLs, then lets the
// scheduler's core crawl on it with fetchers that answer at once, and prints what checking a link costs, what memory that
// takes and how many bytes a known URL has on disk.
//
//	ledger [-urls 1e6,1e7] [-checks N] [-memory MIB] [-dir DIR]
//
// A check is a link of a page as the core gets it: those that it remembers are among them. Rates count the time in the
// core's steps and the ledger's commits alone; processor time is the whole process's but for what made the pages, so
// that compaction in the background is in it. Bytes are those of all files of the ledger, its log and what is not merged yet
// included.
//
// The web that it crawls is in web.go, with where its figures come from.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"trawl/crawler"
	"trawl/internal/machine"
	"trawl/scheduler/core"
	"trawl/storage/ledger"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ledger:", err)
		os.Exit(1)
	}
}

// plan is what is to be measured.
type plan struct {
	urls    []int
	mean    int
	checks  int
	slots   int
	links   int
	known   int
	fetched int
	verify  bool
	dir     string
	memory  int64 // MiB
}

func parse(args []string) (*plan, error) {
	p := &plan{urls: []int{10_000, 1_000_000}}
	f := flag.NewFlagSet("ledger", flag.ContinueOnError)
	f.Func("urls", "known URLs at which to measure, rising (default 10000,1000000)", func(s string) error {
		p.urls = nil
		for n := range strings.SplitSeq(s, ",") {
			urls, err := strconv.ParseFloat(n, 64) // 1e6 is one, too
			if err != nil || urls < 1000 || len(p.urls) > 0 && int(urls) <= p.urls[len(p.urls)-1] {
				return errors.New("want rising numbers from 1000 on")
			}
			p.urls = append(p.urls, int(urls))
		}
		return nil
	})
	f.IntVar(&p.mean, "host-urls", 100, "URLs of a host on average")
	f.IntVar(&p.checks, "checks", 2_000_000, "links that are checked at each size")
	f.IntVar(&p.slots, "turns", 32, "turns that fetchers have at once")
	f.IntVar(&p.links, "links", 100, "links of a page")
	f.IntVar(&p.known, "known", 85, "links in a hundred that are known")
	f.IntVar(&p.fetched, "fetched", 20, "URLs in a hundred that were fetched before")
	f.BoolVar(&p.verify, "verify", false, "count the ledger again in the end")
	f.StringVar(&p.dir, "dir", "", "`directory` for the ledger (default a temporary one)")
	f.Int64Var(&p.memory, "memory", machine.DefaultMemory()>>20, "memory to aim at in `MiB`, as a crawl does that is told so")
	return p, f.Parse(args)
}

func run(args []string, out io.Writer) error {
	p, err := parse(args)
	if err != nil {
		return err
	}
	debug.SetGCPercent(50) // as the program does
	debug.SetMemoryLimit(p.memory << 20)
	dir, err := os.MkdirTemp(p.dir, "bench-ledger-")
	if err != nil {
		return err
	}
	return errors.Join(p.measure(dir, out), os.RemoveAll(dir))
}

func (p *plan) measure(dir string, out io.Writer) error {
	l, err := ledger.Open(dir, p.options())
	if err != nil {
		return err
	}
	job := crawler.NewJob(crawler.Crawl)
	job.Scope = crawler.ScopeAny
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	err = l.Commit(&crawler.Changes{Now: now, State: &crawler.JobState{Job: job, Given: job, Seeded: true}})
	fmt.Fprintln(out, "    known URLs  fill/s  checks/s  known  pages/s  CPU µs/check  step p50    p99    max   RSS MiB (most)  disk B/URL")
	w := &web{mean: p.mean}
	for _, n := range p.urls {
		if err == nil {
			err = p.plateau(w, l, job, n, dir, out)
		}
		if err == nil {
			// Opened anew, as after a restart: what is in memory is what this size needs.
			if err = l.Close(); err == nil {
				l, err = ledger.Open(dir, p.options())
			}
		}
	}
	if err == nil && p.verify {
		b, failed := l.Verify(context.Background())
		if err = failed; err == nil && !b.OK() {
			err = fmt.Errorf("the ledger does not balance: %s", b.Differences[0])
		}
	}
	return errors.Join(err, l.Close())
}

func (p *plan) options() ledger.Options {
	caches := machine.CachesOf(p.memory << 20)
	return ledger.Options{CacheBytes: caches.Blocks, MemtableBytes: caches.Memtable}
}

// plateau makes the ledger as large as n URLs and measures there.
func (p *plan) plateau(w *web, l *ledger.Ledger, job crawler.Job, n int, dir string, out io.Writer) error {
	begin := time.Now()
	state, err := l.Load(context.Background())
	if err != nil {
		return err
	}
	f := &filler{web: w, fetched: p.fetched, now: state.Clock, total: state.Tallies.Clone(), number: state.Sequence}
	if f.total.Reasons == nil {
		f.total.Reasons = make(map[crawler.Reason]int64)
	}
	before, from := f.total.Seen(), w.hosts
	w.hosts = max(100, n/p.mean)
	if err := f.fill(l, from, w.hosts); err != nil {
		return err
	}
	fill := float64(f.total.Seen()-before) / time.Since(begin).Seconds()
	settle(dir)
	c, err := newCrawl(w, l, job, f.now, core.Options{RecentLinks: machine.CachesOf(p.memory << 20).Links})
	if err != nil {
		return err
	}
	c.slots, c.links, c.known = p.slots, p.links, p.known
	c.result = result{}
	checks := min(p.checks, 20*n)             // a small ledger stays small
	if err := c.run(checks / 4); err != nil { // the caches warm up
		return err
	}
	c.slots, c.result = p.slots, result{}
	cpu, wall := processorTime(), time.Now()
	if err := c.run(checks); err != nil {
		return err
	}
	spent := processorTime() - cpu - (time.Since(wall) - c.busy) // what made the pages is not the crawl's
	now, most := memory()
	seen := float64(f.total.Seen()) + float64(c.new)*1.25
	seconds := c.busy.Seconds()
	_, err = fmt.Fprintf(out, "%14d %7.0f %9.0f  %3.0f %% %8.0f %13.1f %7.1f ms %4.1f %6.1f %9.0f (%.0f) %11.1f\n", int(seen), fill, float64(c.checks)/seconds,
		100*(1-float64(c.new)/float64(c.checks)), float64(c.pages)/seconds, float64(spent.Microseconds())/float64(c.checks),
		ms(c.quantile(0.5)), ms(c.quantile(0.99)), ms(c.quantile(1)), now, most, float64(diskBytes(dir))/seen)
	return err
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// settle waits until the store has merged what a filling faster than any crawl left to it: nothing in the directory has changed for
// a while.
func settle(dir string) {
	const quiet = 3 // looks
	size, same := int64(-1), 0
	for range time.Tick(time.Second) {
		now := diskBytes(dir)
		if same++; now != size {
			size, same = now, 0
		} else if same == quiet {
			return
		}
	}
}

// diskBytes is the size of all files below a directory.
func diskBytes(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil {
			return nil // compaction removed it meanwhile
		}
		if info, err := d.Info(); err == nil && !d.IsDir() {
			total += info.Size()
		}
		return nil
	})
	return total
}
