// Command mutants makes small mistakes in the code, one at a time, and counts those that the tests notice: a test that passes
// with its reason taken away is no test.
//
// The mistakes are a seeded sample over the packages that decide what becomes of a URL. No file of the tree is changed: the
// compiler is given others in their place. Most mutants of a package share one test binary, which is told the one that counts,
// and of each only those tests are run that reach it, quick ones first. Survivors that make no difference, or that are known and why, stand in
// survivors.txt; the others are printed, and the command fails when too few were killed.
//
//	go run ./test/mutants [-seed 1] [-n 200] [-time 55m] [-only scheduler]
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// wanted is the part of the mutants, in percent, that must be killed.
const wanted = 80

// target is a set of files of one package, whose tests should notice mistakes in them.
type target struct {
	name  string
	files []string // patterns, relative to the module
	pkg   string   // whose tests should notice
}

func targets() []target {
	return []target{
		{"scheduler", []string{"scheduler/*.go"}, "scheduler"},
		{"core", []string{"scheduler/core/*.go"}, "scheduler/core"},
		{"credit", []string{"scheduler/credit/*.go"}, "scheduler/credit"},
		{"memory", []string{"scheduler/memory/*.go"}, "scheduler/memory"},
		{"names", []string{"scheduler/names/*.go"}, "scheduler/names"},
		{"memory", []string{"scheduler/memory/*.go"}, "scheduler/memory"},
		{"credit", []string{"scheduler/credit/*.go"}, "scheduler/credit"},
		{"names", []string{"scheduler/names/*.go"}, "scheduler/names"},
		{"crawler", []string{
			"crawler/ledger.go", "crawler/retry.go", "crawler/scope.go", "crawler/hostrule.go", "crawler/trap.go", "crawler/change.go", "crawler/room.go", "crawler/standing.go",
		}, "crawler"},
		{"weburl", []string{"crawler/weburl/*.go"}, "crawler/weburl"},
		{"robots", []string{"crawler/robots/*.go"}, "crawler/robots"},
		{"session", []string{"crawler/session/cookie*.go", "crawler/session/referer.go"}, "crawler/session"},
		{"fetcher", []string{"fetcher/*.go"}, "fetcher"},
		{"lease", []string{"fetcher/lease/*.go"}, "fetcher/lease"},
		{"download", []string{"fetcher/download/*.go"}, "fetcher/download"},
		{"archive", []string{"storage/archive/*.go"}, "storage/archive"},
		{"durable", []string{"internal/durable/*.go"}, "internal/durable"},
	}
}

// told are files of texts for people, where most mistakes are matters of taste.
func told() []string {
	return []string{"scheduler/core/status.go", "scheduler/core/trace.go", "scheduler/waits/waits.go"}
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "mutants: %v\n", err)
		os.Exit(1)
	}
}

type options struct {
	seed  uint64
	n     int
	limit time.Duration
	only  string
	known string
}

func run() error {
	var o options
	flag.Uint64Var(&o.seed, "seed", 1, "of the sample")
	flag.IntVar(&o.n, "n", 200, "mutants that compile")
	flag.DurationVar(&o.limit, "time", 55*time.Minute, "for all of them; the sample ends early, and says so")
	flag.StringVar(&o.only, "only", "", "one target: scheduler, core, fetcher, download, …")
	flag.StringVar(&o.known, "survivors", "test/mutants/survivors.txt", "known survivors, each with its reason")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	known, err := readKnown(o.known)
	if err != nil {
		return err
	}
	sample, err := draw(&o)
	if err != nil {
		return err
	}
	if o.only == "" {
		reportStale(os.Stdout, known, sample)
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{root: ".", dir: dir, want: o.n, out: os.Stdout, all: make(map[string]*binary)}
	for _, t := range targets() {
		if of := slices.DeleteFunc(slices.Clone(sample), func(j *job) bool { return j.pkg != t.pkg }); len(of) > 0 {
			if err := b.build(ctx, t.pkg, of); err != nil {
				return err
			}
		}
	}
	b.work(ctx, sample)
	return b.report(known)
}

// job is a mutant and the package whose tests should notice it.
type job struct {
	mutant
	pkg string
}

// draw lists the mutants of all targets in a random order that the seed decides.
func draw(o *options) ([]*job, error) {
	var all []*job
	for _, t := range targets() {
		if o.only != "" && o.only != t.name {
			continue
		}
		for _, pattern := range t.files {
			files, err := filepath.Glob(pattern)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", pattern, err)
			}
			for _, f := range files {
				if strings.HasSuffix(f, "_test.go") || slices.Contains(told(), f) {
					continue
				}
				found, err := mutantsOf(".", f)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", f, err)
				}
				for _, m := range found {
					all = append(all, &job{m, t.pkg})
				}
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no mutants: run it at the root of the module, and use a target's name with -only")
	}
	r := rand.New(rand.NewPCG(o.seed, o.seed))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all, nil
}

// reportStale prints the known survivors that the code has no more: what they explain was changed or moved.
func reportStale(out io.Writer, known map[string]string, all []*job) {
	there := make(map[string]bool, len(all))
	for _, j := range all {
		there[j.name()] = true
	}
	for _, name := range sortedKeys(known) {
		if !there[name] {
			fmt.Fprintf(out, "stale    %s\n", name)
		}
	}
}

// report prints the figures and the survivors that nobody has explained.
func (b *bench) report(known map[string]string) error {
	tried := b.killed + len(b.survivors)
	if tried == 0 {
		return errors.New("no mutant was tried")
	}
	slices.SortFunc(b.survivors, func(x, y mutant) int { return strings.Compare(x.name(), y.name()) })
	for _, m := range b.survivors {
		if why, ok := known[m.name()]; ok {
			fmt.Fprintf(b.out, "known    %s\n         %s\n", m.name(), why)
		} else {
			fmt.Fprintf(b.out, "NEW      %s (line %d)\n", m.name(), m.Line)
		}
	}
	percent := 100 * b.killed / tried
	fmt.Fprintf(b.out, "%d of %d mutants killed (%d %%), %d of them by time; %d did not compile\n", b.killed, tried, percent, b.timedOut, b.invalid)
	if tried < b.want {
		fmt.Fprintf(b.out, "the sample ended early: %d of %d\n", tried, b.want)
	}
	if percent < wanted {
		return fmt.Errorf("%d %% killed, at least %d must be: write the tests that notice the survivors, or their reason into survivors.txt", percent, wanted)
	}
	return nil
}

// readKnown reads the known survivors: a line with the mutant's name, then an indented one with the reason.
func readKnown(file string) (map[string]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("known survivors: %w", err)
	}
	defer f.Close()
	known, name := make(map[string]string), ""
	in := bufio.NewScanner(f)
	for line := 1; in.Scan(); line++ {
		switch text := in.Text(); {
		case text == "" || strings.HasPrefix(text, "#"):
		case !strings.HasPrefix(text, " "):
			name = text
		case name == "":
			return nil, fmt.Errorf("%s:%d: a reason without a mutant", file, line)
		default:
			known[name] = strings.TrimSpace(text)
		}
	}
	return known, in.Err()
}
