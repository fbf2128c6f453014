package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// settings are the flags.
type settings struct {
	only                        string
	rounds, hosts, pages, loops int
	gzip, ceiling, write        bool
	quick, readme               bool
	trawl, keep                 string
	loop                        loopSettings // hidden: be a loop over a file of URLs
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
	f.StringVar(&s.only, "only", "", "the `scenarios` whose names begin so, with commas between; all for all (default a-plain)")
	f.IntVar(&s.rounds, "rounds", 0, "how often each tool runs, slow peers fewer times (default 5, with -quick 2)")
	f.IntVar(&s.hosts, "hosts", 0, "hosts of the synthetic web, in place of the scenario's")
	f.IntVar(&s.pages, "pages", 0, "pages of each host, in place of the scenario's")
	f.IntVar(&s.loops, "loops", 64, "requests that the loops keep open at once; also what peers are told")
	f.BoolVar(&s.gzip, "gzip", false, "the same as -only a-gzip")
	f.BoolVar(&s.quick, "quick", false, "all scenarios on small webs, without peers, against bench/ratios.csv; with -write that file is written")
	f.BoolVar(&s.readme, "readme", false, "write the table of README.md from the last -write, and measure nothing")
	f.BoolVar(&s.ceiling, "ceiling", false, "also measure a loop without net/http: what the synthetic web can do at most")
	f.BoolVar(&s.write, "write", false, "write bench/RESULTS.md and its plot")
	f.StringVar(&s.trawl, "trawl", "", "measure this `program` instead of building one")
	f.StringVar(&s.keep, "keep", "", "leave crawl directories and outputs in this `directory`")
	s.loop.flags(f)
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 || s.rounds < 0 || s.hosts < 0 || s.pages < 0 || s.loops < 1 {
		return s, errors.New("use no negative numbers and no arguments")
	}
	s.rounds = cmp.Or(s.rounds, defaultRounds(s.quick))
	switch {
	case s.only != "":
	case s.quick:
		s.only = "all"
	case s.gzip:
		s.only = "a-gzip"
	default:
		s.only = "a-plain"
	}
	if len(s.chosen()) == 0 {
		return s, fmt.Errorf("no scenario is named %q; there are %s", s.only, strings.Join(scenarioNames(), ", "))
	}
	return s, nil
}

func defaultRounds(quick bool) int {
	if quick {
		return 2
	}
	return 5
}

// chosen are the scenarios that -only names.
func (s settings) chosen() []*scenario {
	var out []*scenario
	for _, sc := range scenarios() {
		for only := range strings.SplitSeq(s.only, ",") {
			if s.quick && sc.small == (shape{}) {
				continue
			}
			if only == "all" || strings.HasPrefix(sc.name, only) {
				out = append(out, sc)
				break
			}
		}
	}
	return out
}

func scenarioNames() []string {
	var names []string
	for _, sc := range scenarios() {
		names = append(names, sc.name)
	}
	return names
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	case s.loop.kind != "":
		err = s.loop.run(ctx, s.loops)
	case s.readme:
		err = writeReadme()
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

// measure runs the chosen scenarios and prints what came out; ok reports whether the checks hold.
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
	} else if s.trawl, err = filepath.Abs(s.trawl); err != nil {
		return false, err
	}
	farm, err := build(ctx, dir, "./internal/webfarm/cmd/webfarm")
	if err != nil {
		return false, err
	}
	m := &measurement{settings: s, farm: farm, dir: dir, log: stderr, started: time.Now()}
	for _, sc := range s.chosen() {
		if err := m.study(ctx, sc); err != nil {
			return false, fmt.Errorf("%s: %w", sc.name, err)
		}
	}
	return m.report(stdout)
}
