package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// weight is what the nodes take of the machine.
type weight struct {
	rss, files, threads map[string]int // by node; memory in MB
}

func (w *weight) String() string {
	return fmt.Sprintf("memory %s MB, files %s, threads %s", list(w.rss), list(w.files), list(w.threads))
}

func list(m map[string]int) string {
	return fmt.Sprintf("%d/%d/%d", m["scheduler"], m["first"], m["second"])
}

// weigh looks at the scheduler and two fetchers.
func (s *suite) weigh() (*weight, error) {
	w := &weight{map[string]int{}, map[string]int{}, map[string]int{}}
	for _, p := range []*process{s.scheduler, s.f1, s.f2} {
		dir := "/proc/" + strconv.Itoa(p.cmd.Process.Pid)
		files, err := os.ReadDir(dir + "/fd")
		if err != nil {
			return nil, fmt.Errorf("%s is gone: %w", p.name, err)
		}
		w.files[p.name] = len(files)
		text, err := os.ReadFile(dir + "/status")
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 2 {
				continue
			}
			n, _ := strconv.Atoi(f[1]) // other lines have words
			switch f[0] {
			case "VmRSS:":
				w.rss[p.name] = n >> 10
			case "Threads:":
				w.threads[p.name] = n
			}
		}
	}
	return w, nil
}

// raiseFiles allows as many open files as the system lets this process have.
func raiseFiles() {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) == nil {
		l.Cur = l.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l) // the crowd tells how large it was
	}
}
