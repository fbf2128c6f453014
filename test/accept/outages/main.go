// Command outages is a web whose hosts go away together and come back, and an audit of what they were asked.
//
// Each host is an address of its own; while it is away nobody listens there. Some hosts may be dead from the start.
// Each living one has a robots.txt, a page with links to the others, and so many pages in all. At SIGTERM the audit is
// written.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "outages:", err)
		os.Exit(1)
	}
}

// plan is what the web does.
type plan struct {
	base          netip.Addr // the first host's address; the others follow
	port          int
	hosts, pages  int
	dead          int           // of hosts, the last ones
	after, away   time.Duration // when they go away, counted from the first request, and for how long; after 0 = never
	latency       time.Duration // of an answer
	list          bool          // seeds name every page
	seeds, report string        // files
}

func run() error {
	var p plan
	base := flag.String("base", "127.40.0.1", "the first host's `address`")
	flag.IntVar(&p.port, "port", 0, "`port` of all hosts")
	flag.IntVar(&p.hosts, "hosts", 3, "how many `hosts`")
	flag.IntVar(&p.pages, "pages", 40, "how many `pages` each has")
	flag.IntVar(&p.dead, "dead", 0, "how many `hosts` never answer")
	flag.DurationVar(&p.after, "after", 0, "`time` from the first request until all go away; 0 = they stay")
	flag.DurationVar(&p.away, "away", 0, "for how `long`")
	flag.DurationVar(&p.latency, "latency", 0, "`time` that an answer takes")
	flag.BoolVar(&p.list, "list", false, "let the seeds name every page")
	flag.StringVar(&p.seeds, "seeds", "", "`file` for the seeds, written when all listen")
	flag.StringVar(&p.report, "audit", "", "`file` for the audit")
	flag.Parse()
	var err error
	if p.base, err = netip.ParseAddr(*base); err != nil {
		return fmt.Errorf("-base: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return serve(ctx, &p)
}

// host is one of the web, and what it saw. Its fields belong to mu but for the first ones.
type host struct {
	at    netip.AddrPort
	pages int
	late  time.Duration
	first func() // called at each request

	mu       sync.Mutex
	Host     string  `json:"host"`
	Dead     bool    `json:"dead,omitempty"`
	Requests int     `json:"requests"` // of pages
	Robots   int     `json:"robots"`
	Gap      float64 `json:"gap"`    // least time between an answer's end and the next request, seconds; -1 = none
	Most     int     `json:"most"`   // requests at once
	Before   int     `json:"before"` // requests before it went away
	Gone     float64 `json:"gone"`   // for how many seconds
	Back     float64 `json:"back"`   // seconds from its return to the next request; -1 = none came
	under    int
	end      time.Time
	back     time.Time // zero unless it came back and was not asked since
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.first()
	h.begin(r.URL.Path == "/robots.txt", time.Now())
	defer func() { h.ended(time.Now()) }()
	late := time.NewTimer(h.late) // a server that works
	defer late.Stop()
	select {
	case <-late.C:
	case <-r.Context().Done():
		return
	}
	switch {
	case r.URL.Path == "/robots.txt":
		fmt.Fprintln(w, "User-agent: *\nAllow: /")
	case r.URL.Path == "/":
		w.Header().Set("Content-Type", "text/html")
		for i := 1; i < h.pages; i++ {
			fmt.Fprintf(w, "<a href=/%d>%d</a>\n", i, i)
		}
	default:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintln(w, "page", r.URL.Path, "of", r.Host)
	}
}

func (h *host) begin(robots bool, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if robots {
		h.Robots++
	} else {
		h.Requests++
	}
	if gap := now.Sub(h.end).Seconds(); !h.end.IsZero() && (h.Gap < 0 || gap < h.Gap) {
		h.Gap = gap
	}
	if !h.back.IsZero() {
		h.Back, h.back = now.Sub(h.back).Seconds(), time.Time{}
	}
	h.under++
	h.Most = max(h.Most, h.under)
}

func (h *host) ended(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.under--
	h.end = now
}

// live answers at the host's address until ctx ends, then cuts every connection.
func (h *host) live(ctx context.Context, ready chan<- error) {
	l, err := net.Listen("tcp", h.at.String())
	ready <- err
	if err != nil {
		return
	}
	s := &http.Server{Handler: h}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(l) // ends when the server is closed
	}()
	<-ctx.Done()
	_ = s.Close()
	<-served
}

// web is all hosts together.
type web struct {
	hosts []*host
	asked chan struct{} // closed at the first request
	once  sync.Once
}

func newWeb(p *plan) *web {
	w := &web{asked: make(chan struct{})}
	at := p.base
	for i := range p.hosts {
		h := &host{at: netip.AddrPortFrom(at, uint16(p.port)), pages: p.pages, late: p.latency, Gap: -1, Back: -1, Dead: i >= p.hosts-p.dead}
		h.Host = h.at.String()
		h.first = func() { w.once.Do(func() { close(w.asked) }) }
		w.hosts = append(w.hosts, h)
		for at = at.Next(); at.As4()[3] == 0 || at.As4()[3] == 255; at = at.Next() {
		}
	}
	return w
}

func serve(ctx context.Context, p *plan) error {
	w := newWeb(p)
	if err := w.during(ctx, w.outage(ctx, p), func() error { return w.writeSeeds(p) }); err != nil {
		return err
	}
	if ctx.Err() == nil {
		gone := time.Now()
		select {
		case <-time.After(p.away):
		case <-ctx.Done():
		}
		back := func() error {
			for _, h := range w.hosts {
				h.mu.Lock()
				h.Before, h.Gone, h.back = h.Requests, time.Since(gone).Seconds(), time.Now()
				h.mu.Unlock()
			}
			return nil
		}
		if err := w.during(ctx, nil, back); err != nil {
			return err
		}
	}
	b, err := json.MarshalIndent(w.hosts, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(p.report, b, 0o644)
}

// outage is a channel that is closed when the hosts go away; nil when they stay.
func (w *web) outage(ctx context.Context, p *plan) <-chan struct{} {
	if p.after <= 0 {
		return nil
	}
	gone := make(chan struct{})
	go func() {
		select {
		case <-w.asked:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(p.after):
			close(gone)
		case <-ctx.Done():
		}
	}()
	return gone
}

// during lets the living hosts answer until the outage or the end of ctx. ready is called when all listen.
func (w *web) during(ctx context.Context, outage <-chan struct{}, ready func() error) error {
	ctx, stop := context.WithCancel(ctx)
	var living sync.WaitGroup
	defer living.Wait()
	defer stop()
	for _, h := range w.hosts {
		if h.Dead {
			continue
		}
		listens := make(chan error, 1)
		living.Go(func() { h.live(ctx, listens) })
		if err := <-listens; err != nil {
			return err
		}
	}
	if err := ready(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-outage:
	}
	return nil
}

func (w *web) writeSeeds(p *plan) error {
	var b strings.Builder
	for _, h := range w.hosts {
		fmt.Fprintf(&b, "http://%s/\n", h.at)
		for i := 1; p.list && i < p.pages; i++ {
			fmt.Fprintf(&b, "http://%s/%d\n", h.at, i)
		}
	}
	return os.WriteFile(p.seeds, []byte(b.String()), 0o644)
}
