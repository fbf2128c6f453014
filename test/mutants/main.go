// Command mutants makes small mistakes in the code, one at a time, and counts those that the tests notice: a test that passes
// with its reason taken away is no test.
//
// The mistakes are a seeded sample over the packages that decide what becomes of a URL. No file of the tree is changed: the
// compiler is given the mutant in its place. Survivors that make no difference, or that are known and why, stand in
// survivors.txt; the others are printed, and the command fails when too few were killed.
//
//	go run ./test/mutants [-seed 1] [-n 200] [-time 55m] [-only scheduler]
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// wanted is the part of the mutants, in percent, that must be killed.
const wanted = 80

// perMutant is how long the tests of one mutant may take; one that hangs them is noticed.
const perMutant = 2 * time.Minute

// target is a set of files and the packages whose tests should notice mistakes in them.
type target struct {
	name  string
	files []string // patterns, relative to the module
	tests []string
}

func targets() []target {
	return []target{
		{"scheduler", []string{"scheduler/*.go"}, []string{"./scheduler/..."}},
		{"crawler", []string{
			"crawler/ledger.go", "crawler/retry.go", "crawler/scope.go", "crawler/hostrule.go", "crawler/away*.go", "crawler/pace*.go",
			"crawler/trap*.go", "crawler/cookie*.go", "crawler/robots*.go", "crawler/url*.go", "crawler/address.go", "crawler/change.go",
		}, []string{"./crawler"}},
		{"storage", []string{
			"storage/archive*.go", "storage/files*.go", "storage/depot.go", "storage/outbox.go", "storage/export_file.go", "storage/export_temp.go",
		}, []string{"./storage"}},
	}
}

// told are files of texts for people, where most mistakes are matters of taste.
func told() []string { return []string{"scheduler/status.go", "scheduler/trace.go"} }

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
	flag.StringVar(&o.only, "only", "", "one target: scheduler, crawler or storage")
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
	b := &bench{root: ".", want: o.n, out: os.Stdout}
	b.work(ctx, sample)
	return b.report(known)
}

// job is a mutant and the tests that should notice it.
type job struct {
	mutant
	tests []string
}

// draw lists the mutants of all targets in a random order that the seed decides.
func draw(o *options) ([]job, error) {
	var all []job
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
					all = append(all, job{m, t.tests})
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

// bench runs the tests of mutants, as many at a time as there are cores.
type bench struct {
	root string
	want int
	out  io.Writer

	mu        sync.Mutex
	killed    int
	survivors []mutant
	invalid   int // did not compile
}

func (b *bench) work(ctx context.Context, sample []job) {
	next := make(chan job)
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for j := range next {
				b.one(ctx, j)
			}
		})
	}
	for _, j := range sample {
		if ctx.Err() != nil || b.tried() >= b.want {
			break
		}
		next <- j
	}
	close(next)
	wg.Wait()
}

func (b *bench) tried() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.killed + len(b.survivors)
}

func (b *bench) one(ctx context.Context, j job) {
	noticed, compiles, err := b.try(ctx, j)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case ctx.Err() != nil:
	case err != nil:
		fmt.Fprintf(b.out, "?        %s:%d %s: %v\n", j.File, j.Line, j.What, err)
	case !compiles:
		b.invalid++
	case noticed:
		b.killed++
		fmt.Fprintf(b.out, "killed   %s:%d %s\n", j.File, j.Line, j.What)
	default:
		b.survivors = append(b.survivors, j.mutant)
		fmt.Fprintf(b.out, "SURVIVES %s:%d %s: %s\n", j.File, j.Line, j.Func, j.What)
	}
}

// try builds and tests with the mutant in the place of its file.
func (b *bench) try(ctx context.Context, j job) (noticed, compiles bool, err error) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return false, false, err
	}
	defer os.RemoveAll(dir)
	overlay, err := b.overlay(dir, &j.mutant)
	if err != nil {
		return false, false, err
	}
	args := append([]string{"test", "-overlay", overlay, "-vet=off", "-failfast", "-timeout", perMutant.String()}, j.tests...)
	c := exec.CommandContext(ctx, "go", args...)
	c.WaitDelay = 5 * time.Second
	out, err := c.CombinedOutput()
	if bytes.Contains(out, []byte("[build failed]")) {
		return false, false, nil
	}
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return false, false, err
	}
	return err != nil, true, nil
}

// overlay writes the file with the mutant and the list that tells the compiler of it.
func (b *bench) overlay(dir string, m *mutant) (string, error) {
	file, err := filepath.Abs(filepath.Join(b.root, m.File))
	if err != nil {
		return "", err
	}
	src, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	changed, list := filepath.Join(dir, filepath.Base(file)), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
	if err != nil {
		return "", err
	}
	return list, errors.Join(os.WriteFile(changed, m.apply(src), 0o600), os.WriteFile(list, text, 0o600))
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
	fmt.Fprintf(b.out, "%d of %d mutants killed (%d %%); %d did not compile\n", b.killed, tried, percent, b.invalid)
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
