//go:build linux

// Command chaos is the fault bench: it runs crawls on a cluster of real processes, does to it what happens to
// machines and networks, and proves by the logs of the web's server and of the scheduler that nothing was lost,
// doubled or asked without a right. See README.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// command is what the bench is asked for.
type command struct {
	plans, jobs, fetchers   int
	seed, replay            uint64
	long                    time.Duration
	kills, pages            int
	cut, keep, verbose      bool
	loopback                bool
	trawl, previous, before string
}

func parse(args []string, stderr io.Writer) (command, error) {
	var c command
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&c.plans, "plans", 25, "seeded plans of faults, a crawl each")
	f.Uint64Var(&c.seed, "seed", 1, "of the first plan; the others follow")
	f.Uint64Var(&c.replay, "replay", 0, "only the plan of this `seed`, told step by step")
	f.DurationVar(&c.long, "long", 0, "go on with further plans for this `time`")
	f.IntVar(&c.kills, "kills", 0, "instead of plans: so many kills (-9) of random nodes during one crawl")
	f.IntVar(&c.pages, "pages", 50_000, "with -kills: pages of that crawl")
	f.BoolVar(&c.cut, "cut", false, "instead of plans: five fetchers, and the network between the scheduler and three of them cut for 60 s")
	f.IntVar(&c.jobs, "jobs", 2, "plans that run at a time")
	f.IntVar(&c.fetchers, "fetchers", 3, "fetchers of a plan")
	f.BoolVar(&c.keep, "keep", false, "keep the directories of plans that failed")
	f.BoolVar(&c.verbose, "v", false, "tell every fault as it happens")
	f.BoolVar(&c.loopback, "loopback", false, "addresses of 127.0.0.0/8 instead of namespaces; what needs those is left out")
	f.StringVar(&c.trawl, "trawl", "", "the `program`, instead of building it")
	f.StringVar(&c.previous, "previous", "", "an older `program`, instead of building the last merged version")
	f.StringVar(&c.before, "previous-ref", "", "the `commit` that the older program is built from (default origin/main, or the commit before this one)")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if f.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if c.plans < 1 || c.jobs < 1 || c.fetchers < 1 || c.fetchers > 100 || c.kills < 0 || c.pages < 1 || c.seed < 1 {
		return c, errors.New("use positive numbers, also for the seed, and up to 100 fetchers")
	}
	c.verbose = c.verbose || c.replay > 0
	return c, nil
}

// insideRoot tells the process in the namespaces where its files are.
const insideRoot = "TRAWL_CHAOS_ROOT"

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return 2
	}
	if root := os.Getenv(insideRoot); root != "" {
		err = inside(ctx, root, c, stdout)
	} else {
		err = outside(ctx, c, args, stdout, stderr)
	}
	if err == nil {
		return 0
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() < 0 { // the other has told why
		fmt.Fprintln(stderr, "chaos:", err)
	}
	return 1
}

// outside builds the programs and runs the bench in namespaces of its own: processes, mounts and networks of a bench
// that is killed end with it.
func outside(ctx context.Context, c command, args []string, stdout, stderr io.Writer) (err error) {
	removeStale()
	root, err := os.MkdirTemp("", rootPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil || !c.keep {
			err = errors.Join(err, os.RemoveAll(root))
		}
	}()
	p, err := build(ctx, root, c.trawl, c.previous, c.before)
	if err != nil {
		return err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, programsFile), text, 0o644); err != nil {
		return err
	}
	spawn := func(flags uintptr, more ...string) error {
		one := exec.Command("/proc/self/exe", append(more, args...)...)
		one.Env = append(os.Environ(), insideRoot+"="+root, "XDG_RUNTIME_DIR="+root) // notes of running jobs stay in there
		one.Stdout, one.Stderr = stdout, stderr
		one.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Setpgid: true, Pdeathsig: syscall.SIGKILL}
		runtime.LockOSThread() // whose death would be taken for this process's
		defer runtime.UnlockOSThread()
		if err := one.Start(); err != nil {
			return err
		}
		defer context.AfterFunc(ctx, func() { _ = one.Process.Signal(syscall.SIGTERM) })()
		return one.Wait()
	}
	if c.loopback {
		return spawn(0)
	}
	err = spawn(unix.CLONE_NEWPID | unix.CLONE_NEWNS)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) {
		fmt.Fprintf(stdout, "namespaces are not allowed here (%v): loopback addresses instead\n", err)
		return spawn(0, "-loopback")
	}
	return err
}

const (
	rootPrefix   = "trawl-chaos-"
	programsFile = "programs.json"
)

// removeStale removes what benches left that were killed.
func removeStale() {
	found, err := filepath.Glob(filepath.Join(os.TempDir(), rootPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range found {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), rootPrefix), "-")
		if pid, err := strconv.Atoi(number); err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir) // somebody else's stays
		}
	}
}

// inside is the bench itself.
func inside(ctx context.Context, root string, c command, out io.Writer) error {
	text, err := os.ReadFile(filepath.Join(root, programsFile))
	if err != nil {
		return err
	}
	var p programs
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	if !c.loopback {
		if err := isolate(); err != nil {
			fmt.Fprintf(out, "namespaces are not allowed here (%v): loopback addresses instead\n", err)
			c.loopback = true
		}
	}
	if c.loopback {
		fmt.Fprintln(out, "left out on loopback: partitions, slow links, full and read-only disks, and whose right a request was")
		c.jobs = 1
	}
	s := setting{
		trawl: p.Trawl, webfarm: p.Webfarm, older: older{p.Older, p.Plain, p.Why}, root: root, loopback: c.loopback, base: byte(16 + os.Getppid()%100*2),
		delay: 250 * time.Millisecond, lease: 3 * time.Second, renew: time.Second, grace: time.Second,
		hosts: 40, pages: 60, fetchers: c.fetchers, workers: 64, throttled: "0.01", limit: 3 * time.Minute, verbose: c.verbose,
	}
	b := &bench{command: c, setting: s, out: out}
	switch {
	case c.kills > 0:
		return b.manyKills(ctx)
	case c.cut:
		return b.longCut(ctx)
	}
	return b.manyPlans(ctx)
}

// isolate makes the mounts of this process its own, and tries whether a machine can be made.
func isolate() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	f := newFabric()
	p, err := newPlace("probe", (&cluster{}).address(250), f)
	if err != nil {
		return err
	}
	p.leave()
	return nil
}
