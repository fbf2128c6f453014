package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// perMutant is how long the tests of one mutant may take; one that hangs them is noticed, and counted by itself.
	perMutant = 2 * time.Minute
	// quickTest: tests that take no longer go first, the others only where none of them fails.
	quickTest = 300 * time.Millisecond
)

// binary is a test binary of one package, and which of its tests reach which mutants.
type binary struct {
	file  string
	dir   string         // that its tests run in
	tests []timedTest    // that pass without a mutant, quickest first
	bad   map[int]string // numbers of mutants that do not compile
}

type timedTest struct {
	name    string
	took    time.Duration
	reaches map[int]bool
}

// bench runs the tests of mutants, as many at a time as there are cores.
type bench struct {
	root string
	dir  string // for what it builds
	want int
	out  io.Writer
	all  map[string]*binary // by package

	mu        sync.Mutex
	killed    int
	timedOut  int // of the killed: nothing failed, but the tests took too long
	survivors []mutant
	invalid   int // did not compile
}

// build makes the binary of a package that has all its mutants, and tries the tests of it without any.
func (b *bench) build(ctx context.Context, pkg string, jobs []*job) error {
	files := make(map[string][]*mutant)
	for _, j := range jobs {
		files[j.File] = append(files[j.File], &j.mutant)
	}
	bin := &binary{dir: filepath.Join(b.root, pkg), file: filepath.Join(b.dir, filepath.Base(pkg)+".test"), bad: make(map[int]string)}
	for round := 0; ; round++ {
		changed := make(map[string][]byte)
		next := 0
		for _, file := range sortedKeys(files) {
			var err error
			if changed[file], err = together(b.root, file, files[file], &next); err != nil {
				return err
			}
		}
		changed[filepath.Join(pkg, "mutants_chosen.go")] = fmt.Appendf(nil, chooser, filepath.Base(pkg))
		said, err := b.compile(ctx, pkg, bin.file, changed, "-gcflags=-e")
		if err == nil {
			break
		}
		blame := false
		from := make(map[string]string)
		for file := range changed {
			from[flat(file)] = file
		}
		for _, at := range compilerLine.FindAllStringSubmatch(said, -1) {
			file := from[filepath.Base(at[1])]
			line, _ := strconv.Atoi(at[2])
			if n := blamed(changed[file], line); n > 0 {
				blame = true
				for i, m := range files[file] {
					if m.number == n {
						m.number, m.invalid = 0, true
						files[file] = slices.Delete(files[file], i, i+1)
						break
					}
				}
			}
		}
		if !blame || round > 20 {
			return fmt.Errorf("build %s with its mutants: %w\n%s", pkg, err, said)
		}
	}
	b.all[pkg] = bin
	return b.measure(ctx, bin)
}

// compilerLine is where the compiler found an error.
var compilerLine = regexp.MustCompile(`(?m)^(\S+\.go):(\d+):\d+: `)

// flat is the name of a changed file where it lies for the compiler.
func flat(file string) string { return strings.ReplaceAll(file, "/", "_") }

// compile makes a test binary in which files of the tree are replaced.
func (b *bench) compile(ctx context.Context, pkg, to string, changed map[string][]byte, flags ...string) (said string, err error) {
	dir, err := os.MkdirTemp(b.dir, "changed")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	replace := make(map[string]string)
	root, err := filepath.Abs(b.root)
	if err != nil {
		return "", err
	}
	for file, text := range changed {
		at := filepath.Join(dir, flat(file))
		replace[filepath.Join(root, file)] = at
		if err := os.WriteFile(at, text, 0o600); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		return "", err
	}
	args := append(append([]string{"test", "-c", "-vet=off", "-overlay", overlay, "-o", to}, flags...), "./"+pkg)
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir = root
	out, err := c.CombinedOutput()
	return string(out), err
}

// measure runs each test alone, without a mutant: how long it takes, and which mutants it reaches.
func (b *bench) measure(ctx context.Context, bin *binary) error {
	c := exec.CommandContext(ctx, bin.file, "-test.list", ".")
	c.Dir = bin.dir
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("list tests: %w", err)
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		if name := strings.TrimSpace(line); !strings.HasPrefix(name, "Benchmark") {
			names = append(names, name)
		}
	}
	each(names, func(name string) {
		t, err := b.measureOne(ctx, bin, name)
		b.mu.Lock()
		defer b.mu.Unlock()
		if err != nil {
			fmt.Fprintf(b.out, "left out  %s: %v\n", name, err)
			return
		}
		bin.tests = append(bin.tests, t)
	})
	slices.SortFunc(bin.tests, func(x, y timedTest) int { return cmp.Compare(x.took, y.took) })
	if len(bin.tests) == 0 {
		return errors.Join(ctx.Err(), fmt.Errorf("%s: no test passes without a mutant", bin.dir))
	}
	return ctx.Err()
}

func (b *bench) measureOne(ctx context.Context, bin *binary, name string) (timedTest, error) {
	t := timedTest{name: name, reaches: make(map[int]bool)}
	notes := filepath.Join(b.dir, filepath.Base(bin.dir)+"."+name)
	defer os.Remove(notes)
	begin := time.Now()
	c := exec.CommandContext(ctx, bin.file, "-test.run", "^"+name+"$", "-test.timeout", perMutant.String())
	c.Dir, c.Env = bin.dir, append(os.Environ(), "MUTANT_NOTES="+notes)
	if out, err := c.CombinedOutput(); err != nil {
		return t, fmt.Errorf("it fails without a mutant: %w\n%s", err, out)
	}
	t.took = time.Since(begin)
	text, err := os.ReadFile(notes)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return t, err
	}
	for word := range strings.FieldsSeq(string(text)) {
		n, err := strconv.Atoi(word)
		if err != nil {
			return t, err
		}
		t.reaches[n] = true
	}
	return t, nil
}

func (b *bench) work(ctx context.Context, sample []*job) {
	next := make(chan *job)
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

func (b *bench) one(ctx context.Context, j *job) {
	v, err := b.try(ctx, j)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case ctx.Err() != nil:
	case err != nil:
		fmt.Fprintf(b.out, "?        %s:%d %s: %v\n", j.File, j.Line, j.What, err)
	case v == doesNotCompile:
		b.invalid++
	case v == survives:
		b.survivors = append(b.survivors, j.mutant)
		fmt.Fprintf(b.out, "SURVIVES %s:%d %s: %s\n", j.File, j.Line, j.Func, j.What)
	case v == killedByTime:
		b.killed++
		b.timedOut++
		fmt.Fprintf(b.out, "timeout  %s:%d %s\n", j.File, j.Line, j.What)
	default:
		b.killed++
		fmt.Fprintf(b.out, "killed   %s:%d %s\n", j.File, j.Line, j.What)
	}
}

type verdict int

const (
	survives verdict = iota
	killed
	killedByTime
	doesNotCompile
)

// try runs the tests that reach the mutant, the quick ones first.
func (b *bench) try(ctx context.Context, j *job) (verdict, error) {
	bin := b.all[j.pkg]
	if j.invalid {
		return doesNotCompile, nil
	}
	file := bin.file
	if j.number == 0 {
		src, err := os.ReadFile(filepath.Join(b.root, j.File))
		if err != nil {
			return 0, err
		}
		dir, err := os.MkdirTemp(b.dir, "one")
		if err != nil {
			return 0, err
		}
		defer os.RemoveAll(dir)
		file = filepath.Join(dir, "one.test")
		if said, err := b.compile(ctx, j.pkg, file, map[string][]byte{j.File: j.apply(src)}); err != nil {
			if compilerLine.MatchString(said) {
				return doesNotCompile, nil
			}
			return 0, fmt.Errorf("%w: %s", err, said)
		}
	}
	var quick, slow []string
	for _, t := range bin.tests {
		switch {
		case j.number > 0 && !t.reaches[j.number]:
		case t.took <= quickTest:
			quick = append(quick, t.name)
		default:
			slow = append(slow, t.name)
		}
	}
	for _, names := range [][]string{quick, slow} {
		if v, err := b.run(ctx, bin, file, j.number, names); v != survives || err != nil {
			return v, err
		}
	}
	return survives, nil
}

// run runs some tests with a mutant.
func (b *bench) run(ctx context.Context, bin *binary, file string, number int, names []string) (verdict, error) {
	if len(names) == 0 {
		return survives, nil
	}
	c := exec.CommandContext(ctx, file, "-test.failfast", "-test.timeout", perMutant.String(), "-test.run", "^("+strings.Join(names, "|")+")$")
	c.Dir, c.Env = bin.dir, append(os.Environ(), "MUTANT="+strconv.Itoa(number))
	c.WaitDelay = 5 * time.Second
	out, err := c.CombinedOutput()
	var failed *exec.ExitError
	switch {
	case err == nil:
		return survives, nil
	case !errors.As(err, &failed):
		return 0, err
	case bytes.Contains(out, []byte("panic: test timed out")):
		return killedByTime, nil
	}
	return killed, nil
}

// each calls f for all names, as many at a time as there are cores.
func each(names []string, f func(string)) {
	var wg sync.WaitGroup
	next := make(chan string)
	for range runtime.NumCPU() {
		wg.Go(func() {
			for name := range next {
				f(name)
			}
		})
	}
	for _, name := range names {
		next <- name
	}
	close(next)
	wg.Wait()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
