package machine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"trawl/crawler/weburl"
)

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
	warn := func(h weburl.Host, other Note) { warned = append(warned, fmt.Sprint(h, " ", other.Crawl)) }
	crawl := t.TempDir()
	n := OpenNeighbours(dir, crawl, filepath.Join(crawl, "hosts"), warn)
	n.Add([]weburl.Host{"c.example"})
	if len(warned) > 0 {
		t.Fatalf("warned of %v though no host is shared", warned)
	}
	n.Add([]weburl.Host{"c.example", "b.example"})
	n.Add([]weburl.Host{"a.example"})
	if want := fmt.Sprintf("[b.example /elsewhere/%d]", living); fmt.Sprint(warned) != want {
		t.Errorf("warned of %v, want %s, once", warned, want)
	}
	if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("%d.job", dead))); err == nil {
		t.Error("the note of a dead process stays")
	}
	n.Close()
	if _, err := os.Stat(n.path(os.Getpid())); err == nil {
		t.Error("the job's own note stays after its end")
	}
	warned = nil
	OpenNeighbours(dir, crawl, filepath.Join(crawl, "hosts"), warn) // goes on without seeds
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
		n := OpenNeighbours(dir, t.TempDir(), filepath.Join(t.TempDir(), "hosts"), nil)
		n.Add([]weburl.Host{"a.example"})
		if _, err := os.Stat(n.path(os.Getpid())); err == nil {
			t.Errorf("a note was left in %s", dir)
		}
	}
}

func TestNotesOfHostsAreBounded(t *testing.T) {
	n := OpenNeighbours(t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "hosts"), nil)
	var hosts []weburl.Host
	for i := range maxNeighbourHosts + 10 {
		hosts = append(hosts, weburl.Host(fmt.Sprintf("h%d.example", i)))
	}
	n.Add(hosts)
	note, err := readNote(n.path(os.Getpid()))
	if err != nil || len(note.Hosts) != maxNeighbourHosts || !note.More {
		t.Errorf("%d hosts, more %v, %v", len(note.Hosts), note.More, err)
	}
}
