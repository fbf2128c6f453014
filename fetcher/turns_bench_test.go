package fetcher_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher"
)

// BenchmarkTurns measures short turns of one host, of two pages each: with connections that outlive their turns, and with new
// ones for each turn. What a handshake costs the server is in it.
func BenchmarkTurns(b *testing.B) {
	for _, scheme := range []string{"http", "https"} {
		for _, c := range []struct {
			name string
			idle int
		}{{"kept", 0}, {"new", -1}} {
			b.Run(scheme+"/"+c.name, func(b *testing.B) { benchTurns(b, scheme == "https", c.idle) })
		}
	}
}

func benchTurns(b *testing.B, secure bool, idle int) {
	var conns atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		w.Write([]byte("<title>A page</title>"))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	w := &turnsWorld{benchWorld: benchWorld{job: crawler.NewJob(crawler.Crawl)}, left: b.N, ended: make(chan struct{})}
	if secure {
		s.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
		s.StartTLS()
		w.job.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	} else {
		s.Start()
	}
	defer s.Close()
	w.job.AllowPrivate, w.job.IgnoreRobots, w.job.Delay, w.job.PerHost = []string{"all"}, true, 0, 1
	for i := range 2 {
		u, err := weburl.Parse(fmt.Sprintf("%s/%d", s.URL, i))
		if err != nil {
			b.Fatal(err)
		}
		w.task.Host, w.task.URLs = u.Host(), append(w.task.URLs, crawler.TaskURL{URL: u})
	}
	f, err := fetcher.New(fetcher.Options{
		Name: "f1", Workers: 1, Idle: idle, Tasks: w, Scheduler: w, Reports: w, Archive: w, SpoolDir: b.TempDir(),
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	before := processorTime(b)
	var running sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	running.Go(func() { f.Run(ctx) })
	<-w.ended
	b.StopTimer()
	stop()
	running.Wait()
	b.ReportMetric(float64(conns.Load())/float64(b.N), "conns/turn")
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/turn") // of both ends; the wall's time says little on a busy machine
	if w.fetched != 2*b.N {
		b.Errorf("%d of %d pages fetched", w.fetched, 2*b.N)
	}
}

// processorTime is what this process took so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// turnsWorld offers the same turn again and again. One worker has them one after the other.
type turnsWorld struct {
	benchWorld
	left  int
	ended chan struct{}
}

func (w *turnsWorld) Next(ctx context.Context) (crawler.Delivery, error) {
	if w.left == 0 {
		<-ctx.Done()
		return crawler.Delivery{}, ctx.Err()
	}
	w.left--
	return crawler.Delivery{Task: w.task, Ack: func() {}}, nil
}

func (w *turnsWorld) Send(_ context.Context, p *crawler.Part) error {
	for i := range p.Results {
		if p.Results[i].Outcome == crawler.Fetched {
			w.fetched++
		}
	}
	if p.End && w.left == 0 {
		close(w.ended)
	}
	return nil
}
