//go:build linux

package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programs are what the bench runs.
type programs struct {
	Trawl, Webfarm string
	Older          string // "" when there is none
	Plain          bool   // it does not know the newest hidden flags
	Why            string // there is none
}

// build makes the programs below a directory. A program that is given is not built.
func build(ctx context.Context, root, trawl, previous, ref string) (p programs, err error) {
	if p.Trawl, err = given(trawl); p.Trawl == "" && err == nil {
		p.Trawl = filepath.Join(root, "trawl")
		err = compile(ctx, ".", p.Trawl, "./cmd/trawl")
	}
	if err != nil {
		return p, err
	}
	p.Webfarm = filepath.Join(root, "webfarm")
	if err := compile(ctx, ".", p.Webfarm, "./internal/webfarm/cmd/webfarm"); err != nil {
		return p, err
	}
	if p.Older, err = given(previous); err != nil {
		return p, err
	}
	if p.Older == "" {
		p.Older = filepath.Join(root, "trawl-older")
		if err := buildOlder(ctx, root, ref, p.Older); err != nil {
			p.Older, p.Why = "", fmt.Sprintf("no older version could be built: %v", err)
		}
	}
	if p.Older != "" {
		if err := readsToday(ctx, root, p.Older); err != nil {
			p.Older, p.Why = "", err.Error()
			return p, nil
		}
		p.Plain = exec.CommandContext(ctx, p.Older, "scheduler", "--log-level", "debug", "--wall-clock", "none", "--help").Run() != nil
	}
	return p, nil
}

// keptCrawl is a crawl of the format of this commit.
const keptCrawl = "testdata/kept.crawl"

// readsToday fails when a program knows another format of crawls than this commit: the two cannot work together.
func readsToday(ctx context.Context, root, program string) error {
	dir := filepath.Join(root, "kept.crawl")
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(keptCrawl)); err != nil {
		return fmt.Errorf("copy %s: %w", keptCrawl, err)
	}
	if out, err := exec.CommandContext(ctx, program, "check", dir).CombinedOutput(); err != nil {
		last := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("the older version has another format of crawls: %s", last[len(last)-1])
	}
	return nil
}

func given(program string) (string, error) {
	if program == "" {
		return "", nil
	}
	abs, err := filepath.Abs(program)
	if err == nil {
		_, err = os.Stat(abs)
	}
	return abs, err
}

func compile(ctx context.Context, dir, to, what string) error {
	c := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", to, what)
	c.Dir, c.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", what, err, out)
	}
	return nil
}

// buildOlder builds the tree of a commit: ref, or the last merged version. Nothing in the repository changes.
func buildOlder(ctx context.Context, root, ref, to string) error {
	if ref == "" {
		var err error
		if ref, err = lastMerged(ctx); err != nil {
			return err
		}
	}
	dir := filepath.Join(root, "older")
	defer os.RemoveAll(dir)
	c := exec.CommandContext(ctx, "git", "archive", ref)
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	err = unpack(out, dir)
	_, _ = io.Copy(io.Discard, out) // so that git can end
	if err := errors.Join(err, c.Wait()); err != nil {
		return fmt.Errorf("git archive %s: %w", ref, err)
	}
	return compile(ctx, dir, to, "./cmd/trawl")
}

// lastMerged is main as others have it, or the commit before this one.
func lastMerged(ctx context.Context) (string, error) {
	for _, ref := range []string{"origin/main", "HEAD^1"} {
		commit, err := exec.CommandContext(ctx, "git", "rev-parse", "--verify", "--quiet", ref+"^{commit}").Output()
		if err != nil {
			continue
		}
		if head, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output(); err == nil && string(head) != string(commit) {
			return strings.TrimSpace(string(commit)), nil
		}
	}
	return "", errors.New("git knows no commit before this one")
}

func unpack(r io.Reader, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(strings.TrimSuffix(h.Name, "/"), 0o755)
		case tar.TypeReg:
			err = unpackFile(root, h.Name, t)
		}
		if err != nil {
			return err
		}
	}
}

func unpackFile(root *os.Root, name string, r io.Reader) error {
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
