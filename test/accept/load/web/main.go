// Command web answers on every address of 127.0.0.0/8 at one port, so that a million hosts cost nothing: a small page for
// each path and no robots.txt. It listens on the loopback device alone. GET /__stats at 127.0.0.1 tells the requests, the hosts
// that were asked, and when the first came since the last GET /__reset, in milliseconds of the wall clock. With -hub ADDRESS every other
// address redirects its robots.txt to one URL there; the stats count what was asked for at that address.
//
//	web [-port PORT] [-latency D] [-bytes N] [-hub ADDRESS]
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "web:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("web", flag.ContinueOnError)
	port := f.Int("port", 0, "`port`, 0 for any")
	latency := f.Duration("latency", 0, "time to an answer")
	size := f.Int("bytes", 400, "size of a page")
	hub := f.String("hub", "", "`address` that the robots.txt of all others are redirected to")
	if err := f.Parse(args); err != nil {
		return err
	}
	listen := net.ListenConfig{Control: loopbackOnly}
	l, err := listen.Listen(ctx, "tcp4", fmt.Sprintf(":%d", *port))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "port %d\n", l.Addr().(*net.TCPAddr).Port)
	w := &web{latency: *latency, hub: *hub, page: page(*size), hosts: make(map[string]struct{})}
	s := &http.Server{Handler: w, ReadHeaderTimeout: time.Minute, IdleTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { s.Close() })()
	if err := s.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

// hubRules is where the rules of all hosts lie with -hub.
const hubRules = "/rules-of-all.txt"

// loopbackOnly binds a socket to the loopback device: who comes from elsewhere finds no listener.
func loopbackOnly(_, _ string, c syscall.RawConn) error {
	var bound error
	err := c.Control(func(fd uintptr) { bound = unix.BindToDevice(int(fd), "lo") })
	if err != nil {
		return err
	}
	return bound
}

func page(size int) []byte {
	b := []byte("<!doctype html><title>A page of the large web</title><p>")
	return append(b, bytes.Repeat([]byte("words "), max(0, size-len(b))/6)...)
}

type web struct {
	latency time.Duration
	page    []byte
	hub     string

	mu       sync.Mutex
	requests int64
	robots   int64
	hubRules int64 // requests for the URL that all are redirected to
	hubPages int64
	first    time.Time
	last     time.Time
	hosts    map[string]struct{}
}

func (s *web) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/__stats":
		s.stats(w)
	case r.URL.Path == "/__reset":
		s.reset()
	case r.URL.Path == "/robots.txt":
		s.note(r, true)
		if name, port, _ := net.SplitHostPort(r.Host); s.hub != "" && name != s.hub {
			http.Redirect(w, r, "http://"+net.JoinHostPort(s.hub, port)+hubRules, http.StatusFound)
			return
		}
		http.NotFound(w, r)
	case r.URL.Path == hubRules:
		s.note(r, true)
		fmt.Fprint(w, "User-agent: *\nDisallow: /closed\n")
	default:
		s.note(r, false)
		if s.latency > 0 {
			select {
			case <-time.After(s.latency):
			case <-r.Context().Done():
				return
			}
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(s.page) // a client that left is not our concern
	}
}

func (s *web) note(r *http.Request, robots bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = time.Now()
	if s.first.IsZero() {
		s.first = s.last
	}
	s.hosts[strings.Clone(r.Host)] = struct{}{}
	if robots {
		s.robots++
	} else {
		s.requests++
	}
	switch name, _, _ := net.SplitHostPort(r.Host); {
	case name != s.hub:
	case r.URL.Path == hubRules:
		s.hubRules++
	case !robots:
		s.hubPages++
	}
}

func (s *web) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.robots, s.hubRules, s.hubPages, s.first, s.last = 0, 0, 0, 0, time.Time{}, time.Time{}
	clear(s.hosts)
}

func (s *web) stats(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := int64(0)
	if !s.first.IsZero() {
		first = s.first.UnixMilli()
	}
	fmt.Fprintf(w, "requests %d\nrobots %d\nhosts %d\nfirst %d\nhub-rules %d\nhub-pages %d\n", s.requests, s.robots, len(s.hosts), first, s.hubRules, s.hubPages)
}
