package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What must never be seen again: it is given to the scheduler in a configuration file and in a seed.
const (
	headerSecret   = "Bearer-hs3cr3t-of-a-header"
	passwordSecret = "hunter2-of-a-url"
	dialTimeout    = 5 * time.Second
)

// process is one node.
type process struct {
	name, log string
	cmd       *exec.Cmd
	ended     chan struct{} // closed when it has ended
}

// start brings up the scheduler, two fetchers with recorders in front, and one that leaves later.
func (s *suite) start(ctx context.Context) (err error) {
	if s.mine, err = newRealm(s.dir, "secret"); err != nil {
		return err
	}
	if s.theirs, err = newRealm(s.dir, "other-secret"); err != nil {
		return err
	}
	if s.port, err = freePorts(); err != nil {
		return err
	}
	fetcherPort, err := freePorts()
	if err != nil {
		return err
	}
	if s.toScheduler, err = newRelay(ctx, local(s.port)); err != nil {
		return err
	}
	if s.toFetcher, err = newRelay(ctx, local(fetcherPort)); err != nil {
		return err
	}
	if err := s.writeJob(); err != nil {
		return err
	}
	if s.scheduler, err = s.run(s.trawl, "scheduler", "scheduler", filepath.Join(s.dir, "seeds.txt"), "--config", filepath.Join(s.dir, "job.yaml"),
		"--dir", s.crawl(), "--bind", local(s.port), "--advertise", s.toScheduler.addr, "--secret-file", s.mine.file,
		"--lease", "4s", "--renew", "1s", "--grace", "1s"); err != nil {
		return err
	}
	fetcher := func(name string, args ...string) (*process, error) {
		return s.run(s.trawl, name, append([]string{"fetcher", "--join", s.toScheduler.addr, "--secret-file", s.mine.file, "--name", name,
			"--dir", filepath.Join(s.dir, name)}, args...)...)
	}
	if s.f1, err = fetcher("first"); err != nil {
		return err
	}
	if s.f2, err = fetcher("second", "--bind", local(fetcherPort), "--advertise", s.toFetcher.addr); err != nil {
		return err
	}
	if s.gone, err = fetcher("leaver"); err != nil {
		return err
	}
	return s.until(ctx, 20*time.Second, "three fetchers that fetch", func(st *status) bool {
		return len(st.names()) == 3 && st.Fetched > 50
	})
}

// writeJob gives the job its secrets: a header in the configuration, credentials in a seed.
func (s *suite) writeJob() error {
	text, err := os.ReadFile(s.seeds)
	if err != nil {
		return err
	}
	seeds := strings.Replace(string(text), "http://", "http://user:"+passwordSecret+"@", 1)
	job := "delay: 250ms\nquiet: true\nheader:\n  - \"Authorization: " + headerSecret + "\"\n"
	return errors.Join(
		os.WriteFile(filepath.Join(s.dir, "seeds.txt"), []byte(seeds), 0o600),
		os.WriteFile(filepath.Join(s.dir, "job.yaml"), []byte(job), 0o600),
	)
}

func (s *suite) crawl() string { return filepath.Join(s.dir, "crawl") }

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// freePorts finds three in a row, and tells the first.
func freePorts() (int, error) {
	for range 100 {
		var open []net.Listener
		first := 0
		for i := range 3 {
			l, err := net.Listen("tcp", local(first+min(i, first)))
			if err != nil {
				break
			}
			open = append(open, l)
			if i == 0 {
				first = l.Addr().(*net.TCPAddr).Port
			}
		}
		for _, l := range open {
			l.Close()
		}
		if len(open) == 3 {
			return first, nil
		}
	}
	return 0, errors.New("no three free ports in a row")
}

// run starts a node; its output goes to a file.
func (s *suite) run(program, name string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(s.dir, name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(program, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // whatever happens to this process
	if err := errors.Join(p.cmd.Start(), log.Close()); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // the state is asked for later
	}()
	s.mu.Lock()
	s.processes = append(s.processes, p)
	s.mu.Unlock()
	return p, nil
}

// wait gives the exit status, or an error when the node goes on.
func (p *process) wait(limit time.Duration) (int, error) {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(limit):
		return 0, fmt.Errorf("%s goes on after %s", p.name, limit)
	}
}

func (p *process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) text() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (s *suite) stopAll() {
	for _, p := range s.processes {
		_ = p.cmd.Process.Signal(syscall.SIGKILL) // it may be gone
		<-p.ended
	}
}

// status is what is looked at of the scheduler's.
type status struct {
	Seen, Waiting, Leased, Fetched, Redirected, Unchanged, Failed, Excluded int64
	Fetchers                                                                []struct {
		Name  string
		Slots int // 0 for one that left
		Pages int64
	}
	LateParts int64            `json:"late_parts"`
	Dropped   map[string]int64 `json:"not_admitted"`
}

// names are the fetchers that are there.
func (st *status) names() []string {
	var all []string
	for _, f := range st.Fetchers {
		if f.Slots > 0 {
			all = append(all, f.Name)
		}
	}
	return all
}

func (st *status) pages(name string) int64 {
	for _, f := range st.Fetchers {
		if f.Name == name {
			return f.Pages
		}
	}
	return 0
}

func (st *status) balances() bool {
	return st.Seen == st.Waiting+st.Leased+st.Fetched+st.Redirected+st.Unchanged+st.Failed+st.Excluded
}

// ask asks the scheduler over its socket.
func (s *suite) ask(ctx context.Context, path string) ([]byte, error) {
	t := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(s.crawl(), "control.sock"))
	}}
	defer t.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://trawl"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func (s *suite) status(ctx context.Context) (*status, error) {
	text, err := s.ask(ctx, "/v1/status")
	if err != nil {
		return nil, err
	}
	st := new(status)
	if err := json.Unmarshal(text, st); err != nil {
		return nil, err
	}
	if !st.balances() {
		return nil, fmt.Errorf("the ledger does not balance: %s", text)
	}
	return st, nil
}

// until waits for the status to be as wanted.
func (s *suite) until(ctx context.Context, limit time.Duration, what string, holds func(*status) bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		st, err := s.status(ctx)
		if err == nil && holds(st) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %s (last: %+v, %v)", limit, what, st, err)
		}
	}
}

// pace is how many pages a second are fetched while the time lasts.
func (s *suite) pace(ctx context.Context, d time.Duration) (float64, error) {
	first, err := s.status(ctx)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	pause(ctx, d)
	last, err := s.status(ctx)
	if err != nil {
		return 0, err
	}
	return float64(last.Fetched-first.Fetched) / time.Since(begin).Seconds(), nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
