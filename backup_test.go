package trawl_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"trawl"
	"trawl/internal/webfarm"
	"trawl/internal/webfarm/webfarmtest"
)

// shelf keeps what is PUT, and fails as long as it is told to.
type shelf struct {
	mu      sync.Mutex
	down    bool
	objects map[string][]byte
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.down:
		http.Error(w, "no", http.StatusServiceUnavailable)
	case r.Method == http.MethodPut:
		s.objects[r.URL.Path], _ = io.ReadAll(r.Body)
	case s.objects[r.URL.Path] == nil:
		http.NotFound(w, r)
	default:
		w.Write(s.objects[r.URL.Path])
	}
}

func (s *shelf) up(up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = !up
}

func (s *shelf) any() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.objects {
		return name
	}
	return ""
}

// TestTimedBackupsByHTTP: a store that fails does not stop the crawl, and from what it took later another directory goes
// on to the same rows.
func TestTimedBackupsByHTTP(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 2, PagesPerHost: 45, Links: 12, MinBytes: 300, MaxBytes: 900})
	job := farmJob()
	job.Delay = 100 * time.Millisecond
	job.Lease, job.Renew, job.Grace = 1500*time.Millisecond, 300*time.Millisecond, 200*time.Millisecond
	s := &shelf{down: true, objects: map[string][]byte{}}
	server := httptest.NewServer(s)
	defer server.Close()
	o := trawl.Options{
		Dir: filepath.Join(t.TempDir(), "first.trawl"), Seeds: trawl.ReadSeeds(f.Seeds(), nil), Logger: testLogger(t, 100),
		Backups: trawl.Backups{Every: time.Second, To: server.URL + "/backups"},
	}
	c, err := trawl.New(job, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(t.Context()) }()
	until(t, func() bool { return strings.Contains(c.Status().BackupProblem, "503") })
	s.up(true)
	until(t, func() bool { return s.any() != "" })
	at := server.URL + s.any()
	if err := <-ended; err != nil || c.Ending() != trawl.Done {
		t.Fatalf("ended %q, %v", c.Ending(), err)
	}
	if got := c.Status(); got.LastBackup.IsZero() || got.BackupProblem != "" {
		t.Errorf("status: last backup %v, problem %q", got.LastBackup, got.BackupProblem)
	}
	if !strings.HasPrefix(s.any(), "/backups/first-2") || !strings.HasSuffix(s.any(), ".trawl-backup") {
		t.Errorf("stored under %s", s.any())
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	dir := filepath.Join(t.TempDir(), "second.trawl")
	info, err := trawl.Restore(t.Context(), at, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ending, _ := crawl(t, t.Context(), job, trawl.Options{Dir: dir}); ending != trawl.Done {
		t.Fatalf("the restored crawl ended %q", ending)
	}
	want := facts(kept(t, o.Dir))
	compare(t, "the restored crawl", facts(kept(t, dir)), want)
	if info.Rows == 0 || info.Rows > int64(len(want)) {
		t.Errorf("the backup tells of %d rows of %d", info.Rows, len(want))
	}
	breaches(t, f, webfarm.Rules{Delay: job.Delay, Repeats: true})
	s.up(false)
	if _, err := trawl.Restore(t.Context(), at, filepath.Join(t.TempDir(), "third"), nil); err == nil {
		t.Error("restored from a store that fails")
	}
}

func TestWrongBackupOptionsAreSaid(t *testing.T) {
	for _, o := range []trawl.Backups{{Every: time.Minute}, {To: "x"}, {Every: time.Millisecond, To: "x"}, {Every: -1, To: "x"}, {Every: time.Minute, To: "s3://x/y"}} {
		if _, err := trawl.New(farmJob(), trawl.Options{Dir: filepath.Join(t.TempDir(), "d"), Backups: o}); !errors.Is(err, trawl.ErrUsage) {
			t.Errorf("every %v to %q: %v", o.Every, o.To, err)
		}
	}
}

// until waits for something that a crawl comes to by itself.
func until(t *testing.T, what func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !what() {
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatal("it did not come within a minute")
		}
	}
}

// A pipe is written to, stays a pipe, and is not read back.
func TestABackupGoesThroughAPipe(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 1, PagesPerHost: 3})
	dir := t.TempDir()
	crawl(t, t.Context(), farmJob(), trawl.Options{Dir: dir, Seeds: trawl.ReadSeeds(f.Seeds(), nil)})
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("no named pipes here:", err)
	}
	read := make(chan int, 1)
	go func() {
		text, _ := os.ReadFile(pipe) // what is missing shows in the length
		read <- len(text)
	}()
	info, err := trawl.Backup(t.Context(), open(t, dir), pipe)
	if n := <-read; err != nil || n == 0 || !info.Taken.IsZero() {
		t.Errorf("%d bytes came through, %+v, %v", n, info, err)
	}
}
