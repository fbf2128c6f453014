//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// setting is what a run of the bench has in common: programs, web, protocol times.
type setting struct {
	trawl, webfarm string // programs
	older          older
	root           string // directory for everything
	loopback       bool   // no namespaces
	base           byte   // second byte of the loopback addresses

	delay, lease, renew, grace time.Duration
	hosts, pages               int
	fetchers, workers          int
	throttled                  string        // fraction of pages that slow their host down for a while
	limit                      time.Duration // for one crawl, from its start
	verbose                    bool
}

// schedulerName is that of the scheduler's node.
const schedulerName = "s"

// cluster is one crawl: its machines, its web, its nodes.
type cluster struct {
	setting
	dir    string
	fabric *fabric // nil on loopback
	names  map[netip.Addr]string

	web     *process
	webHome *place
	seeds   string

	mu    sync.Mutex
	nodes map[string]*node
	bad   []string // processes that ended as they should not
	begun time.Time

	watching sync.WaitGroup // for the ends of processes
}

// node is a machine that runs trawl.
type node struct {
	name    string
	place   *place
	home    string // everything of this node
	dir     string // of trawl
	program string
	plain   bool // a version without the newest hidden flags
	starts  int
	mounted bool     // it has a disk of its own
	logs    []string // of its processes

	newest atomic.Pointer[process]
}

// proc is the node's newest process, nil before its first start.
func (n *node) proc() *process { return n.newest.Load() }

// older is a build of an older version.
type older struct {
	program string // "" when there is none
	plain   bool   // it does not know the newest hidden flags
	why     string // there is none
}

func newCluster(s setting, name string) (*cluster, error) {
	c := &cluster{setting: s, dir: filepath.Join(s.root, name), nodes: make(map[string]*node), names: make(map[netip.Addr]string)}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, err
	}
	if !s.loopback {
		c.fabric = newFabric()
	}
	c.seeds = filepath.Join(c.dir, "seeds.txt")
	out, err := exec.Command(s.trawl, "secret").Output()
	if err != nil {
		return nil, fmt.Errorf("trawl secret: %w", err)
	}
	return c, os.WriteFile(c.secret(), out, 0o600)
}

func (c *cluster) secret() string { return filepath.Join(c.dir, "secret") }

// address is that of the number'th machine.
func (c *cluster) address(number int) netip.Addr {
	if c.loopback {
		return netip.AddrFrom4([4]byte{127, c.base, 0, byte(number)})
	}
	return netip.AddrFrom4([4]byte{10, 76, 0, byte(number)})
}

// webNet is where the web's hosts are.
func (c *cluster) webNet() netip.Prefix {
	if c.loopback {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{127, c.base + 1}), 16)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77}), 16)
}

// startWeb serves the synthetic web on a machine of its own.
func (c *cluster) startWeb(ctx context.Context) (err error) {
	if c.webHome, err = newPlace("web", c.address(1), c.fabric, c.webNet()); err != nil {
		return err
	}
	os.Remove(c.seeds)
	c.web, err = start(c.webHome, filepath.Join(c.dir, "web.log"), []int{0}, c.webfarm,
		"-net", c.webNet().String(), "-listen", ":8080", "-hosts", strconv.Itoa(c.hosts), "-pages", strconv.Itoa(c.pages), "-seeds", c.seeds,
		"-requests", c.requests(), "-min-bytes", "5000", "-max-bytes", "20000", "-latency", "15ms", "-jitter", "40ms",
		"-not-found", "0.03", "-redirect", "0.03", "-redirect-cross", "0.02", "-disallowed", "0.05", "-flaky", "0.01", "-throttled", c.throttled, "-gzip", "0.3")
	if err != nil {
		return err
	}
	for ctx.Err() == nil && c.web.running() {
		if _, err := os.Stat(c.seeds); err == nil {
			return nil
		}
		pause(ctx, 20*time.Millisecond)
	}
	text, _ := os.ReadFile(c.web.log)
	return fmt.Errorf("the synthetic web did not start: %s", text)
}

func (c *cluster) requests() string { return filepath.Join(c.dir, "requests.log") }

// add makes a machine for a node, which is not started.
func (c *cluster) add(name string) (*node, error) {
	c.mu.Lock()
	number := 2 + len(c.nodes)
	c.mu.Unlock()
	p, err := newPlace(name, c.address(number), c.fabric)
	if err != nil {
		return nil, err
	}
	n := &node{name: name, place: p, home: filepath.Join(c.dir, name), program: c.trawl}
	n.dir = filepath.Join(n.home, "disk", "dir")
	if err := os.MkdirAll(filepath.Dir(n.dir), 0o755); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[name] = n
	c.names[p.addr] = name
	return n, nil
}

func (c *cluster) node(name string) *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[name]
}

// disk is the directory that a disk of the node's own is mounted on.
func (n *node) disk() string { return filepath.Dir(n.dir) }

func (n *node) clock() string { return filepath.Join(n.home, "clock") }

const gossipPort = "7946"

// args are a node's command line.
func (c *cluster) args(n *node) []string {
	bind := net.JoinHostPort(n.place.addr.String(), gossipPort)
	args := []string{"--dir", n.dir, "--bind", bind, "--secret-file", c.secret(), "--log-format", "json"}
	if !n.plain {
		args = append(args, "--log-level", "debug", "--wall-clock", n.clock())
	}
	if n.name != schedulerName {
		join := net.JoinHostPort(c.node(schedulerName).place.addr.String(), gossipPort)
		return append([]string{"fetcher", "--join", join, "--name", n.name, "--workers", strconv.Itoa(c.workers)}, args...)
	}
	return append([]string{
		"scheduler", c.seeds, "--delay", c.delay.String(), "--lease", c.lease.String(), "--renew", c.renew.String(), "--grace", c.grace.String(),
		"--export", c.export(), "--min-free", "8MiB",
	}, args...)
}

func (c *cluster) export() string { return filepath.Join(c.dir, "rows.jsonl") }

// start starts a node that does not run.
func (c *cluster) start(n *node) error {
	n.starts++
	log := filepath.Join(n.home, fmt.Sprintf("%03d.log", n.starts))
	proc, err := start(n.place, log, []int{0}, n.program, c.args(n)...)
	if err != nil {
		return err
	}
	c.mu.Lock()
	n.logs = append(n.logs, log)
	c.mu.Unlock()
	n.newest.Store(proc)
	number := n.starts
	c.watching.Go(func() {
		<-proc.ended
		if err := proc.end(); err != nil {
			c.failed("%s (start %d): %v", n.name, number, err)
		}
	})
	return nil
}

// failed notes that a process did not do what it should.
func (c *cluster) failed(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bad = append(c.bad, fmt.Sprintf(format, args...))
}

// process is the newest one of a node.
func (c *cluster) process(name string) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.nodes[name]; n != nil {
		return n.proc()
	}
	return nil
}

// everyNode lists the nodes, the scheduler first.
func (c *cluster) everyNode() []*node {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*node, 0, len(c.nodes))
	for _, n := range c.nodes {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b *node) int {
		if (a.name == schedulerName) != (b.name == schedulerName) {
			if a.name == schedulerName {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	return all
}

// down ends everything that runs and gives the machines up.
func (c *cluster) down() {
	for _, n := range c.everyNode() {
		if n.proc() != nil && n.proc().running() {
			n.proc().kill()
		}
		n.place.leave()
	}
	if c.web != nil && c.web.running() {
		c.web.kill()
	}
	if c.webHome != nil {
		c.webHome.leave()
	}
}

// remove deletes all files of a crawl whose processes have ended.
func (c *cluster) remove() error {
	for _, n := range c.everyNode() {
		if n.mounted {
			_ = unix.Unmount(n.disk(), unix.MNT_DETACH) // it goes with the bench at the latest
			n.mounted = false
		}
	}
	return os.RemoveAll(c.dir)
}

// snapshot is what a running job tells of itself.
type snapshot struct {
	State                           string
	Seen, Waiting, Leased, Fetched  int
	HostsHeld, HostsOffered, Lapses int
	Fetchers                        []struct{ Name string }
}

// statusTimeout is how long the scheduler may take to answer; one that is stopped does not.
const statusTimeout = time.Second

// status asks the scheduler over the socket in its directory.
func (c *cluster) status(ctx context.Context) (s snapshot, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	socket := filepath.Join(c.node(schedulerName).dir, "control.sock")
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	q, err := http.NewRequestWithContext(ctx, "GET", "http://localhost/v1/status", nil)
	if err != nil {
		return s, err
	}
	r, err := client.Do(q)
	if err != nil {
		return s, err
	}
	defer r.Body.Close()
	var wire struct {
		snapshot
		HostsHeld    int `json:"hosts_held"`
		HostsOffered int `json:"hosts_offered"`
		Lapses       int `json:"lapsed_turns"`
	}
	if r.StatusCode != http.StatusOK {
		return s, errors.New(r.Status)
	}
	err = json.NewDecoder(r.Body).Decode(&wire)
	s = wire.snapshot
	s.HostsHeld, s.HostsOffered, s.Lapses = wire.HostsHeld, wire.HostsOffered, wire.Lapses
	return s, err
}

// checked is what trawl check tells.
type checked struct {
	OK       bool
	Balances bool
	Counts   map[string]int
	Shipping map[string]int
	Problems []string
}

// check proves a directory that nobody uses.
func (c *cluster) check(ctx context.Context) (r checked, err error) {
	var out, bad bytes.Buffer
	cmd := exec.CommandContext(ctx, c.trawl, "check", c.node(schedulerName).dir, "--json")
	cmd.Stdout, cmd.Stderr = &out, &bad
	err = cmd.Run()
	if out.Len() == 0 {
		return r, fmt.Errorf("trawl check: %w: %s", err, bad.String())
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return r, fmt.Errorf("trawl check: %w", err)
	}
	return r, nil
}
