package fetcher_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher"
)

// BenchmarkPage measures one page from the turn to the report: request, engine, decoding, digest, links and the call of an
// archive that keeps nothing. The server writes a fixed answer, so that nearly all that is counted is the fetcher's. The metric
// cpu-ns/op is the processor time of the process, which says more than the time on the clock where others work too.
func BenchmarkPage(b *testing.B) {
	for _, kind := range []crawler.Kind{crawler.Crawl, crawler.Download} {
		b.Run(fmt.Sprint(kind), func(b *testing.B) {
			s := newBenchServer(b)
			w := &benchWorld{job: crawler.NewJob(kind), ended: make(chan struct{})}
			w.job.AllowPrivate, w.job.IgnoreRobots, w.job.Delay, w.job.PerHost = []string{"all"}, true, 0, 1
			host, err := weburl.Parse("http://" + s + "/")
			if err != nil {
				b.Fatal(err)
			}
			w.task = crawler.Task{Turn: crawler.TurnID{1}, Host: host.Host()}
			for i := range b.N {
				u, err := host.Resolve(fmt.Sprint(i))
				if err != nil {
					b.Fatal(err)
				}
				w.task.URLs = append(w.task.URLs, crawler.TaskURL{URL: u})
			}
			f, err := fetcher.New(fetcher.Options{
				Name: "f1", Workers: 1, Tasks: w, Scheduler: w, Reports: w, Archive: w, SpoolDir: b.TempDir(),
			})
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(b.Context())
			var running sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			before := processorTime(b)
			running.Go(func() { f.Run(ctx) })
			<-w.ended
			b.StopTimer()
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
			stop()
			running.Wait()
			if w.fetched != b.N {
				b.Errorf("%d of %d pages fetched", w.fetched, b.N)
			}
		})
	}
}

// newBenchServer answers every request with one page of 16 KB and 30 links.
func newBenchServer(b *testing.B) (address string) {
	var page strings.Builder
	page.WriteString("<title>A page</title>")
	for i := range 30 {
		fmt.Fprintf(&page, "<p>%s<a href=\"/next/%d\">next</a>", strings.Repeat("some words ", 46), i)
	}
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\nContent-Type: text/html; charset=utf-8\r\n"+
		"Last-Modified: Sun, 01 Nov 2026 09:00:00 GMT\r\nETag: \"64a2f1c0-4000\"\r\nContent-Length: %d\r\n\r\n%s", page.Len(), page.String())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var running sync.WaitGroup
	b.Cleanup(func() { l.Close(); running.Wait() })
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					line, err := r.ReadSlice('\n')
					if err != nil {
						return
					}
					if bytes.Equal(line, []byte("\r\n")) {
						c.Write(answer)
					}
				}
			})
		}
	})
	return l.Addr().String()
}

// benchWorld is what is around a fetcher, and costs nothing.
type benchWorld struct {
	job     crawler.Job
	task    crawler.Task
	taken   bool
	fetched int
	ended   chan struct{}
}

func (w *benchWorld) Next(ctx context.Context) (crawler.Delivery, error) {
	if w.taken {
		<-ctx.Done()
		return crawler.Delivery{}, ctx.Err()
	}
	w.taken = true
	return crawler.Delivery{Task: w.task, Ack: func() {}}, nil
}

func (w *benchWorld) Ask(context.Context, crawler.Ask) (crawler.Answer, error) {
	return crawler.Answer{Verdict: crawler.Granted, Lease: w.job.Lease, Connections: w.job.PerHost}, nil
}

func (w *benchWorld) Notice(context.Context) (crawler.JobNotice, error) {
	return crawler.JobNotice{Job: w.job}, nil
}

func (w *benchWorld) Send(_ context.Context, p *crawler.Part) error {
	for i := range p.Results {
		if p.Results[i].Outcome == crawler.Fetched {
			w.fetched++
		}
	}
	if p.End {
		close(w.ended)
	}
	return nil
}

func (w *benchWorld) Put(context.Context, *crawler.Exchange) (crawler.Locator, error) {
	return crawler.Locator{File: "archive/a"}, nil
}

func (w *benchWorld) Sync(context.Context) error { return nil }
