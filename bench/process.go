package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// usage is what a process cost.
type usage struct {
	wall time.Duration
	cpu  time.Duration // user and system
	rss  int64         // most bytes in memory at once
}

// outputKept is how much of a process's output is kept for an error message.
const outputKept = 2000

// process runs a command to its end. When the context ends it is interrupted, and killed after some seconds.
func process(ctx context.Context, dir, name string, args ...string) (usage, error) {
	c := command(ctx, dir, name, args...)
	out := &tail{}
	c.Stdout, c.Stderr = out, out
	start := time.Now()
	err := c.Run()
	u := usage{wall: time.Since(start)}
	if c.ProcessState != nil {
		u.cpu = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
		u.rss = maxRSS(c.ProcessState)
	}
	if ctx.Err() != nil {
		return u, ctx.Err()
	}
	if err != nil {
		return u, fmt.Errorf("%w: %s", err, out.text)
	}
	return u, nil
}

func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 5 * time.Second
	return c
}

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
	_, err := process(ctx, string(bytes.TrimSpace(out.Bytes())), "go", "build", "-o", program, pkg)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", pkg, err)
	}
	return program, nil
}
