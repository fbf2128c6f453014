// Command bench measures trawl against a bare loop of GETs, and on request against other crawlers, on the
// same synthetic web on loopback. The tools take turns within one run, and what counts is the ratio of two
// figures of the same round: a machine may be slow today, but it is so for both.
//
// Every tool is a process of its own, so that its processor time and memory are the kernel's figures. Time
// runs from the start of the process to its end, with everything that it writes. The exit status is 1 when a
// check fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// What the checks ask for.
const (
	wantRatio = 0.08    // pages a second of trawl to those of the bare loop, the median of the rounds
	wantRSS   = 400e6   // bytes at most, in any round
	outDir    = "bench" // of RESULTS.md, from the module's root
)

// settings are the flags.
type settings struct {
	rounds, hosts, pages, loops, passes int
	peers, ceiling, write               bool
	trawl, keep                         string
	bare, raw                           string // hidden: be this loop over a file of URLs
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&s.rounds, "rounds", 3, "how often each tool runs")
	f.IntVar(&s.hosts, "hosts", 100, "hosts of the synthetic web")
	f.IntVar(&s.pages, "pages", 200, "pages of each host")
	f.IntVar(&s.loops, "loops", 64, "requests that the loops keep open at once; also what peers are told")
	f.BoolVar(&s.peers, "peers", false, "also measure wget2, httrack and aria2c where they are installed")
	f.BoolVar(&s.ceiling, "ceiling", false, "also measure a loop without net/http: what the synthetic web can do at most")
	f.BoolVar(&s.write, "write", false, "write bench/RESULTS.md")
	f.StringVar(&s.trawl, "trawl", "", "measure this `program` instead of building one")
	f.StringVar(&s.keep, "keep", "", "leave crawl directories and outputs in this `directory`")
	f.IntVar(&s.passes, "passes", 1, "used by bench itself")
	f.StringVar(&s.bare, "bare", "", "used by bench itself")
	f.StringVar(&s.raw, "raw", "", "used by bench itself")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 || s.rounds < 1 || s.hosts < 1 || s.pages < 1 || s.loops < 1 {
		return s, errors.New("use numbers from 1 and no arguments")
	}
	return s, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	case s.bare != "":
		err = bareLoop(ctx, s.bare, s.loops, s.passes)
	case s.raw != "":
		err = rawLoop(ctx, s.raw, s.loops, s.passes)
	default:
		var ok bool
		if ok, err = measure(ctx, s, stdout, stderr); err == nil && !ok {
			return 1
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// measure runs all tools in all rounds and prints what came out; ok tells whether the checks hold.
func measure(ctx context.Context, s settings, stdout, stderr io.Writer) (ok bool, err error) {
	dir := s.keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "trawl-bench-"); err != nil {
			return false, err
		}
		defer os.RemoveAll(dir)
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		return false, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return false, err
	}
	if s.trawl == "" {
		fmt.Fprintln(stderr, "building")
		if s.trawl, err = build(ctx, dir, "./cmd/trawl"); err != nil {
			return false, err
		}
	}
	w, err := startWeb(ctx, dir, s)
	if err != nil {
		return false, err
	}
	defer w.stop()
	started := time.Now()
	tools := newTools(s)
	if _, err := tools[0].run(ctx, w, filepath.Join(dir, "warm")); err != nil { // so that the first round is like the others
		return false, err
	}
	for round := range s.rounds {
		for _, t := range tools {
			if len(t.rounds) > 0 && t.rounds[len(t.rounds)-1].cut {
				continue // it took too long, and would again
			}
			fmt.Fprintf(stderr, "round %d of %d: %s\n", round+1, s.rounds, t.name)
			r, err := t.run(ctx, w, filepath.Join(dir, fmt.Sprintf("%s-%d", t.name, round+1)))
			if err != nil {
				return false, fmt.Errorf("%s: %w", t.name, err)
			}
			t.rounds = append(t.rounds, r)
		}
	}
	return report(s, tools, w.total, started, stdout)
}
