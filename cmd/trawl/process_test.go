package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"

	"trawl/cmd/trawl/demo"

	"github.com/rogpeppe/go-internal/testscript"
)

type processesKey struct{}

// processes are those that a script runs beside itself. The built-in background commands do not tell an
// exit status or what was printed so far; these do.
type processes struct {
	mu      sync.Mutex
	running map[string]*process
}

type process struct {
	cmd    *exec.Cmd
	stderr string // file
	stdout string // file
	ended  chan struct{}
	err    error // valid after ended
}

func (p *processes) killAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.running {
		one.cmd.Process.Kill()
		<-one.ended
	}
}

func (p *processes) get(ts *testscript.TestScript, name string) *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.running[name]
	if one == nil {
		ts.Fatalf("no process %s was started", name)
	}
	return one
}

// cmdExits runs a program and wants an exit status.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	mustAbsent(ts, neg)
	if len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARGUMENT…")
	}
	wantStatus(ts, args[0], ts.Exec(args[1], args[2:]...))
}

// cmdUntil runs a program again and again, until it prints a line that matches.
func cmdUntil(ts *testscript.TestScript, neg bool, args []string) {
	mustAbsent(ts, neg)
	if len(args) < 2 {
		ts.Fatalf("usage: until REGEXP PROGRAM ARGUMENT…")
	}
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && re.MatchString(ts.ReadFile("stdout")) {
			return
		}
		select {
		case <-look.C:
		case <-limit.C:
			ts.Fatalf("it printed nothing like %s within %v (%v)", args[0], patience, err)
		}
	}
}

func wantStatus(ts *testscript.TestScript, text string, err error) {
	want, bad := strconv.Atoi(text)
	ts.Check(bad)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// cmdStart runs a program beside the script.
func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	mustAbsent(ts, neg)
	if len(args) < 2 {
		ts.Fatalf("usage: start NAME PROGRAM ARGUMENT…")
	}
	name := args[0]
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	p := &process{cmd: exec.Command(path, args[2:]...), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = ts.MkAbs("."), environ(ts)
	p.stdout, p.stderr = filepath.Join(p.cmd.Dir, name+".stdout"), filepath.Join(p.cmd.Dir, name+".stderr")
	out, err := os.Create(p.stdout)
	ts.Check(err)
	defer out.Close()
	errs, err := os.Create(p.stderr)
	ts.Check(err)
	defer errs.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, errs
	ts.Check(p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	all := ts.Value(processesKey{}).(*processes)
	all.mu.Lock()
	defer all.mu.Unlock()
	all.running[name] = p
}

// cmdAwait waits until a process has printed a line that matches, and puts what the expression's groups
// match into the variables named.
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	mustAbsent(ts, neg)
	if len(args) < 2 {
		ts.Fatalf("usage: await NAME REGEXP VARIABLE…")
	}
	p := ts.Value(processesKey{}).(*processes).get(ts, args[0])
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		ended := false
		select {
		case <-look.C:
		case <-p.ended:
			ended = true
		case <-limit.C:
			ts.Fatalf("%s printed nothing like %s within %v:\n%s", args[0], args[1], patience, ts.ReadFile(p.stderr))
		}
		found := re.FindStringSubmatch(ts.ReadFile(p.stderr) + "\n" + ts.ReadFile(p.stdout))
		if found != nil {
			for i, name := range args[2:] {
				ts.Setenv(name, found[i+1])
			}
			return
		}
		if ended {
			ts.Fatalf("%s ended (%v) and printed nothing like %s:\n%s", args[0], p.err, args[1], ts.ReadFile(p.stderr))
		}
	}
}

// cmdInterrupt does to a process what Ctrl-C does.
func cmdInterrupt(ts *testscript.TestScript, neg bool, args []string) {
	mustAbsent(ts, neg)
	if len(args) != 1 {
		ts.Fatalf("usage: interrupt NAME")
	}
	ts.Check(ts.Value(processesKey{}).(*processes).get(ts, args[0]).cmd.Process.Signal(os.Interrupt))
}

// cmdSignal sends a process another signal: HUP, KILL, STOP or CONT.
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	mustAbsent(ts, neg)
	signals := map[string]os.Signal{"HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}
	if len(args) != 2 || signals[args[1]] == nil {
		ts.Fatalf("usage: signal NAME HUP|KILL|STOP|CONT")
	}
	ts.Check(ts.Value(processesKey{}).(*processes).get(ts, args[0]).cmd.Process.Signal(signals[args[1]]))
}

// cmdEnds waits for a process and wants an exit status. stdout and stderr look at what it printed.
func cmdEnds(ts *testscript.TestScript, neg bool, args []string) {
	mustAbsent(ts, neg)
	if len(args) != 2 {
		ts.Fatalf("usage: ends NAME STATUS")
	}
	all := ts.Value(processesKey{}).(*processes)
	p := all.get(ts, args[0])
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-p.ended:
	case <-limit.C:
		ts.Fatalf("%s did not end within %v:\n%s", args[0], patience, ts.ReadFile(p.stderr))
	}
	fmt.Fprint(ts.Stdout(), ts.ReadFile(p.stdout))
	fmt.Fprint(ts.Stderr(), ts.ReadFile(p.stderr))
	all.mu.Lock()
	delete(all.running, args[0])
	all.mu.Unlock()
	wantStatus(ts, args[1], p.err)
}

// cmdPorts sets $PORT to the first of three free ports in a row.
func cmdPorts(ts *testscript.TestScript, neg bool, _ []string) {
	mustAbsent(ts, neg)
	port, err := demo.FreePorts(3)
	ts.Check(err)
	ts.Setenv("PORT", strconv.Itoa(port))
}
