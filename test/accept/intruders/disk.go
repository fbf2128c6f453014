package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// refusals looks for what the scheduler says of those it did not let in: told once at once, then counted.
func (s *suite) refusals() (string, error) {
	text := s.scheduler.text()
	own, err := os.ReadFile(filepath.Join(s.crawl(), "trawl.log"))
	if err != nil {
		return "", err
	}
	text += string(own)
	var lines int
	for line := range strings.Lines(text) {
		if strings.Contains(line, "WARN") {
			lines++
		}
	}
	for _, want := range []string{
		"refused somebody who is not of this cluster", "queue: refused a connection", "queue: refused what a member may not do",
		"control: refused a connection", "queue: too many connections", "gossip: too many connections",
	} {
		if !strings.Contains(text, want) {
			return "", fmt.Errorf("the log does not say %q", want)
		}
	}
	if lines > 400 {
		return "", fmt.Errorf("%d warnings: whoever is refused fills the log", lines)
	}
	return fmt.Sprintf("%d warnings in %d bytes of log", lines, len(text)), nil
}

// modes walks what the nodes wrote. What lies in ledger and queue was made by their engines, which have modes of
// their own: there the directory keeps others out.
func (s *suite) modes() (string, error) {
	files, dirs := 0, 0
	for _, top := range []string{"crawl", "first", "second", "late", "leaver"} {
		err := filepath.WalkDir(filepath.Join(s.dir, top), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // it moved on
			} else if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return nil // as above
			}
			if path == filepath.Join(s.dir, top) || d.Name() == "version" {
				return nil // follow the umask, like what the user asked for
			}
			if d.IsDir() && slices.Contains([]string{"archive", "files", "exports"}, d.Name()) {
				return fs.SkipDir
			}
			mode, want := info.Mode().Perm(), fs.FileMode(0o600)
			if d.IsDir() {
				want = 0o700
				dirs++
			} else {
				files++
			}
			if mode&^want != 0 {
				return fmt.Errorf("%s has mode %o, not %o", path, mode, want)
			}
			if name := d.Name(); d.IsDir() && top == "crawl" && (name == "ledger" || name == "queue") {
				return fs.SkipDir
			}
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d files are 0600, %d directories 0700, beside bodies and exports, which follow the umask", files, dirs), nil
}

// crash makes a fetcher tell where it is, as after a panic.
func (s *suite) crash(ctx context.Context) (string, error) {
	text, err := s.ask(ctx, "/v1/status")
	if err != nil {
		return "", err
	}
	cmds := []byte{}
	for _, p := range []*process{s.scheduler, s.f1, s.f2} {
		cmd, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/cmdline")
		if err != nil {
			return "", err
		}
		cmds = append(cmds, cmd...)
	}
	err = errors.Join(os.WriteFile(filepath.Join(s.dir, "status.json"), text, 0o600), os.WriteFile(filepath.Join(s.dir, "cmdline"), cmds, 0o600))
	if err != nil {
		return "", err
	}
	_ = s.f1.cmd.Process.Signal(syscall.SIGQUIT)
	code, err := s.f1.wait(10 * time.Second)
	if err != nil {
		return "", err
	}
	dump := s.f1.text()
	if !strings.Contains(dump, "goroutine ") {
		return "", fmt.Errorf("status %d, and no goroutines: %.300q", code, dump)
	}
	return fmt.Sprintf("status %d, %d bytes of goroutines", code, len(dump)), nil
}

// ledger stops the job and proves what it left.
func (s *suite) ledger(ctx context.Context) (string, error) {
	_ = s.scheduler.cmd.Process.Signal(syscall.SIGINT)
	code, err := s.scheduler.wait(40 * time.Second)
	if err != nil || code != 4 {
		return "", fmt.Errorf("the scheduler ended with status %d, %w: %.500s", code, err, s.scheduler.text())
	}
	_ = s.f2.cmd.Process.Signal(syscall.SIGINT) // it waits for a scheduler
	if _, err := s.f2.wait(20 * time.Second); err != nil {
		return "", err
	}
	// What the fetcher that crashed could not ship stays with it, which check tells: a doubt, and no error.
	check, err := exec.CommandContext(ctx, s.trawl, "check", s.crawl()).CombinedOutput()
	if !bytes.HasPrefix(check, []byte("ledger balances")) || err != nil && !bytes.Contains(check, []byte("still with their fetchers")) {
		return "", fmt.Errorf("check: %w: %s", err, check)
	}
	rows := filepath.Join(s.dir, "rows.jsonl")
	if out, err := exec.CommandContext(ctx, s.trawl, "export", s.crawl(), "-o", rows).CombinedOutput(); err != nil {
		return "", fmt.Errorf("export: %w: %s", err, out)
	}
	text, err := os.ReadFile(rows)
	if err != nil {
		return "", err
	}
	if bytes.Contains(text, []byte(forged)) || bytes.Contains(text, []byte("never-seen")) {
		return "", errors.New("a forged result is in the ledger")
	}
	return fmt.Sprintf("%d rows, none forged; check: %s", bytes.Count(text, []byte("\n")), check[:bytes.IndexByte(check, '\n')]), nil
}

// secrets searches everything that is written for people, or that other users of the machine can see.
func (s *suite) secrets() (string, error) {
	hidden := map[string]string{"header": headerSecret, "password": passwordSecret}
	for name, r := range map[string]*realm{"secret": s.mine, "other secret": s.theirs} {
		hidden[name] = r.secret
		for _, purpose := range []string{"gossip", "certificate authority", "control token", "queue user fetcher"} {
			key := r.derive("trawl 1 " + purpose)
			hidden[name+", "+purpose+" in hex"] = hex.EncodeToString(key)
			hidden[name+", "+purpose+" in base64"] = base64.StdEncoding.EncodeToString(key)
		}
	}
	where, err := filepath.Glob(filepath.Join(s.dir, "*.log"))
	if err != nil {
		return "", err
	}
	for _, name := range []string{"status.json", "cmdline", "rows.jsonl", "crawl/trawl.log", "crawl/members"} {
		where = append(where, filepath.Join(s.dir, name))
	}
	warcs, err := filepath.Glob(filepath.Join(s.crawl(), "archive", "*"))
	if err != nil {
		return "", err
	}
	searched := 0
	for _, name := range append(where, warcs...) {
		text, err := readAll(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return "", err
		}
		searched += len(text)
		for what, value := range hidden {
			if at := bytes.Index(text, []byte(value)); at >= 0 {
				return "", fmt.Errorf("%s holds the %s: %.100q", name, what, text[max(0, at-40):])
			}
		}
	}
	job, err := os.ReadFile(filepath.Join(s.crawl(), "job.yaml"))
	if err != nil {
		return "", err
	}
	for what, value := range hidden {
		if bytes.Contains(job, []byte(value)) && what != "header" {
			return "", fmt.Errorf("job.yaml holds the %s", what)
		}
	}
	return fmt.Sprintf("%d texts in %d files and %d bytes", len(hidden), len(where)+len(warcs), searched), nil
}

// readAll reads a file, and what gzip hides in it.
func readAll(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !strings.HasSuffix(name, ".gz") {
		return io.ReadAll(f)
	}
	z, err := gzip.NewReader(f)
	if errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(z)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // it was being written
	}
	return b, err
}
