package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// usage is what a process cost.
type usage struct {
	wall time.Duration
	cpu  time.Duration // user and system
	rss  int64         // most bytes in memory at once
}

// round is one round of a tool: its web, its directory, and what its processes have cost so far.
type round struct {
	web *web
	dir string

	mu    sync.Mutex
	pids  map[int]bool // running; guarded by mu
	usage usage        // of those that have ended; guarded by mu
}

func newRound(w *web, dir string) *round { return &round{web: w, dir: dir, pids: make(map[int]bool)} }

// process runs a command to its end. When the context ends it is interrupted, and killed after some seconds.
// What it cost is added to the round; wall is the caller's.
func (r *round) process(ctx context.Context, name string, args ...string) error {
	c := command(ctx, r.dir, name, args...)
	out := &tail{}
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		return err
	}
	r.mu.Lock()
	r.pids[c.Process.Pid] = true
	r.mu.Unlock()
	err := c.Wait()
	r.mu.Lock()
	delete(r.pids, c.Process.Pid)
	r.usage.cpu += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	r.usage.rss = max(r.usage.rss, maxRSS(c.ProcessState))
	r.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, out.text)
	}
	return nil
}

// cpu is the processor time of all processes of the round up to now, those that run among them.
func (r *round) cpu() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := r.usage.cpu
	for pid := range r.pids {
		sum += processCPU(pid)
	}
	return sum
}

func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 5 * time.Second
	return c
}

// outputKept is how much of a process's output is kept for an error message.
const outputKept = 2000

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

// Write never fails.
func (t *tail) Write(b []byte) (int, error) {
	t.text = append(t.text, b...)
	if n := len(t.text) - outputKept; n > 0 {
		t.text = append(t.text[:0], t.text[n:]...)
	}
	return len(b), nil
}

// build makes the program of a package in the module around the working directory.
func build(ctx context.Context, dir, pkg string) (string, error) {
	var out bytes.Buffer
	root := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}")
	root.Stdout = &out
	if err := root.Run(); err != nil {
		return "", errors.New("run bench inside the module")
	}
	program := filepath.Join(dir, filepath.Base(pkg)+".program")
	c := command(ctx, string(bytes.TrimSpace(out.Bytes())), "go", "build", "-o", program, pkg)
	c.Env = append(c.Environ(), "CGO_ENABLED=0") // as users build it
	if text, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", pkg, err, text)
	}
	return program, nil
}
