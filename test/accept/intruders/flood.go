package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// patience is how long a node may keep a connection that proves nothing.
const patience = 25 * time.Second

// ports are those that listen for other machines.
func (s *suite) ports() []string {
	return []string{local(s.port), local(s.port + 1), local(s.port + 2), s.toFetcher.to}
}

// garbage keeps connections of every bad kind open until the nodes cut them. The leaver leaves meanwhile.
func (s *suite) garbage(ctx context.Context) (string, error) {
	_ = s.gone.cmd.Process.Signal(syscall.SIGINT)
	hello, err := clientHello()
	if err != nil {
		return "", err
	}
	conf, err := s.mine.member()
	if err != nil {
		return "", err
	}
	kinds := map[string]func(c net.Conn) error{
		"silence":                   func(net.Conn) error { return nil },
		"garbage":                   func(c net.Conn) error { _, err := c.Write(random(4000)); return err },
		"half a hello":              func(c net.Conn) error { _, err := c.Write(hello[:len(hello)/2]); return err },
		"a whole hello and no more": func(c net.Conn) error { _, err := c.Write(hello); return err },
		"a byte a second":           func(c net.Conn) error { return drip(ctx, c, hello) },
		"half a message of gossip":  func(c net.Conn) error { _, err := c.Write(frame(random(100), 1000)); return err },
	}
	var wg sync.WaitGroup
	var longest atomic.Int64
	failed := make(chan error, 1000)
	try := func(what, port string, f func(net.Conn) error) {
		wg.Go(func() {
			took, err := untilCut(port, f)
			if err != nil {
				failed <- fmt.Errorf("%s at %s: %w", what, port, err)
			}
			for {
				old := longest.Load()
				if took.Nanoseconds() <= old || longest.CompareAndSwap(old, took.Nanoseconds()) {
					return
				}
			}
		})
	}
	n := 0
	for _, port := range s.ports() {
		for what, f := range kinds {
			for range 20 {
				try(what, port, f)
				n++
			}
		}
	}
	for _, port := range s.ports()[1:3] {
		for range 20 { // members whose connection says nothing more
			try("a handshake and no more", port, func(c net.Conn) error { return tls.Client(c, conf).Handshake() })
			n++
		}
	}
	for range 2000 {
		for _, port := range []string{s.ports()[0], s.ports()[3]} {
			if err := say("udp", "", port, random(200)); err != nil {
				return "", err
			}
		}
	}
	wg.Wait()
	select {
	case err := <-failed:
		return "", err
	default:
	}
	return fmt.Sprintf("%d connections, the last was cut after %.1f s; 4,000 packets", n, time.Duration(longest.Load()).Seconds()), nil
}

// untilCut opens a connection, says something, and tells how long it was kept.
func untilCut(addr string, f func(net.Conn) error) (time.Duration, error) {
	begin := time.Now()
	c, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	_ = c.SetDeadline(begin.Add(patience))
	if f(c) == nil { // else it was cut while it spoke
		_, _ = io.Copy(io.Discard, c)
	}
	took := time.Since(begin)
	if took >= patience {
		return 0, fmt.Errorf("open after %s", patience)
	}
	return took, nil
}

func drip(ctx context.Context, c net.Conn, b []byte) error {
	for i := range b {
		if _, err := c.Write(b[i : i+1]); err != nil {
			return err
		}
		pause(ctx, time.Second)
	}
	return ctx.Err()
}

// clientHello is what a TLS client says first.
func clientHello() ([]byte, error) {
	a, b := net.Pipe()
	defer b.Close()
	tap := &tapped{Conn: a, hold: true}
	_ = a.SetDeadline(time.Now().Add(100 * time.Millisecond)) // the answer never comes
	if err := tls.Client(tap, clientWith(nil)).Handshake(); err == nil || len(tap.said.bytes) < 100 {
		return nil, fmt.Errorf("no hello: %w", err)
	}
	return tap.said.bytes, nil
}

// throng is many connections that say nothing, which are opened again when they are cut.
type throng struct {
	open, peak, opened atomic.Int64
}

// hold keeps up to n connections open to the ports, until ctx ends.
func (t *throng) hold(ctx context.Context, ports []string, n int) {
	const workers = 100
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			var mine []net.Conn
			defer func() {
				for _, c := range mine {
					c.Close()
				}
			}()
			var cut atomic.Int64
			for i := 0; ctx.Err() == nil; i++ {
				if len(mine)-int(cut.Load()) >= n/workers {
					pause(ctx, 20*time.Millisecond)
					mine = slices.DeleteFunc(mine, func(c net.Conn) bool { return c.(*watched).over.Load() })
					cut.Store(0)
					continue
				}
				if i >= n/workers { // enough of them were there; what was cut comes back, at 500 a second
					pause(ctx, workers*2*time.Millisecond)
				}
				c, err := dialFrom("tcp", fmt.Sprintf("127.0.1.%d", 1+w%10), ports[(w+i)%len(ports)])
				if err != nil {
					pause(ctx, 10*time.Millisecond)
					continue
				}
				t.opened.Add(1)
				if now := t.open.Add(1); now > t.peak.Load() {
					t.peak.Store(now)
				}
				mine = append(mine, watch(c, func() { t.open.Add(-1); cut.Add(1) }))
			}
		})
	}
	wg.Wait()
}

// watched is a connection that tells when it was cut.
type watched struct {
	net.Conn
	over atomic.Bool
}

func watch(c net.Conn, cut func()) *watched {
	w := &watched{Conn: c}
	go func() {
		_, _ = io.Copy(io.Discard, c) // until it is cut, by either side
		c.Close()
		w.over.Store(true)
		cut()
	}()
	return w
}

// crowd is the job beside 10,000 connections: its pace, a member that joins, somebody who asks for the status.
func (s *suite) crowd(ctx context.Context, quiet float64) (string, error) {
	const most = 10_000
	inner, end := context.WithCancel(ctx)
	t := new(throng)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		t.hold(inner, s.ports(), most)
	}()
	defer func() { end(); <-ended }()
	for begin := time.Now(); t.opened.Load() < most && time.Since(begin) < 10*time.Second; {
		pause(ctx, 50*time.Millisecond)
	}
	opened := t.opened.Load()
	begin := time.Now()
	late, err := s.run(s.trawl, "late", "fetcher", "--join", local(s.port), "--secret-file", s.mine.file, "--name", "late", "--dir", s.dir+"/late")
	if err != nil {
		return "", err
	}
	err = s.until(ctx, 20*time.Second, "a member that joins meanwhile fetches", func(st *status) bool {
		return st.pages("late") > 0
	})
	if err != nil {
		return "", err
	}
	joined := time.Since(begin)
	begin = time.Now()
	if out, err := exec.CommandContext(ctx, s.trawl, "status", local(s.port+2), "--json", "--secret-file", s.mine.file).CombinedOutput(); err != nil {
		return "", fmt.Errorf("trawl status: %w: %s", err, out)
	}
	asked := time.Since(begin)
	pace, err := s.pace(ctx, 8*time.Second)
	if err != nil {
		return "", err
	}
	w, err := s.weigh()
	if err != nil {
		return "", err
	}
	end()
	<-ended
	_ = late.cmd.Process.Signal(syscall.SIGINT)
	if code, err := late.wait(20 * time.Second); err != nil || code != 4 {
		return "", fmt.Errorf("the member that joined ended with status %d, %w: %s", code, err, late.text())
	}
	figures := fmt.Sprintf("%d opened at first, %d in all, up to %d open at once; %.0f pages a second of %.0f; a member joined and fetched after %.1f s, a status took %d ms; %s",
		opened, t.opened.Load(), t.peak.Load(), pace, quiet, joined.Seconds(), asked.Milliseconds(), w)
	if pace < 0.5*quiet {
		return "", errors.New("too slow: " + figures)
	}
	return figures, nil
}

// requests asks for the status a thousand times at once, each over a connection of its own.
func (s *suite) requests(ctx context.Context) (string, error) {
	conf, err := s.mine.member()
	if err != nil {
		return "", err
	}
	const most = 1000
	var answered, busy atomic.Int64
	failed := make(chan error, most)
	begin := time.Now()
	var wg sync.WaitGroup
	for range most {
		wg.Go(func() {
			t := &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+local(s.port+2)+"/v1/status", nil)
			if err != nil {
				failed <- err
				return
			}
			resp, err := t.RoundTrip(req)
			if err != nil {
				failed <- err
				return
			}
			defer resp.Body.Close()
			_, _ = io.Copy(io.Discard, resp.Body)
			switch resp.StatusCode {
			case http.StatusOK:
				answered.Add(1)
			case http.StatusServiceUnavailable:
				busy.Add(1)
			default:
				failed <- fmt.Errorf("status %d", resp.StatusCode)
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return "", fmt.Errorf("%d of %d failed, such as: %w", len(failed)+1, most, err)
	default:
	}
	return fmt.Sprintf("%d answered, %d told to come again, within %.1f s", answered.Load(), busy.Load(), time.Since(begin).Seconds()), nil
}

// recovered waits for the nodes to be what they were before.
func (s *suite) recovered(ctx context.Context, before *weight, quiet float64) (string, error) {
	const moreMemory, moreFiles, moreThreads = 128, 25, 15 // the heap is given back over minutes
	begin := time.Now()
	for {
		now, err := s.weigh()
		if err != nil {
			return "", err
		}
		ok := true
		for _, name := range []string{"scheduler", "first", "second"} {
			ok = ok && now.rss[name] <= before.rss[name]+moreMemory && now.files[name] <= before.files[name]+moreFiles &&
				now.threads[name] <= before.threads[name]+moreThreads
		}
		if !ok {
			if time.Since(begin) > 30*time.Second {
				return "", fmt.Errorf("before: %s; now: %s", before, now)
			}
			pause(ctx, time.Second)
			continue
		}
		pace, err := s.pace(ctx, 6*time.Second)
		if err != nil {
			return "", err
		}
		figures := fmt.Sprintf("%s; %.0f pages a second of %.0f", now, pace, quiet)
		if pace < 0.6*quiet {
			return "", errors.New("too slow: " + figures)
		}
		return figures, nil
	}
}
