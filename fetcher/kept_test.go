package fetcher

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/fetcher/fetchertest"
)

// turns runs a fetcher in a world of its own, which is given one turn after the other.
type turns struct {
	*world
	stop  context.CancelFunc
	ended chan error
}

func runTurns(t *testing.T, name string, prepare func(*world)) *turns {
	t.Helper()
	w := &turns{world: newWorld(t), ended: make(chan error, 1)}
	w.job.AllowPrivate, w.job.Delay = []string{"all"}, 0
	prepare(w.world)
	f, err := New(Options{
		Name: name, Workers: 2, Tasks: w, Scheduler: w, Reports: w, Archive: w, SpoolDir: t.TempDir(),
		Step: func(step string) {
			if step == StepLast {
				w.note("last")
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	w.stop = stop
	go func() { w.ended <- f.Run(ctx) }()
	t.Cleanup(func() { stop(); <-w.ended })
	return w
}

// turn gives the fetcher a turn of one page, and waits until its last part is stored.
func (w *turns) turn(url string) {
	w.t.Helper()
	u, before := fetchertest.MustURL(w.t, url), len(w.happened("last"))
	w.offer(crawler.Task{Turn: testTurn, Host: u.Host(), URLs: []crawler.TaskURL{{URL: u}}})
	eventually(w.t, func() bool { return len(w.happened("last")) > before })
}

func eventually(t testing.TB, happened func() bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !happened() {
		if ctx.Err() != nil {
			t.Fatal("it does not happen")
		}
		<-look.C
	}
}

// notingServer answers every request, and notes on which connection it came.
type notingServer struct {
	*fetchertest.RawServer
	mu     sync.Mutex // guards spoken
	spoken []int      // the connections by which requests came
	ended  atomic.Int64
}

func serveNoting(t *testing.T) *notingServer {
	s := &notingServer{}
	s.RawServer = fetchertest.ServeRaw(t, func(raw *fetchertest.RawServer, n int64, c net.Conn) {
		defer s.ended.Add(1)
		for r := bufio.NewReader(c); raw.Request(r) != ""; {
			s.mu.Lock()
			s.spoken = append(s.spoken, int(n))
			s.mu.Unlock()
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	return s
}

// A connection that one fetcher keeps says nothing while another one has the host, and serves its own fetcher again.
func TestAKeptConnectionIsSilentWhileAnotherFetcherHasTheHost(t *testing.T) {
	s := serveNoting(t)
	one, two := runTurns(t, "one", func(*world) {}), runTurns(t, "two", func(*world) {})
	one.turn(s.URL)
	two.turn(s.URL)
	two.turn(s.URL)
	one.turn(s.URL)
	s.mu.Lock()
	got := s.spoken
	s.mu.Unlock()
	if len(got) != 4 || got[0] != 1 || got[1] != 2 || got[2] != 2 || got[3] != 1 {
		t.Errorf("requests came on the connections %v, want 1 2 2 1", got)
	}
	one.stop()
	eventually(t, func() bool { return s.ended.Load() == 1 })
	two.stop()
	eventually(t, func() bool { return s.ended.Load() == 2 })
}

func TestATurnThatIsRefusedKeepsNoConnection(t *testing.T) {
	s := serveNoting(t)
	w := runTurns(t, "one", func(w *world) {
		w.job.Renew = 10 * time.Millisecond
		w.answer = func(_ int, ask crawler.Ask) (crawler.Answer, error) {
			if ask.Renewal {
				return crawler.Answer{Verdict: crawler.Refused}, nil
			}
			return w.grant(), nil
		}
		w.send = func(*crawler.Part) error { return fetchertest.ErrTest } // until the renewal is refused
	})
	u := fetchertest.MustURL(t, s.URL)
	w.offer(crawler.Task{Turn: testTurn, Host: u.Host(), URLs: []crawler.TaskURL{{URL: u}}})
	eventually(t, func() bool { return s.ended.Load() == 1 })
	if len(w.sentParts()) != 0 {
		t.Error("the turn ended in order")
	}
}

func TestALastPartThatIsStoredEndsATurnInOrder(t *testing.T) {
	for name, c := range map[string]struct {
		refuse bool
		want   string
	}{"stored": {false, "close true"}, "refused before": {true, "close false"}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.answer = func(n int, _ crawler.Ask) (crawler.Answer, error) {
					if n > 1 && c.refuse {
						return crawler.Answer{Verdict: crawler.Refused}, nil
					}
					return w.grant(), nil
				}
				w.send = func(*crawler.Part) error {
					if c.refuse {
						return fetchertest.ErrTest
					}
					return nil
				}
				w.task(pages(1)...)
				w.turn(time.Minute)
				if got := w.words("close"); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
			})
		})
	}
}
