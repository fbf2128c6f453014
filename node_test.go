package trawl_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"trawl"
	"trawl/cluster/trust"
	"trawl/internal/node"
)

// nodeEnv holds the node that a process of this test binary is to be, as JSON.
const nodeEnv = "TRAWL_TEST_NODE"

// TestMain runs tests, or a node of a cluster: nodes that are to be killed must be processes.
func TestMain(m *testing.M) {
	text := os.Getenv(nodeEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	var n nodeProgram
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() { // the pipe ends with the process that runs the tests
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	if err := n.run(); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(1)
	}
}

// nodeProgram is a scheduler (with a Job) or a fetcher.
type nodeProgram struct {
	Name    string
	Job     *trawl.Job
	Dir     string
	Bind    string
	Join    []string
	Secret  string
	Seeds   []string
	Workers int

	// The node kills itself with SIGKILL when a step happens for the Nth time.
	Step string
	Nth  int64
}

func (n *nodeProgram) run() error {
	secret, err := trust.ParseSecret(n.Secret)
	if err != nil {
		return err
	}
	var seen atomic.Int64
	cluster, log := trawl.Cluster{Bind: n.Bind, Join: n.Join, Secret: secret}, slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx := node.WithHooks(context.Background(), node.Hooks{Fault: func(step string) {
		if step == n.Step && seen.Add(1) == n.Nth {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // nothing may come after the step
		}
	}})
	if n.Job == nil {
		return fetch(ctx, trawl.FetcherOptions{Dir: n.Dir, Name: n.Name, Workers: n.Workers, Cluster: cluster, Logger: log})
	}
	c, err := trawl.New(*n.Job, trawl.Options{Dir: n.Dir, Seeds: trawl.ReadSeeds(n.Seeds, nil), Serve: &cluster, Logger: log})
	if err != nil {
		return err
	}
	err = errors.Join(c.Run(ctx), c.Close())
	if err == nil {
		fmt.Fprintf(os.Stdout, "%s, %d turns lapsed, %d parts late\n", c.Ending(), c.Status().Lapses, c.Status().LateParts)
	}
	return err
}

func fetch(ctx context.Context, o trawl.FetcherOptions) error {
	f, err := trawl.NewFetcher(o)
	if err != nil {
		return err
	}
	err = errors.Join(f.Run(ctx), f.Close())
	if err == nil {
		fmt.Fprintf(os.Stdout, "%d pages\n", f.Pages())
	}
	return err
}

// nodeProcess is a node in a process of its own.
type nodeProcess struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	ended chan struct{}
	out   bytes.Buffer // valid after ended

	mu      sync.Mutex
	log     []string
	changed chan struct{}
}

// start runs a node until it ends by itself or the test is over.
func (n *nodeProgram) start(t *testing.T) *nodeProcess {
	t.Helper()
	text, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	p := &nodeProcess{t: t, name: n.Name, cmd: exec.Command(os.Args[0]), ended: make(chan struct{}), changed: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), nodeEnv+"="+string(text), "GORACE=atexit_sleep_ms=0")
	p.cmd.Stdout = &p.out
	_, err = p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.read(stderr)
		_ = p.cmd.Wait() // its state tells
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			t.Logf("%s (%v):\n%s", p.name, p.cmd.ProcessState, strings.Join(p.log, "\n"))
		}
	})
	return p
}

func (p *nodeProcess) read(r io.Reader) {
	for in := bufio.NewScanner(r); in.Scan(); {
		p.mu.Lock()
		p.log = append(p.log, in.Text())
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
	}
}

func (p *nodeProcess) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// logged reports whether a line of the log has the text.
func (p *nodeProcess) logged(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.log, func(line string) bool { return strings.Contains(line, text) })
}

// nodePatience is how long a node has for what it must do. A turn that a killed fetcher had taken and not asked for comes again after
// half a minute, and the end waits as long for bodies that only the dead one had.
const nodePatience = 2 * time.Minute

// wait waits for the end, and returns what the node printed and whether it was killed by a signal.
func (p *nodeProcess) wait() (out string, killed bool) {
	p.t.Helper()
	limit := time.NewTimer(nodePatience)
	defer limit.Stop()
	select {
	case <-p.ended:
	case <-limit.C:
		p.t.Fatalf("%s did not end within %v", p.name, nodePatience)
	}
	return p.out.String(), !p.cmd.ProcessState.Exited()
}

// succeeds waits for the end and wants it to be a good one.
func (p *nodeProcess) succeeds() string {
	p.t.Helper()
	out, _ := p.wait()
	if !p.cmd.ProcessState.Success() {
		p.t.Fatalf("%s ended with %v", p.name, p.cmd.ProcessState)
	}
	return out
}

// freeBind is a loopback address whose port and the two after it are free, for a scheduler that is to come
// back at the same place. The ports are below those that the system gives to whoever asks for any: such a port could be taken
// by somebody's outgoing connection before the scheduler listens there.
func freeBind(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := lowPorts + rand.IntN(systemPorts-lowPorts-3)
		if !slices.ContainsFunc([]int{port, port + 1, port + 2}, taken) {
			return fmt.Sprintf("127.0.0.1:%d", port)
		}
	}
	t.Fatal("no three free ports in a row")
	return ""
}

const (
	lowPorts    = 12_000
	systemPorts = 32_768 // the first that Linux gives to whoever asks for any
)

func taken(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return true
	}
	l.Close()
	return false
}
