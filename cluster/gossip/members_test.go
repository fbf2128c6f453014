package gossip

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/listen"
	"trawl/cluster/trust"
	"trawl/cluster/trust/trusttest"
	"trawl/crawler"
)

// node is a member that runs.
type node struct {
	*Members
	stop context.CancelFunc
	done chan error
}

func quick(o Options) Options {
	o.Bind = listen.Bind{Host: "127.0.0.1"}
	o.Rejoin = 300 * time.Millisecond
	o.Announce = 20 * time.Millisecond
	o.ProbeInterval = 200 * time.Millisecond
	o.GossipInterval = 20 * time.Millisecond
	if o.Meta.Role == "" {
		o.Meta.Role = cluster.RoleFetcher
	}
	return o
}

func startNode(t *testing.T, o Options) *node {
	t.Helper()
	o = quick(o)
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &node{Members: m, stop: stop, done: make(chan error, 1)}
	go func() { n.done <- m.Run(ctx) }()
	select {
	case <-m.Ready():
	case err := <-n.done:
		select {
		case <-m.Ready(): // it was, and has been refused since
			n.done <- err
		default:
			stop()
			t.Fatalf("Run: %v", err)
		}
	}
	t.Cleanup(func() { n.end(t) })
	return n
}

// end stops the node and returns what Run returned, again and again.
func (n *node) end(t *testing.T) error {
	t.Helper()
	n.stop()
	return n.result(t)
}

func (n *node) result(t *testing.T) error {
	t.Helper()
	select {
	case err := <-n.done:
		n.done <- err
		return err
	case <-time.After(clustertest.Patience):
		t.Fatal("Run does not end")
		return nil
	}
}

func (n *node) sees(names ...string) bool {
	var got []string
	for _, m := range n.List() {
		got = append(got, m.Name)
	}
	slices.Sort(names)
	return slices.Equal(got, names)
}

func TestMembersJoinAndLeave(t *testing.T) {
	for name, secret := range map[string]trust.Secret{"with a secret": trusttest.OurSecret, "without one, on loopback": nil} {
		t.Run(name, func(t *testing.T) {
			clustertest.NoLeaks(t)
			s := startNode(t, Options{Name: "s", Keys: trusttest.Ring(secret), Meta: Meta{Role: cluster.RoleScheduler, QueuePort: 1234, Version: "v1"}})
			join := []string{s.Addr().String()}
			a := startNode(t, Options{Name: "a", Keys: trusttest.Ring(secret), Join: join})
			b := startNode(t, Options{Name: "b", Keys: trusttest.Ring(secret), Join: []string{a.Addr().String()}})
			for _, n := range []*node{s, a, b} {
				clustertest.Within(t, "everybody knows everybody", func() bool { return n.sees("a", "b", "s") })
			}
			list := b.List()
			q, err := net.ResolveTCPAddr("tcp", list[2].Queue())
			if err != nil || q.Port != 1234 || list[2].Meta.Version != "v1" || list[2].Address != s.Addr() || list[2].State != Alive {
				t.Errorf("the scheduler is seen as %+v", list[2])
			}
			if !list[1].Self || list[0].Self {
				t.Errorf("b does not know itself: %+v", list)
			}
			if list[0].Queue() != "" {
				t.Errorf("a fetcher has a queue at %s", list[0].Queue())
			}
			if err := a.end(t); err != nil {
				t.Errorf("Run ended with %v", err)
			}
			clustertest.Within(t, "who left is gone", func() bool { return s.sees("b", "s") && b.sees("b", "s") })
		})
	}
}

func TestMembersTellChanges(t *testing.T) {
	clustertest.NoLeaks(t)
	s := startNode(t, Options{Name: "s", Keys: trusttest.Ring(trusttest.OurSecret), Meta: Meta{Role: cluster.RoleScheduler}})
	f := startNode(t, Options{Name: "f", Keys: trusttest.Ring(trusttest.OurSecret), Join: []string{s.Addr().String()}})
	clustertest.Within(t, "f knows s", func() bool { return f.sees("f", "s") })

	changed := f.Changed()
	for i := range 100 {
		if err := s.Update(func(m *Meta) { m.Slots, m.Done = i, true }); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-changed:
	case <-time.After(clustertest.Patience):
		t.Fatal("nobody was woken")
	}
	clustertest.Within(t, "the last change is known", func() bool { m := f.List()[1].Meta; return m.Done && m.Slots == 99 })

	err := s.Update(func(m *Meta) { m.QueueURL = strings.Repeat("x", MaxMeta) })
	if err == nil || s.Meta().QueueURL != "" || !s.Meta().Done {
		t.Errorf("a change that cannot be told: %v, and now %+v", err, s.Meta())
	}
}

func TestNewMembersRefuses(t *testing.T) {
	ok := func() Options {
		return Options{Bind: listen.Bind{Host: "127.0.0.1"}, Meta: Meta{Role: cluster.RoleFetcher}}
	}
	tests := []struct {
		name   string
		change func(*Options)
		says   string
	}{
		{"every interface without a secret", func(o *Options) { o.Bind.Host = "" }, "trawl secret"},
		{"a name without a secret", func(o *Options) { o.Bind.Host = "node.example" }, "trawl secret"},
		{"more than the gossip carries", func(o *Options) { o.Meta.QueueURL = strings.Repeat("x", 512) }, "512"},
		{"no role", func(o *Options) { o.Meta.Role = "" }, "role"},
		{"nowhere to join", func(o *Options) { o.Join = []string{":7946"} }, "host"},
		{"a URL to join", func(o *Options) { o.Join = []string{"http://a:1"} }, "http://a:1"},
		{"nothing to advertise", func(o *Options) { o.Advertise = ":1" }, "host"},
		{"a name of two lines", func(o *Options) { o.Name = "a\nb" }, "name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := ok()
			tt.change(&o)
			if _, err := New(o); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("err %v", err)
			}
		})
	}
	o := ok()
	o.Bind.Host = "0.0.0.0"
	if _, err := New(o); !errors.Is(err, trust.ErrNeedSecret) {
		t.Errorf("without a secret: %v", err)
	}
	o.Keys = trusttest.Ring(trusttest.OurSecret)
	if _, err := New(o); err != nil {
		t.Errorf("with a secret: %v", err)
	}
}

func TestWhatMembersAreTold(t *testing.T) {
	everywhere, one := addrPort(t, "0.0.0.0:5000"), addrPort(t, "127.0.0.1:5000")
	tests := []struct {
		name  string
		o     Options
		bound netip.AddrPort
		want  string
	}{
		{"the bound address", Options{}, one, "127.0.0.1:5000"},
		{"what the user says, with the bound port", Options{Advertise: "10.9.8.7"}, everywhere, "10.9.8.7:5000"},
		{"what the user says, with a port", Options{Advertise: "10.9.8.7:6000"}, everywhere, "10.9.8.7:6000"},
		{"IPv6, with the bound port", Options{Advertise: "fd00::7"}, everywhere, "[fd00::7]:5000"},
		{"the address from which the others are reached", Options{Join: []string{"127.0.0.1:9"}}, everywhere, "127.0.0.1:5000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Keys, tt.o.Meta.Role = trusttest.Ring(trusttest.OurSecret), cluster.RoleFetcher
			m, err := New(tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := m.advertised(t.Context(), tt.bound); err != nil || got.String() != tt.want {
				t.Errorf("told %v, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestANodeDoesNotJoinItself(t *testing.T) {
	m, err := New(Options{Keys: trusttest.Ring(trusttest.OurSecret), Meta: Meta{Role: cluster.RoleFetcher}})
	if err != nil {
		t.Fatal(err)
	}
	m.addr, m.advertise = addrPort(t, "0.0.0.0:5000"), addrPort(t, "10.0.0.1:5000")
	for a, want := range map[string]bool{
		"10.0.0.1:5000": true, "127.0.0.1:5000": true, "10.0.0.1:5001": false, "127.0.0.1:5001": false, "10.0.0.2:5000": false,
	} {
		if got := m.isSelf(addrPort(t, a)); got != want {
			t.Errorf("%s is this node: %v", a, got)
		}
	}
}

func TestMembersRunOnce(t *testing.T) {
	n := startNode(t, Options{Name: "n"})
	if err := n.Run(t.Context()); err == nil {
		t.Error("a second Run was started")
	}
	o := quick(Options{})
	o.Bind.Port = int(n.Addr().Port())
	second, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context()); err == nil || !strings.Contains(err.Error(), n.Addr().String()) {
		t.Errorf("on a port in use: %v", err)
	}
}

func TestAJoinThatIsRefusedEnds(t *testing.T) {
	plain := httpLike(t)
	tests := []struct {
		name         string
		there, comes Options
		join         string // "" for the member that is there
		says         string
	}{
		{"another secret", Options{Keys: trusttest.Ring(trusttest.OurSecret)}, Options{Keys: trusttest.Ring(trusttest.TheirSecret)}, "", "another secret"},
		{"no secret", Options{Keys: trusttest.Ring(trusttest.OurSecret)}, Options{}, "", "asks for a secret"},
		{"a secret where none is", Options{}, Options{Keys: trusttest.Ring(trusttest.OurSecret)}, "", "it has no secret"},
		{"no member at all", Options{}, Options{Keys: trusttest.Ring(trusttest.OurSecret)}, plain, "check the address"},
		{
			"another crawl",
			Options{Keys: trusttest.Ring(trusttest.OurSecret), Meta: Meta{Role: cluster.RoleScheduler, Origin: crawler.Life{1}}},
			Options{Keys: trusttest.Ring(trusttest.OurSecret), Meta: Meta{Role: cluster.RoleScheduler, Origin: crawler.Life{2}}},
			"", "the scheduler of another crawl",
		},
		{"the name of another", Options{Name: "n", Keys: trusttest.Ring(trusttest.OurSecret)}, Options{Name: "n", Keys: trusttest.Ring(trusttest.OurSecret)}, "", "called n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clustertest.NoLeaks(t)
			there := startNode(t, tt.there)
			before := there.List()
			tt.comes.Join = []string{there.Addr().String()}
			if tt.join != "" {
				tt.comes.Join[0] = tt.join
			}
			n := startNode(t, tt.comes)
			err := n.result(t)
			if !errors.Is(err, cluster.ErrRefused) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), tt.comes.Join[0]) {
				t.Errorf("Run ended with %v", err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			if after := there.List(); !slices.Equal(before, after) {
				t.Errorf("the members changed from %v to %v", before, after)
			}
			if tt.join == "" && tt.name != "the name of another" {
				clustertest.Within(t, "the member counts the refusal", func() bool { return there.Refusals() > 0 })
			}
		})
	}
}

// httpLike is a server of something else.
func httpLike(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			c.Close()
		}
	}()
	return l.Addr().String()
}

func TestAnotherVersionIsRefused(t *testing.T) {
	s := startNode(t, Options{Keys: trusttest.Ring(trusttest.OurSecret), Meta: Meta{Role: cluster.RoleScheduler}})
	o := quick(Options{Keys: trusttest.Ring(trusttest.OurSecret), Join: []string{s.Addr().String()}})
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	m.meta.Protocol, m.meta.Oldest = Protocol+1, Protocol+1
	m.encoded, _ = m.meta.encode()
	if err := m.Run(t.Context()); !errors.Is(err, cluster.ErrRefused) || !strings.Contains(err.Error(), "same trawl") {
		t.Errorf("Run ended with %v", err)
	}
	if len(s.List()) != 1 {
		t.Errorf("members: %v", s.List())
	}
}

func TestAFetcherWaitsForItsScheduler(t *testing.T) {
	clustertest.NoLeaks(t)
	own := netip.AddrFrom4([4]byte{127, byte(1 + rand.N(250)), byte(rand.N(250)), byte(1 + rand.N(250))}) // where no port is taken meanwhile
	l, err := net.Listen("tcp", netip.AddrPortFrom(own, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	l.Close()
	seen := make(chan string, 100)
	f := startNode(t, Options{Name: "f", Keys: trusttest.Ring(trusttest.OurSecret), Join: []string{addr.String()}, Logger: slog.New(lines{seen})})
	for line := range seen {
		if strings.Contains(line, "waiting for a scheduler at "+addr.String()) {
			break
		}
	}
	o := quick(Options{Name: "s", Keys: trusttest.Ring(trusttest.OurSecret), Meta: Meta{Role: cluster.RoleScheduler}})
	o.Bind = listen.Bind{Host: own.String(), Port: addr.Port}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	clustertest.Within(t, "the scheduler is found", func() bool { return f.sees("f", "s") })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	clustertest.Within(t, "the scheduler is gone", func() bool { return f.sees("f") })
	select {
	case err := <-f.done:
		t.Errorf("the fetcher ended with its scheduler: %v", err)
		f.done <- err
	default:
	}
}

// lines sends what is logged.
type lines struct{ to chan string }

func (l lines) Enabled(_ context.Context, v slog.Level) bool { return v >= slog.LevelInfo }
func (l lines) WithAttrs([]slog.Attr) slog.Handler           { return l }
func (l lines) WithGroup(string) slog.Handler                { return l }
func (l lines) Handle(_ context.Context, r slog.Record) error {
	select {
	case l.to <- r.Message:
	default:
	}
	return nil
}

func TestAKilledMemberIsNoticed(t *testing.T) {
	clustertest.NoLeaks(t)
	s := startNode(t, Options{Name: "s", Keys: trusttest.Ring(trusttest.OurSecret), Meta: Meta{Role: cluster.RoleScheduler}})
	f := startNode(t, Options{Name: "f", Keys: trusttest.Ring(trusttest.OurSecret), Join: []string{s.Addr().String()}})
	clustertest.Within(t, "they know each other", func() bool { return f.sees("f", "s") && s.sees("f", "s") })
	f.killed.Store(true)
	f.end(t)
	suspected := false
	clustertest.Within(t, "the killed one is gone", func() bool {
		for _, m := range s.List() {
			suspected = suspected || m.State == Suspect
		}
		return s.sees("s")
	})
	if !suspected {
		t.Error("it was never suspected before")
	}
}

func TestAPartitionHeals(t *testing.T) {
	clustertest.NoLeaks(t)
	a := startNode(t, Options{Name: "a", Keys: trusttest.Ring(trusttest.OurSecret), Meta: Meta{Role: cluster.RoleScheduler}})
	b := startNode(t, Options{Name: "b", Keys: trusttest.Ring(trusttest.OurSecret), Join: []string{a.Addr().String()}})
	clustertest.Within(t, "they know each other", func() bool { return a.sees("a", "b") && b.sees("a", "b") })
	a.cut.Store(true)
	b.cut.Store(true)
	clustertest.Within(t, "each is alone", func() bool { return a.sees("a") && b.sees("b") })
	a.cut.Store(false)
	b.cut.Store(false)
	clustertest.Within(t, "they found each other", func() bool { return a.sees("a", "b") && b.sees("a", "b") })
}

func TestStrangersChangeNothing(t *testing.T) {
	s := startNode(t, Options{Name: "s", Keys: trusttest.Ring(trusttest.OurSecret), Meta: Meta{Role: cluster.RoleScheduler}, Logger: slog.New(slog.DiscardHandler)})
	join := func(n int) {
		stranger := strangerTo(t)
		defer stranger.Shutdown()
		for range n {
			if _, err := stranger.Join([]string{s.Addr().String()}); err == nil {
				t.Fatal("a stranger was let in")
			}
			knock(t, s, []byte("GET / HTTP/1.1\r\n\r\n"))
			// A header that promises 15 MB, with nothing after it.
			knock(t, s, append([]byte{244, 5, 't', 'r', 'a', 'w', 'l', 10}, binary.BigEndian.AppendUint32(nil, 15<<20)...))
		}
	}
	join(50) // warm
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()
	join(1000)
	clustertest.Within(t, "no goroutine stays", func() bool { return runtime.NumGoroutine() <= goroutines+2 })
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if !s.sees("s") {
		t.Errorf("members: %v", s.List())
	}
	if s.Refusals() < 1050 {
		t.Errorf("%d refusals were counted", s.Refusals())
	}
}

// strangerTo is the library with another key.
func strangerTo(t *testing.T) *memberlist.Memberlist {
	t.Helper()
	c := memberlist.DefaultLocalConfig()
	c.Name, c.BindAddr, c.BindPort, c.AdvertisePort, c.Label = "stranger", "127.0.0.1", 0, 0, gossipLabel
	c.SecretKey, _ = trusttest.TheirSecret.GossipKey()
	c.Logger = log.New(discard{}, "", 0)
	l, err := memberlist.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// knock sends bytes to the gossip port, over TCP and UDP.
func knock(t *testing.T, n *node, b []byte) {
	t.Helper()
	for _, network := range []string{"tcp", "udp"} {
		c, err := net.Dial(network, n.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.Write(b)
		c.Close()
	}
}

func TestManyStreamsAtOnceMakeRoom(t *testing.T) {
	s := startNode(t, Options{Name: "s", Keys: trusttest.Ring(trusttest.OurSecret), Meta: Meta{Role: cluster.RoleScheduler}})
	var silent []net.Conn
	for range MaxStreams + 5 {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
	}
	clustertest.Within(t, "the limit leaves its mark", func() bool { return s.full.Count() > 0 })
	defer func() {
		for _, c := range silent {
			c.Close()
		}
	}()
	f := startNode(t, Options{Name: "f", Keys: trusttest.Ring(trusttest.OurSecret), Join: []string{s.Addr().String()}})
	clustertest.Within(t, "a member gets in", func() bool { return f.sees("f", "s") })
}

func TestAStreamIsReadUpToItsLimit(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	s := &stream{Conn: a, left: 10, release: func() {}}
	defer s.Close()
	go b.Write(make([]byte, 20))
	n, err := 0, error(nil)
	for err == nil {
		var k int
		k, err = s.Read(make([]byte, 7))
		n += k
	}
	if n != 10 || !errors.Is(err, errStreamLimit) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestRollForgetsLostMembers(t *testing.T) {
	var r roll
	r.init()
	for i := range MaxLost + 10 {
		name := fmt.Sprint(i)
		addr := addrPort(t, fmt.Sprintf("10.0.0.1:%d", 1000+i))
		r.put(name, addr, Meta{Role: cluster.RoleFetcher})
		r.remove(name)
	}
	if len(r.lost) != MaxLost {
		t.Errorf("%d lost members are remembered", len(r.lost))
	}
	if _, ok := r.lost[addrPort(t, fmt.Sprintf("10.0.0.1:%d", 1000+MaxLost+9))]; !ok {
		t.Error("the last one is not among them")
	}
	for a := range r.lost {
		r.lost[a] = time.Now().Add(-ForgetLost - time.Second)
	}
	if m := r.missing(lostTries); len(m) != 0 || len(r.lost) != 0 {
		t.Errorf("looked for after too long a time: %v, %d remembered", m, len(r.lost))
	}
}

func addrPort(t *testing.T, s string) netip.AddrPort {
	t.Helper()
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
