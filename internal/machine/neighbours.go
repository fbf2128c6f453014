package machine

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

// Neighbours is what the running jobs of one machine know of each other: each leaves a small note with the hosts of its
// seeds, so that a host that two of them ask is noticed. Each keeps its own delay, so such a host is asked twice as often. It
// is a courtesy: whatever goes wrong with a note is passed over. For one goroutine.
type Neighbours struct {
	dir    string // of the notes; "" = none are kept
	memory string // file that keeps the hosts for the next start
	warn   func(host weburl.Host, other Note)

	note   Note
	known  map[weburl.Host]bool
	warned map[int]bool // by process
}

// Note is what a job shows of itself.
type Note struct {
	PID   int           `json:"pid"`
	Crawl string        `json:"crawl"`
	Hosts []weburl.Host `json:"hosts"`
	More  bool          `json:"more,omitempty"` // there are others beyond maxNeighbourHosts
}

// OpenNeighbours begins with the hosts that the job's file memory has of its last run. dir is where notes are, "" for nowhere; crawl is the
// job's directory. warn hears of a job that has one of the hosts.
func OpenNeighbours(dir, crawl, memory string, warn func(weburl.Host, Note)) *Neighbours {
	n := &Neighbours{dir: dir, memory: memory, warn: warn, known: make(map[weburl.Host]bool), warned: make(map[int]bool)}
	if dir == "" {
		return n
	}
	n.note = Note{PID: os.Getpid(), Crawl: crawl}
	if abs, err := filepath.Abs(crawl); err == nil {
		n.note.Crawl = abs
	}
	if before, err := readNote(memory); err == nil {
		n.Add(before.Hosts)
	}
	return n
}

// Add takes hosts of seeds that were read, shows them, and warns of jobs that have one of them.
func (n *Neighbours) Add(hosts []weburl.Host) {
	if n.dir == "" {
		return
	}
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
func (n *Neighbours) write() error {
	if err := ownDir(n.dir); err != nil {
		return err
	}
	text, err := json.Marshal(n.note)
	if err != nil {
		return err
	}
	mine := n.path(n.note.PID)
	temp := mine + ".tmp" // a reader never sees half a note
	return errors.Join(os.WriteFile(temp, text, 0o600), os.Rename(temp, mine), os.WriteFile(n.memory, text, 0o600))
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

func (n *Neighbours) path(pid int) string {
	return filepath.Join(n.dir, strconv.Itoa(pid)+neighbourEnding)
}

// look reads the others' notes, removes those of dead processes, and warns once of each job that has a host of ours.
func (n *Neighbours) look() {
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

func readNote(path string) (note Note, err error) {
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

// Close takes the note away.
func (n *Neighbours) Close() {
	if n.dir != "" {
		os.Remove(n.path(n.note.PID))
	}
}
