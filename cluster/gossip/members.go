package gossip

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"trawl/cluster/listen"
	"trawl/cluster/trust"
	"trawl/crawler/schema"
)

// Defaults of [Options].
const (
	DefaultRejoin       = 15 * time.Second
	DefaultLeaveTimeout = 2 * time.Second
	DefaultAnnounce     = 500 * time.Millisecond
)

// Options says who a node is and whom it joins. The zero value of a field is its default.
type Options struct {
	Bind      listen.Bind      // where to listen for gossip, TCP and UDP
	Advertise string           // HOST or HOST:PORT for the others; "" for one that is found
	Join      []string         // HOST or HOST:PORT of any members; tried until one answers, and again and again
	Last      []netip.AddrPort // members of an earlier run of this node, looked for as lost ones are
	Keys      *trust.Keyring   // nil: loopback only
	Name      string           // unique; "" for host name, port and a random part, new at each start
	Meta      Meta             // Role must be set
	WAN       bool             // members are at different sites: slower to suspect and to announce
	Logger    *slog.Logger

	Rejoin         time.Duration // between two tries to join what is not there, default 15 s
	LeaveTimeout   time.Duration // for the goodbye to the others, default 2 s
	Announce       time.Duration // least time between two announced changes, default 500 ms
	ProbeInterval  time.Duration // between two looks whether others live; 0 by network: 1.5 s, on a WAN 5 s
	GossipInterval time.Duration // between two rounds of gossip; 0 by network: 200 ms, on a WAN 500 ms
}

// validate checks everything that can be checked without a network, and sets the defaults.
func (o *Options) validate() error {
	var errs []error
	if o.Keys.IsZero() && !o.Bind.Loopback() {
		errs = append(errs, fmt.Errorf("bind to %s: %w", o.Bind, trust.ErrNeedSecret))
	}
	for _, j := range o.Join {
		if b, err := listen.ParseBind(j); err != nil {
			errs = append(errs, fmt.Errorf("join: %w", err))
		} else if b.Host == "" || b.Port == 0 {
			errs = append(errs, fmt.Errorf("join: %q needs a host and a port", j))
		}
	}
	if o.Advertise != "" {
		if b, err := listen.ParseBind(o.Advertise); err != nil {
			errs = append(errs, fmt.Errorf("advertise: %w", err))
		} else if b.Host == "" {
			errs = append(errs, fmt.Errorf("advertise: %q needs a host", o.Advertise))
		}
	}
	if len(o.Name) > 128 || !schema.IsPlain(o.Name) {
		errs = append(errs, fmt.Errorf("the name %q of this node is not one line of at most 128 bytes", o.Name))
	}
	o.Meta.Protocol, o.Meta.Oldest = Protocol, OldestProtocol
	if _, err := o.Meta.encode(); err != nil {
		errs = append(errs, err)
	}
	set := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	set(&o.Rejoin, DefaultRejoin)
	set(&o.LeaveTimeout, DefaultLeaveTimeout)
	set(&o.Announce, DefaultAnnounce)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return errors.Join(errs...)
}

// Members lists who is there, by gossip (memberlist), and announces this node to the others. It is a hint in
// both directions: work is never decided by it, and losing sight of a member does not take its leases.
//
// All methods but Run are safe for concurrent use, also before and after Run.
type Members struct {
	opts                         Options
	log                          *slog.Logger
	lines                        *gossipLog
	ring                         *memberlist.Keyring // of the gossip, nil without a secret
	roll                         roll
	refused, full, vetoed, clash *listen.Tally

	started  atomic.Bool
	list     atomic.Pointer[memberlist.Memberlist] // nil before Run
	ready    chan struct{}
	announce chan struct{} // one slot: the meta has changed

	mu sync.Mutex // guards own; never held while the library is called
	own

	killed atomic.Bool // tests: end without a word, as a killed process does
	cut    atomic.Bool // tests: nothing goes out and nothing comes in
}

// own is what this node announces, and where.
type own struct {
	meta      Meta
	encoded   []byte
	name      string
	addr      netip.AddrPort // bound
	advertise netip.AddrPort
	conflict  bool // somebody else has our name
}

// New checks the options. Nothing is started or opened before Run.
func New(opts Options) (*Members, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	m := &Members{
		opts:     opts,
		log:      opts.Logger,
		ready:    make(chan struct{}),
		announce: make(chan struct{}, 1),
		own:      own{meta: opts.Meta},
	}
	var err error
	if m.encoded, err = m.meta.encode(); err != nil {
		return nil, err
	}
	if m.ring, err = newRing(opts.Keys); err != nil {
		return nil, err
	}
	m.roll.init()
	for _, a := range opts.Last {
		m.roll.lose(a)
	}
	m.lines = &gossipLog{log: m.log, suspects: m.roll.suspect}
	m.refused = listen.NewTally(m.log, "refused somebody who is not of this cluster")
	m.lines.refused = m.refused
	m.full = listen.NewTally(m.log, "gossip: too many connections at once, the oldest of those that have the most is cut")
	m.vetoed = listen.NewTally(m.log, "not let in by an address to join")
	m.clash = listen.NewTally(m.log, "two members have the same name")
	return m, nil
}

// Run takes part in the gossip until the context ends, then leaves; that ends with nil. A join that is
// refused ends it with [cluster.ErrRefused] as long as no other member was ever seen; later refusals are logged,
// for a cluster that works is not left because of one address. It can be called once.
func (m *Members) Run(ctx context.Context) error {
	if m.started.Swap(true) {
		return errors.New("members: Run was called before")
	}
	parent := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	list, err := m.open(ctx, cancel)
	switch {
	case parent.Err() != nil && err != nil:
		return nil
	case err != nil:
		return err
	}
	m.list.Store(list)
	close(m.ready)

	var wg sync.WaitGroup
	wg.Go(func() { m.announceLoop(ctx, list) })
	wg.Go(func() { m.followKeys(ctx) })
	err = m.joinLoop(ctx, list)
	cancel()
	wg.Wait()
	m.leaveGossip(list)
	for _, t := range []*listen.Tally{m.refused, m.full, m.vetoed, m.clash} {
		t.Flush()
	}
	return err
}

// open listens and starts the library.
func (m *Members) open(ctx context.Context, cancel func()) (*memberlist.Memberlist, error) {
	ip, err := m.opts.Bind.IP(ctx)
	if err != nil {
		return nil, fmt.Errorf("bind: %w", err)
	}
	logger := m.lines.logger()
	tr, err := newTransport(ctx, ip, m.opts.Bind.Port, logger, m.full, m.cut.Load)
	if err != nil {
		return nil, err
	}
	bound := netip.AddrPortFrom(ip, uint16(tr.GetAutoBindPort()))
	advertised, err := m.advertised(ctx, bound)
	if err == nil {
		m.chooseName(bound, advertised)
		conf := m.config(bound, advertised)
		conf.Transport, conf.Logger = tr, logger
		conf.Keyring = m.ring
		var list *memberlist.Memberlist
		if list, err = memberlist.Create(conf); err == nil {
			return list, nil
		}
		err = fmt.Errorf("start the gossip: %w", err)
	}
	cancel()
	tr.Shutdown()
	return nil, err
}

func (m *Members) advertised(ctx context.Context, bound netip.AddrPort) (netip.AddrPort, error) {
	if m.opts.Advertise != "" {
		b, err := listen.ParseBind(m.opts.Advertise)
		if err != nil {
			return netip.AddrPort{}, err
		}
		ip, err := b.IP(ctx)
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("advertise: %w", err)
		}
		port := uint16(b.Port)
		if _, _, err := net.SplitHostPort(m.opts.Advertise); err != nil || port == 0 {
			port = bound.Port()
		}
		return netip.AddrPortFrom(ip, port), nil
	}
	var others []netip.AddrPort
	if bound.Addr().IsUnspecified() {
		for _, j := range m.opts.Join {
			found, _ := m.resolveJoin(ctx, j) // the join loop logs it when it fails there too
			others = append(others, found...)
		}
	}
	ip, err := listen.AdvertiseIP(bound.Addr(), others)
	return netip.AddrPortFrom(ip, bound.Port()), err
}

func (m *Members) chooseName(bound, advertised netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addr, m.advertise, m.name = bound, advertised, m.opts.Name
	if m.name == "" {
		m.name = freshName(bound.Port())
	}
	m.roll.setSelf(m.name)
}

// freshName is host-port-random: machines are cloned, a machine may have several nodes, and a name that
// comes back at another address would be refused while its last bearer is remembered.
func freshName(port uint16) string {
	host, _ := os.Hostname() // "" is fine
	host = strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, host)
	if host == "" {
		host = "node"
	}
	b := make([]byte, 4)
	rand.Read(b) // never fails
	return host[:min(len(host), 63)] + "-" + strconv.Itoa(int(port)) + "-" + hex.EncodeToString(b)
}

// announceLoop announces changes of this node's meta to the others, and logs what was
// counted meanwhile.
func (m *Members) announceLoop(ctx context.Context, list *memberlist.Memberlist) {
	minute := time.NewTicker(listen.LogEvery)
	defer minute.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	changed := m.announce
	for {
		select {
		case <-ctx.Done():
			return
		case <-minute.C:
			m.refused.Flush()
		case <-pause.C:
			changed = m.announce
		case <-changed:
			if err := list.UpdateNode(m.opts.LeaveTimeout); err != nil {
				m.log.Debug("gossip", "text", err.Error()) // the next exchange of states brings it
			}
			changed = nil
			pause.Reset(m.opts.Announce)
		}
	}
}

func (m *Members) leaveGossip(list *memberlist.Memberlist) {
	if !m.killed.Load() {
		if err := list.Leave(m.opts.LeaveTimeout); err != nil {
			m.log.Debug("gossip", "text", err.Error()) // they will find out
		}
	}
	if err := list.Shutdown(); err != nil {
		m.log.Warn("stop the gossip", "error", err)
	}
	m.lines.over.Store(true)
}

// Ready is closed when the node can be joined; Addr and Name are known then.
func (m *Members) Ready() <-chan struct{} { return m.ready }

// Addr is where this node listens for gossip; the zero value before Ready.
func (m *Members) Addr() netip.AddrPort {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.addr
}

// Name is the node's name among the members; "" before Ready.
func (m *Members) Name() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.name
}

// Meta is what this node announces about itself.
func (m *Members) Meta() Meta {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.meta
}

// Update changes what this node announces about itself. The others learn it within a second or so; changes in
// quick succession are announced together. What the gossip cannot carry is an error, and changes nothing. The
// function must not call back.
func (m *Members) Update(change func(*Meta)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.meta
	change(&next)
	next.Protocol, next.Oldest = Protocol, OldestProtocol
	b, err := next.encode()
	if err != nil {
		return err
	}
	if next == m.meta {
		return nil
	}
	m.meta, m.encoded = next, b
	select {
	case m.announce <- struct{}{}:
	default:
	}
	return nil
}

// Refusals counts what was not let in: joins and packets with another key or none, something that is no
// gossip, members of another version or job. One attempt may count more than once.
func (m *Members) Refusals() int64 { return m.refused.Count() }

// List is everybody who is known to be there, this node included, by name.
func (m *Members) List() []Member { return m.roll.list() }

// Schedulers is List without the members that only fetch.
func (m *Members) Schedulers() []Member { return m.roll.schedulers() }

// Changed returns a channel that is closed when List has changed since the call. Several may wait: each
// takes the channel first, then looks at List, then waits.
func (m *Members) Changed() <-chan struct{} { return m.roll.changed() }
