package fetcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// seconds is a time of a judgement.
func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func TestTheNetworkIsJudged(t *testing.T) {
	// Words: "+h" the host h answers, "!" something comes, "-h" h meets silence, "=h" the machine has no way to h. A number lets
	// so many seconds pass; what follows begins then. "away" and "there" are what is expected.
	for name, script := range map[string]string{
		"three hosts that answered are silent for ten seconds":       "+a +b +c 1 -a -b -c there 9 there 1 away",
		"silence counts from the asking, not from the last sign":     "+a +b +c 60 -a -b -c there 10 away",
		"two hosts are too few":                                      "+a +b +c 1 -a -b -a -b 60 there",
		"hosts that never answered are no evidence":                  "+a +b 1 -a -b -c -d -e 60 there",
		"one that never answered has its own fault where others do":  "+a +b +c 1 -a -b -x 30 there -c away",
		"one byte begins the time again":                             "+a +b +c 1 -a -b -c 9 ! 5 there -a -b -c 5 there 5 away",
		"the first byte ends it":                                     "+a +b +c 1 -a -b -c 10 away ! there",
		"by mere silence it lasts an hour at most":                   "+a +b +c 1 -a -b -c 10 away 3599 away 1 there -a -b -c 60 there",
		"after an hour something must come before it is found again": "+a +b +c 1 -a -b -c 10 away 3600 there ! -a -b -c 10 away",
		"without a way out it lasts as long as it lasts":             "+a +b +c 1 =a =b =c 10 away 9000 away ! there",
		"what was a missing way and is silence now ends by time":     "+a +b +c 1 =a =b =c 10 away 9000 away -a there",
	} {
		t.Run(name, func(t *testing.T) {
			j, now := newJudgement(), time.Duration(0)
			for i, word := range strings.Fields(script) {
				host := weburl.Host(word[1:])
				switch word[0] {
				case '+':
					j.answered(host)
					j.heard(now)
				case '!':
					j.heard(now)
				case '-', '=':
					j.met(host, now, word[0] == '=')
				case 'a', 't':
					if j.look(now, time.Hour); j.away != (word == "away") {
						t.Fatalf("word %d, after %v: away is %v, want %s", i+1, now, j.away, word)
					}
				default:
					var n int
					fmt.Sscan(word, &n)
					now += seconds(n)
				}
			}
		})
	}
}

func TestHostsThatAnsweredAreRememberedUpToALimit(t *testing.T) {
	j := newJudgement()
	for i := range 3 * networkHosts {
		j.answered(weburl.Host(fmt.Sprint(i)))
		j.answered("often")
	}
	if n := len(j.young) + len(j.old); n > networkHosts {
		t.Errorf("%d hosts are remembered", n)
	}
	if !j.knows(weburl.Host(fmt.Sprint(3*networkHosts-1))) || !j.knows("often") || j.knows("0") {
		t.Error("those that answered last are not those that are remembered")
	}
}

func TestWhatAFaultSaysAboutTheNetwork(t *testing.T) {
	dial := func(e error) error {
		return &dialError{crawler.ReasonConnect, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", e)}}
	}
	for _, c := range []struct {
		err  error
		want sign
	}{
		{dial(syscall.ECONNREFUSED), signNone},
		{dial(syscall.ECONNRESET), signNone},
		{dial(syscall.ENETUNREACH), signLocal},
		{dial(syscall.EHOSTUNREACH), signLocal},
		{dial(syscall.ETIMEDOUT), signSilence},
		{&limitError{timeLimit{"no connection within", time.Second}}, signSilence},
		{&dialError{crawler.ReasonDNS, &net.DNSError{Err: "no such host", IsNotFound: true}}, signNone},
		{&dialError{crawler.ReasonDNS, &net.DNSError{Err: "i/o timeout", IsTimeout: true}}, signSilence},
		{&dialError{crawler.ReasonDNS, &net.DNSError{Err: "server misbehaving", IsTemporary: true}}, signSilence},
		{&dialError{crawler.ReasonDNS, &net.DNSError{Err: "read udp 127.0.0.1:53: read: connection refused"}}, signLocal},
		{&dialError{crawler.ReasonDNS, &net.DNSError{Err: "dial udp 9.9.9.9:53: connect: network is unreachable"}}, signLocal},
		{&dialError{crawler.ReasonConnect, &proxyError{"p", dial(syscall.ECONNREFUSED)}}, signLocal},
		{&dialError{crawler.ReasonTLS, errors.New("TLS handshake: alert")}, signNone},
		{errResent, signNone},
	} {
		if got := signOf(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

// wires is a world with several hosts and a network that can be pulled.
type wires struct {
	*world
	f     *Fetcher
	cut   atomic.Bool
	tried atomic.Int64 // exchanges while it was cut
	many  atomic.Int64 // of them under way
	most  atomic.Int64 // the most of them at once
}

// pull makes a world of hosts whose turns are offered again and again, each of a few URLs.
func pull(t *testing.T, w *world, hosts int) *wires {
	x := &wires{world: w}
	w.job.Delay, w.took = 0, 500*time.Millisecond
	x.f = w.fetcher(func(o *Options) { o.Workers = 50 })
	offer := func(h weburl.Host) {
		task := crawler.Task{Host: h}
		for i := range 5 {
			task.URLs = append(task.URLs, crawler.TaskURL{URL: mustURL(t, fmt.Sprintf("http://%s/%d", h, i))})
		}
		w.offer(task)
	}
	for i := range hosts {
		offer(weburl.Host(fmt.Sprintf("h%d.test", i)))
	}
	w.send = func(p *crawler.Part) error {
		if p.End && t.Context().Err() == nil {
			time.AfterFunc(100*time.Millisecond, func() { offer(p.Host) })
		}
		return nil
	}
	w.page = func(ctx context.Context, u Page) Finding {
		if !x.cut.Load() {
			x.f.network.heard()
			return Finding{}
		}
		x.tried.Add(1)
		x.most.Store(max(x.most.Load(), x.many.Add(1)))
		defer x.many.Add(-1)
		pause(ctx, 4*time.Second)
		return Finding{Sign: signSilence, Result: crawler.Result{Outcome: crawler.Failed, Reason: crawler.ReasonTimeout}}
	}
	return x
}

// faults counts the failed results that were sent.
func (x *wires) faults() (n int) {
	for _, p := range x.sentParts() {
		for _, r := range p.Results {
			if r.Outcome == crawler.Failed {
				n++
			}
		}
	}
	return n
}

func (x *wires) live(t *testing.T, play func()) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- x.f.Run(ctx) }()
	play()
	stop()
	<-ended
	synctest.Wait()
	for len(x.tasks) > 0 {
		<-x.tasks
	}
}

func TestANetworkThatIsAwayIsNoFaultOfHosts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		x := pull(t, w, 20)
		x.live(t, func() {
			time.Sleep(20 * time.Second)
			x.cut.Store(true)
			time.Sleep(20 * time.Second)
			c, _ := x.f.Condition()
			if c.Slots != 1 || c.Silent < 10*time.Second || c.Silent > 25*time.Second {
				t.Errorf("20 s after the cut: %+v", c)
			}
			x.tried.Store(0)
			x.most.Store(0)
			time.Sleep(10 * time.Minute)
			if n := x.tried.Load(); n < 20 || n > 80 || x.most.Load() != 1 {
				t.Errorf("%d probes in ten minutes, %d at once", n, x.most.Load())
			}
			before := x.f.Pages()
			x.cut.Store(false)
			time.Sleep(15 * time.Second)
			if c, _ := x.f.Condition(); c.Slots != 50 || c.Silent != 0 {
				t.Errorf("15 s after the network came back: %+v", c)
			}
			if x.f.Pages() < before+100 {
				t.Errorf("%d pages in 15 s after it came back", x.f.Pages()-before)
			}
		})
		if n := x.faults(); n > 0 {
			t.Errorf("%d faults were sent", n)
		}
	})
}

func TestTheFaultsOfAFewHostsAreTheirs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		x := pull(t, w, 20)
		page := w.page
		w.page = func(ctx context.Context, u Page) Finding {
			if h := string(u.URL.Host()); h == "h1.test" || h == "h2.test" || h == "h3.test" || h == "h4.test" {
				if x.cut.Load() {
					return page(ctx, u)
				}
			}
			x.f.network.heard()
			return Finding{}
		}
		x.live(t, func() {
			time.Sleep(20 * time.Second)
			x.cut.Store(true)
			time.Sleep(time.Minute)
			if c, _ := x.f.Condition(); c.Slots != 50 || c.Silent != 0 {
				t.Errorf("while others answer: %+v", c)
			}
		})
		if n, tried := x.faults(), x.tried.Load(); n < int(tried)-4 || n < 20 {
			t.Errorf("%d faults were sent of %d", n, tried)
		}
	})
}

func TestOneSilentHostDoesNotWaitForAJudgementThatCannotCome(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		x := pull(t, w, 1)
		x.live(t, func() {
			time.Sleep(5 * time.Second)
			x.cut.Store(true)
			time.Sleep(time.Minute)
		})
		if n := x.faults(); n < 12 {
			t.Errorf("%d faults of 4 s each in a minute", n)
		}
	})
}

func TestAProbeIsOfAHostThatAnswered(t *testing.T) {
	n := newNetwork(slog.New(slog.DiscardHandler), func() time.Duration { return time.Hour }, func(bool) {})
	n.judge.life = -networkSilence
	for _, h := range []weburl.Host{"a", "b", "c"} {
		n.answered(h)
		n.judge.met(h, -networkSilence, false)
	}
	n.look(n.now())
	for range probePasses {
		if _, ok := n.enter("stranger"); ok {
			t.Fatal("a host that never answered is the probe")
		}
	}
	if _, ok := n.enter("a"); !ok {
		t.Fatal("a host that answered is not the probe")
	}
	if _, ok := n.enter("b"); ok {
		t.Fatal("two probes at once")
	}
	n.exit("a")
	n.next, n.passed = 0, 0
	for range probePasses {
		n.enter("stranger")
	}
	if _, ok := n.enter("stranger"); !ok {
		t.Error("without another the probe is never of a host that did not answer")
	}
}

func TestOutOfDescriptorsIsNoFateOfURLs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		x := pull(t, w, 40)
		var under, most atomic.Int64
		w.page = func(ctx context.Context, _ Page) Finding {
			defer under.Add(-1)
			if under.Add(1) > 10 {
				return Finding{Verdict: machineShort, Why: fmt.Errorf("dial: %w", syscall.EMFILE)}
			}
			most.Store(max(most.Load(), under.Load()))
			pause(ctx, time.Second)
			return Finding{}
		}
		x.live(t, func() {
			time.Sleep(10 * time.Minute)
			if c, _ := x.f.Condition(); c.Slots > 20 {
				t.Errorf("%d slots where there is room for 10", c.Slots)
			}
		})
		if n := x.faults(); n > 0 || x.f.Pages() < 1000 {
			t.Errorf("%d faults were sent, %d pages", n, x.f.Pages())
		}
	})
}

func TestWhatTheMachineIsShortOf(t *testing.T) {
	for err, want := range map[error]bool{
		&net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}:                true,
		&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)}:        true,
		&os.PathError{Op: "open", Err: syscall.ENFILE}:                                             true,
		&dialError{crawler.ReasonDNS, &net.DNSError{Err: "dial udp: socket: too many open files"}}: true,
		syscall.ECONNREFUSED: false,
		syscall.ENOSPC:       false,
	} {
		if ownTrouble(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}

func TestSignsOfLifeAreNotedWhereTheyCome(t *testing.T) {
	heard := func(t *testing.T, url string, set func(*transportOptions)) bool {
		var came atomic.Bool
		tr := testTransport(t, func(o *transportOptions) {
			o.Heard = func() { came.Store(true) }
			o.Limits.Connect = 200 * time.Millisecond
			set(o)
		})
		ask(t, tr, testExchange(t, url))
		return came.Load()
	}
	none := func(*transportOptions) {}
	answering := serveRaw(t, answerRaw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	if !heard(t, answering.url, none) {
		t.Error("an answer is none")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + l.Addr().String() + "/"
	l.Close()
	if !heard(t, refusing, none) {
		t.Error("a refusal is none")
	}
	fails := func(e *net.DNSError) func(*transportOptions) {
		return func(o *transportOptions) {
			o.Resolver = resolverFunc(func(context.Context, string, string) ([]netip.Addr, error) { return nil, e })
		}
	}
	if !heard(t, "http://gone.test/", fails(&net.DNSError{Err: "no such host", IsNotFound: true})) {
		t.Error("a name that does not exist is none")
	}
	if heard(t, "http://gone.test/", fails(&net.DNSError{Err: "i/o timeout", IsTimeout: true})) {
		t.Error("a resolver that does not answer is one")
	}
	if heard(t, answering.url, func(o *transportOptions) { o.Lease = newLease(time.Now(), 0) }) {
		t.Error("an exchange that was never begun is one")
	}
}

type resolverFunc func(ctx context.Context, network, name string) ([]netip.Addr, error)

func (f resolverFunc) LookupNetIP(ctx context.Context, network, name string) ([]netip.Addr, error) {
	return f(ctx, network, name)
}
