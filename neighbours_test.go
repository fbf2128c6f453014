package trawl

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"trawl/crawler/weburl"
)

func seedsOf(t *testing.T, urls ...string) (seeds []Seed) {
	t.Helper()
	for _, text := range urls {
		u, err := weburl.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, Seed{URL: u})
	}
	return seeds
}

func TestTwoJobsOfOneMachineWithOneHostSaySo(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ended := exec.Command(self, "-test.run=^$")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	living, dead := os.Getppid(), ended.Process.Pid
	for _, pid := range []int{living, dead} {
		note := fmt.Sprintf(`{"pid":%d,"crawl":"/elsewhere/%d","hosts":["a.example","b.example"]}`, pid, pid)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.job", pid)), []byte(note), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "1.job"), []byte("no note"), 0o600); err != nil {
		t.Fatal(err)
	}
	var warned []string
	warn := func(h weburl.Host, other neighbourNote) { warned = append(warned, fmt.Sprint(h, " ", other.Crawl)) }
	crawl := t.TempDir()
	n := openNeighbours(dir, crawl, warn)
	n.seeds(seedsOf(t, "http://c.example/"))
	if len(warned) > 0 {
		t.Fatalf("warned of %v though no host is shared", warned)
	}
	n.seeds(seedsOf(t, "http://c.example/2", "https://b.example/"))
	n.seeds(seedsOf(t, "http://a.example/"))
	if want := fmt.Sprintf("[b.example /elsewhere/%d]", living); fmt.Sprint(warned) != want {
		t.Errorf("warned of %v, want %s, once", warned, want)
	}
	if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("%d.job", dead))); err == nil {
		t.Error("the note of a dead process stays")
	}
	n.close()
	if _, err := os.Stat(n.path(os.Getpid())); err == nil {
		t.Error("the job's own note stays after its end")
	}
	warned = nil
	openNeighbours(dir, crawl, warn) // goes on without seeds
	if len(warned) != 1 {
		t.Errorf("a start without seeds warned of %v", warned)
	}
}

func TestNotesAreLeftOnlyInADirectoryOfOurOwn(t *testing.T) {
	open, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := errors.Join(os.Chmod(open, 0o777), os.Symlink(t.TempDir(), link)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{open, link} {
		n := openNeighbours(dir, t.TempDir(), nil)
		n.seeds(seedsOf(t, "http://a.example/"))
		if _, err := os.Stat(n.path(os.Getpid())); err == nil {
			t.Errorf("a note was left in %s", dir)
		}
	}
}

func TestNotesOfHostsAreBounded(t *testing.T) {
	n := openNeighbours(t.TempDir(), t.TempDir(), nil)
	var urls []string
	for i := range maxNeighbourHosts + 10 {
		urls = append(urls, fmt.Sprintf("http://h%d.example/", i))
	}
	n.seeds(seedsOf(t, urls...))
	note, err := readNote(n.path(os.Getpid()))
	if err != nil || len(note.Hosts) != maxNeighbourHosts || !note.More {
		t.Errorf("%d hosts, more %v, %v", len(note.Hosts), note.More, err)
	}
}
