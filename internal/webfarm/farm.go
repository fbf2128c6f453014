package webfarm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"
)

// Farm serves the web that its Options describe. All methods are safe for concurrent use.
type Farm struct {
	*site
	hosts []*host
	tls   *tls.Config
	ca    []byte

	// Most connections are idle, so buffers and compressors are shared.
	buffers, gzips sync.Pool

	coded codedBodies

	requests *requestLog // nil without Options.Requests

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// host is one host: its listener and its audit.
type host struct {
	number   int
	listener net.Listener
	meter    *meter
}

// New builds a web and takes its addresses, so that Seeds can be told; nothing is answered before Run.
// A Farm that is not run must be closed.
func New(o Options) (*Farm, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("web farm: %w", err)
	}
	f := &Farm{
		site:  &site{o: o, faults: o.Faults.fractions(), text: newText(o.Seed)},
		conns: make(map[net.Conn]struct{}),
	}
	if o.Requests != nil {
		f.requests = newRequestLog(o.Requests)
	}
	f.coded.limit = o.KeepCoded
	f.buffers.New = func() any { return new(buffer) }
	f.gzips.New = func() any {
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a valid one
		return w
	}
	if err := f.listen(); err != nil {
		return nil, fmt.Errorf("web farm: %w", err)
	}
	var err error
	if f.tls, f.ca, err = newAuthority(o); err != nil {
		f.Close()
		return nil, fmt.Errorf("web farm: %w", err)
	}
	return f, nil
}

// hostIP is the address of a host.
func hostIP(number int, o Options) net.IP {
	if o.Ports {
		return net.IPv4(127, 0, 0, 1)
	}
	base := o.Net.Masked().Addr().As4()
	return net.IPv4(base[0], base[1], byte(1+number/250), byte(1+number%250))
}

// listen binds all hosts. With a free port that some address has taken, all begin again with another.
func (f *Farm) listen() error {
	const tries = 20
	var err error
	for range tries {
		if err = f.bind(); err == nil || f.o.Port != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return err
}

func (f *Farm) bind() error {
	f.hosts, f.faces = nil, nil
	port := f.o.Port
	for i := range f.o.Hosts {
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: hostIP(i, f.o), Port: port})
		if err != nil {
			f.closeListeners()
			if errors.Is(err, syscall.EADDRNOTAVAIL) {
				return fmt.Errorf("%w: this system does not route %v, set Ports", err, f.o.Net)
			}
			return err
		}
		switch {
		case !f.o.Ports:
			port = l.Addr().(*net.TCPAddr).Port
		case port != 0:
			port++
		}
		f.hosts = append(f.hosts, &host{
			number: i, listener: l,
			meter: newMeter(l.Addr().String(), f.o.PagesPerHost, f.crawlDelay(i)),
		})
		c := face{https: unit(f.hash(saltHTTPS, i, 0)) < f.o.HTTPS, authority: l.Addr().String()}
		c.base = "http://" + c.authority
		if c.https {
			c.base = "https://" + c.authority
		}
		f.faces = append(f.faces, c)
	}
	return nil
}

// Run answers requests until the context ends, and frees the addresses. It returns nil then.
func (f *Farm) Run(ctx context.Context) error {
	defer f.Close()
	g, ctx := errgroup.WithContext(ctx)
	var peers sync.WaitGroup
	for _, h := range f.hosts {
		g.Go(func() error { return f.accept(ctx, h, &peers) })
	}
	g.Go(func() error {
		<-ctx.Done()
		f.Close()
		return nil
	})
	err := g.Wait()
	peers.Wait()
	return errors.Join(err, f.FlushRequests())
}

// accept takes connections until the listener is closed.
func (f *Farm) accept(ctx context.Context, h *host, peers *sync.WaitGroup) error {
	for {
		c, err := h.listener.Accept()
		switch {
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			if err == nil {
				c.Close()
			}
			return nil
		case err != nil: // a connection that went before it was accepted, or no file descriptor is left
			pause(ctx, acceptPause)
			continue
		case !f.keep(c):
			return nil
		}
		h.meter.connected()
		peers.Go(func() {
			defer f.drop(c)
			newPeer(f, h, c).serve(ctx)
		})
	}
}

// acceptPause is the time before a host that has no file descriptors tries again.
const acceptPause = 10 * time.Millisecond

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// keep notes a connection, or closes it when the farm is closed.
func (f *Farm) keep(c net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		c.Close()
		return false
	}
	f.conns[c] = struct{}{}
	return true
}

func (f *Farm) drop(c net.Conn) {
	c.Close()
	f.mu.Lock()
	delete(f.conns, c)
	f.mu.Unlock()
}

// Close frees the addresses and cuts all connections; Run returns. It may be called more than once.
func (f *Farm) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.closeListeners()
	for c := range f.conns {
		c.Close()
	}
}

func (f *Farm) closeListeners() {
	for _, h := range f.hosts {
		h.listener.Close()
	}
}

// Seeds are the first pages of all hosts. All URLs can be reached from the first of them.
func (f *Farm) Seeds() []string {
	seeds := make([]string, len(f.faces))
	for i := range f.faces {
		seeds[i] = f.url(ref{host: i})
	}
	return seeds
}

// Certificate is the authority, in PEM, that clients of https must trust.
func (f *Farm) Certificate() []byte { return f.ca }

// Audit is what happened since the start or the last ResetAudit.
func (f *Farm) Audit() Audit {
	var a Audit
	for _, h := range f.hosts {
		a.Hosts = append(a.Hosts, h.meter.snapshot())
	}
	a.Total = total(a.Hosts)
	return a
}

// ResetAudit begins a new audit; pages that fail at first do so again.
func (f *Farm) ResetAudit() {
	for _, h := range f.hosts {
		h.meter.reset()
	}
}
