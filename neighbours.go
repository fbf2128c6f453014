package trawl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"trawl/crawler/weburl"
)

// maxNeighbourHosts is how many hosts of seeds a job shows to the other jobs of the machine; hosts of later seeds are not
// compared, and the note says so.
const maxNeighbourHosts = 1000

// neighbourEnding is that of notes in the runtime directory: PID.job.
const neighbourEnding = ".job"

// neighbours is what the running jobs of one machine know of each other: each leaves a small note with the hosts of its
// seeds, so that a host that two of them ask is noticed. Each keeps its own delay, so such a host is asked twice as often. It
// is a courtesy: whatever goes wrong with a note is passed over. For one goroutine.
type neighbours struct {
	dir   string // of the notes; "" = none are kept
	crawl string // directory of this job
	warn  func(host weburl.Host, other neighbourNote)

	note   neighbourNote
	known  map[weburl.Host]bool
	warned map[int]bool // by process
}

// neighbourNote is what a job shows.
type neighbourNote struct {
	PID   int           `json:"pid"`
	Crawl string        `json:"crawl"`
	Hosts []weburl.Host `json:"hosts"`
	More  bool          `json:"more,omitempty"` // there are others beyond maxNeighbourHosts
}

// hostsNote is the name under which the crawl directory keeps the hosts, for a start without seeds.
const hostsNote = "seed-hosts"

// openNeighbours begins with the hosts that the crawl directory remembers.
func openNeighbours(dir, crawl string, warn func(weburl.Host, neighbourNote)) *neighbours {
	n := &neighbours{dir: dir, crawl: crawl, warn: warn, known: make(map[weburl.Host]bool), warned: make(map[int]bool)}
	if dir == "" {
		return n
	}
	n.note = neighbourNote{PID: os.Getpid(), Crawl: crawl}
	if abs, err := filepath.Abs(crawl); err == nil {
		n.note.Crawl = abs
	}
	if before, err := readNote(filepath.Join(crawl, hostsNote)); err == nil {
		n.add(before.Hosts)
	}
	return n
}

// seeds takes the hosts of seeds that were read, shows them, and warns of jobs that have one of them.
func (n *neighbours) seeds(batch []Seed) {
	if n.dir == "" {
		return
	}
	hosts := make([]weburl.Host, len(batch))
	for i := range batch {
		hosts[i] = batch[i].URL.Host()
	}
	n.add(hosts)
}

func (n *neighbours) add(hosts []weburl.Host) {
	before := len(n.known)
	for _, h := range hosts {
		if n.known[h] {
			continue
		}
		if len(n.known) == maxNeighbourHosts {
			n.note.More = true
			break
		}
		n.known[h] = true
		n.note.Hosts = append(n.note.Hosts, h)
	}
	if len(n.known) == before {
		return
	}
	_ = n.write()
	n.look()
}

// write leaves the note for others, and the hosts for the next start.
func (n *neighbours) write() error {
	if err := ownDir(n.dir); err != nil {
		return err
	}
	text, err := json.Marshal(n.note)
	if err != nil {
		return err
	}
	mine := n.path(n.note.PID)
	temp := mine + ".tmp" // a reader never sees half a note
	return errors.Join(os.WriteFile(temp, text, 0o600), os.Rename(temp, mine), os.WriteFile(filepath.Join(n.crawl, hostsNote), text, 0o600))
}

// ownDir makes the directory, and refuses one that others can write to: what lies there could lead our writes elsewhere.
func ownDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 || ok && int(stat.Uid) != os.Getuid() {
		return fmt.Errorf("%s is not ours alone: %w", dir, fs.ErrPermission)
	}
	return nil
}

func (n *neighbours) path(pid int) string {
	return filepath.Join(n.dir, strconv.Itoa(pid)+neighbourEnding)
}

// look reads the others' notes, removes those of dead processes, and warns once of each job that has a host of ours.
func (n *neighbours) look() {
	entries, err := os.ReadDir(n.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(strings.TrimSuffix(e.Name(), neighbourEnding))
		if err != nil || pid == n.note.PID || n.warned[pid] {
			continue
		}
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			os.Remove(n.path(pid))
			continue
		}
		other, err := readNote(n.path(pid))
		if err != nil || other.Crawl == n.note.Crawl {
			continue
		}
		for _, h := range other.Hosts {
			if n.known[h] {
				n.warned[pid] = true
				n.warn(h, other)
				break
			}
		}
	}
}

// maxNote is how many bytes of a note are read.
const maxNote = 1 << 20

func readNote(path string) (note neighbourNote, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return note, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxNote {
		return note, fmt.Errorf("%s: %w", path, fs.ErrInvalid)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return note, err
	}
	return note, json.Unmarshal(text, &note)
}

// close takes the note away.
func (n *neighbours) close() {
	if n.dir != "" {
		os.Remove(n.path(n.note.PID))
	}
}

// neighbourWarning says what two jobs with one host should know.
func (r *run) neighbourWarning(host weburl.Host, other neighbourNote) {
	r.o.Logger.Warn("another crawl on this machine has the same host among its seeds; each keeps its own delay, so the host is asked more often: crawl it in one job, or give both a longer --delay",
		"host", host, "other_directory", other.Crawl, "other_process", other.PID)
}
