//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one run of a program in a place.
type process struct {
	cmd   *exec.Cmd
	log   string        // what it wrote to standard error
	ended chan struct{} // closed when it has ended

	mu      sync.Mutex
	killed  bool  // by the bench, with -9
	allowed []int // exit statuses that are right
}

// exitStatus of a process that a signal ended.
const signalled = -1

// start runs a program in a place; its output goes to log.
func start(p *place, log string, allowed []int, program string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	defer out.Close() // the process has its own
	c := exec.Command(program, args...)
	c.Stdout, c.Stderr = out, out
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // of the place's thread, which lives as long as the place
	if err := p.do(c.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	one := &process{cmd: c, log: log, ended: make(chan struct{}), allowed: allowed}
	go func() {
		_ = c.Wait() // its status is in ProcessState
		close(one.ended)
	}()
	return one, nil
}

// allow adds exit statuses that are right from now on.
func (p *process) allow(statuses ...int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = append(p.allowed, statuses...)
}

// kill ends the process with -9 and waits for it.
func (p *process) kill() {
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	_ = p.cmd.Process.Kill() // one that has ended is as good
	<-p.ended
}

// signal sends a signal; one that has ended hears nothing.
func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// wait waits for the end, and reports whether it came.
func (p *process) wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.ended:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// status is the exit status of a process that has ended.
func (p *process) status() int { return p.cmd.ProcessState.ExitCode() }

// end tells what is wrong with how a process ended: nil when it was to end so, and said why.
func (p *process) end() error {
	p.mu.Lock()
	killed, allowed := p.killed, slices.Clone(p.allowed)
	p.mu.Unlock()
	text, err := os.ReadFile(p.log)
	if err != nil {
		return fmt.Errorf("read its log: %w", err)
	}
	if i := crash(text); i >= 0 {
		return fmt.Errorf("it crashed: %s", firstLine(text[i:]))
	}
	if killed && p.status() == signalled {
		return nil
	}
	why := lastWords(text)
	switch {
	case !slices.Contains(allowed, p.status()):
		return fmt.Errorf("it ended by itself with %v: %s", p.cmd.ProcessState, why)
	case why == "":
		return errors.New("it ended without a line that says why")
	}
	return nil
}

// crash finds the begin of a Go program's last words, -1 for none.
func crash(text []byte) int {
	for _, mark := range []string{"panic: ", "fatal error: ", "SIGSEGV"} {
		if i := bytes.Index(text, []byte("\n"+mark)); i >= 0 {
			return i + 1
		}
		if bytes.HasPrefix(text, []byte(mark)) {
			return 0
		}
	}
	return -1
}

func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return string(line)
}

// lastWords is the last line that is no log line.
func lastWords(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range slices.Backward(lines) {
		if line != "" && !strings.HasPrefix(line, "{") {
			return line
		}
	}
	return ""
}
