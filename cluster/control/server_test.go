package control

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/trust"
	"trawl/cluster/trust/trusttest"
	"trawl/crawler"
)

// memoryDepot keeps sizes and running digests, not the bytes.
type memoryDepot struct {
	mu    sync.Mutex
	size  map[string]int64
	sum   map[string]interface{ Sum([]byte) []byte }
	hash  map[string]io.Writer
	whole map[string]bool
	busy  map[string]bool
}

func newMemoryDepot() *memoryDepot {
	return &memoryDepot{size: map[string]int64{}, hash: map[string]io.Writer{}, sum: map[string]interface{ Sum([]byte) []byte }{}, whole: map[string]bool{}, busy: map[string]bool{}}
}

func (d *memoryDepot) Size(_ context.Context, name string) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.size[name], nil
}

func (d *memoryDepot) Append(_ context.Context, name string, offset int64, r io.Reader, n int64) error {
	d.mu.Lock()
	if d.busy[name] || d.size[name] != offset {
		d.mu.Unlock()
		return fmt.Errorf("%s has %d bytes, not %d", name, d.size[name], offset)
	}
	if d.hash[name] == nil {
		h := sha256.New()
		d.hash[name], d.sum[name] = h, h
	}
	h := d.hash[name]
	d.busy[name] = true
	d.mu.Unlock()
	got, err := io.CopyN(h, r, n)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.size[name] += got
	d.busy[name] = false
	return err
}

func (d *memoryDepot) Finish(_ context.Context, name string, size int64, digest crawler.Digest) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.size[name] != size {
		return fmt.Errorf("%s has %d bytes, not %d", name, d.size[name], size)
	}
	if size > 0 && !bytes.Equal(d.sum[name].Sum(nil), digest[:]) {
		return errors.New("the digest differs")
	}
	d.whole[name] = true
	return nil
}

// api is a control API that runs.
type api struct {
	*Server
	depot   *memoryDepot
	stopped chan struct{}
	obeys   atomic.Bool // a stop ends Run while it is still being asked for
	stop    context.CancelFunc
	done    chan error
}

func startControl(t *testing.T, o Options) *api {
	t.Helper()
	a := &api{depot: newMemoryDepot(), stopped: make(chan struct{}, 1), done: make(chan error, 1)}
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	o.Status = func() crawler.Status { return crawler.Status{Job: "j", Seen: 7, State: "running"} }
	o.Stop = func() {
		a.stopped <- struct{}{}
		if a.obeys.Load() {
			a.stop()
		}
	}
	o.Depot = a.depot
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	a.Server = c
	var ctx context.Context
	ctx, a.stop = context.WithCancel(context.Background())
	go func() { a.done <- c.Run(ctx) }()
	select {
	case <-c.Ready():
	case err := <-a.done:
		t.Fatalf("Run: %v", err)
	}
	t.Cleanup(func() { a.end(t) })
	return a
}

func (a *api) end(t *testing.T) {
	t.Helper()
	a.stop()
	select {
	case err := <-a.done:
		if err != nil {
			t.Errorf("Run ended with %v", err)
		}
		a.done <- nil
	case <-time.After(clustertest.Patience):
		t.Fatal("Run does not end")
	}
}

func clientTo(t *testing.T, target string, conf *tls.Config) *Client {
	c := NewClient(target, conf)
	t.Cleanup(c.Close)
	return c
}

func nodeTLS(t *testing.T, s trust.Secret) (server, client *tls.Config) {
	t.Helper()
	server, err := trusttest.Ring(s).ServerTLS(cluster.RoleScheduler, "s")
	if err != nil {
		t.Fatal(err)
	}
	if client, err = trusttest.Ring(s).ClientTLS(cluster.RoleFetcher, "f", nil); err != nil {
		t.Fatal(err)
	}
	return server, client
}

// eachTransport runs a test over a Unix socket, over plain loopback and over TLS.
func eachTransport(t *testing.T, test func(t *testing.T, a *api, c *Client)) {
	t.Run("over a socket", func(t *testing.T) {
		clustertest.NoLeaks(t)
		path := filepath.Join(t.TempDir(), "control.sock")
		test(t, startControl(t, Options{Socket: path}), clientTo(t, path, nil))
	})
	t.Run("over loopback", func(t *testing.T) {
		clustertest.NoLeaks(t)
		a := startControl(t, Options{Listen: "127.0.0.1:0"})
		test(t, a, clientTo(t, a.Addr(), nil))
	})
	t.Run("over TLS", func(t *testing.T) {
		clustertest.NoLeaks(t)
		server, client := nodeTLS(t, trusttest.OurSecret)
		a := startControl(t, Options{Listen: "127.0.0.1:0", TLS: server})
		test(t, a, clientTo(t, a.Addr(), client))
	})
}

func TestControlStatusAndStop(t *testing.T) {
	eachTransport(t, func(t *testing.T, a *api, c *Client) {
		s, err := c.Status(t.Context())
		if err != nil || s.Job != "j" || s.Seen != 7 {
			t.Fatalf("status: %+v, %v", s, err)
		}
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-a.stopped:
		case <-time.After(clustertest.Patience):
			t.Error("the node was not asked to stop")
		}
		a.end(t)
		if _, err := c.Status(t.Context()); !errors.Is(err, ErrNotRunning) {
			t.Errorf("asked after its end: %v", err)
		}
	})
}

func TestControlStopFromWithinIsAnswered(t *testing.T) {
	eachTransport(t, func(t *testing.T, a *api, c *Client) {
		a.obeys.Store(true)
		if err := c.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		a.end(t)
	})
}

func TestControlShipsAFile(t *testing.T) {
	eachTransport(t, func(t *testing.T, a *api, c *Client) {
		const name = "archive/f1-0001 äß&?.warc.gz"
		var at int64
		for _, p := range []string{"hello ", "", "world"} {
			if err := c.Append(t.Context(), name, at, strings.NewReader(p+"what follows is not meant"), int64(len(p))); err != nil {
				t.Fatal(err)
			}
			at += int64(len(p))
			if n, err := c.Size(t.Context(), name); err != nil || n != at {
				t.Fatalf("size %d, %v; want %d", n, err, at)
			}
		}
		if err := c.Append(t.Context(), name, 3, strings.NewReader("xxx"), 3); err == nil || !strings.Contains(err.Error(), "has 11 bytes") {
			t.Errorf("at a wrong offset: %v", err)
		}
		if err := c.Append(t.Context(), name, at, strings.NewReader("xx"), 3); err == nil {
			t.Error("a reader that ends early was shipped")
		}
		// Some of it arrived; how much is known when the server has seen the end.
		clustertest.Within(t, "the rest can be shipped", func() bool {
			n, err := c.Size(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			return c.Append(t.Context(), name, n, strings.NewReader("xxx"[n-11:]), 14-n) == nil
		})
		size, whole := int64(14), "hello worldxxx"
		if err := c.Finish(t.Context(), name, size, crawler.Digest{1}); err == nil || !strings.Contains(err.Error(), "digest") {
			t.Errorf("with a wrong digest: %v", err)
		}
		for range 2 {
			if err := c.Finish(t.Context(), name, size, sha256.Sum256([]byte(whole))); err != nil {
				t.Error(err)
			}
		}
		if !a.depot.whole[name] {
			t.Error("the file is not whole")
		}
	})
}

// endless gives bytes that cost nothing.
type endless struct{ sum io.Writer }

func (e endless) Read(p []byte) (int, error) {
	clear(p)
	e.sum.Write(p)
	return len(p), nil
}

func TestControlShipsLargeFilesInLittleMemory(t *testing.T) {
	eachTransport(t, func(t *testing.T, a *api, c *Client) {
		const size, name = 50 << 20, "archive/large.bin"
		sum := sha256.New()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := c.Append(t.Context(), name, 0, io.LimitReader(endless{sum}, size), size); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > size/4 {
			t.Errorf("%d bytes were allocated for %d", used, size)
		}
		if err := c.Finish(t.Context(), name, size, crawler.Digest(sum.Sum(nil))); err != nil {
			t.Error(err)
		}
	})
}

func TestControlGoesOnWithACutUpload(t *testing.T) {
	eachTransport(t, func(t *testing.T, a *api, c *Client) {
		const name, size = "archive/cut", 8 << 20
		content := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		ctx, cancel := context.WithCancel(t.Context())
		half := io.MultiReader(bytes.NewReader(content[:size/2]), cutting{cancel})
		if err := c.Append(ctx, name, 0, half, size); err == nil {
			t.Fatal("an upload that was cut succeeded")
		}
		// What is there grows until the server has seen the cut.
		clustertest.Within(t, "the rest can be shipped", func() bool {
			n, err := c.Size(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			return c.Append(t.Context(), name, n, bytes.NewReader(content[n:]), size-n) == nil
		})
		if err := c.Finish(t.Context(), name, size, sha256.Sum256(content)); err != nil {
			t.Error(err)
		}
	})
}

func TestControlEndsDuringAnUpload(t *testing.T) {
	eachTransport(t, func(t *testing.T, a *api, c *Client) {
		r, w := io.Pipe()
		defer w.Close()
		done := make(chan error, 1)
		go func() { done <- c.Append(context.Background(), "archive/a", 0, r, 1<<20) }()
		if _, err := w.Write(make([]byte, 64<<10)); err != nil { // it is under way
			t.Fatal(err)
		}
		a.end(t)
		w.CloseWithError(io.ErrClosedPipe)
		if err := <-done; err == nil {
			t.Error("half an upload succeeded")
		}
	})
}

// cutting ends the call it is read for.
type cutting struct{ cancel func() }

func (c cutting) Read([]byte) (int, error) {
	c.cancel()
	return 0, errors.New("cut")
}

func TestControlLetsNobodyElseIn(t *testing.T) {
	server, client := nodeTLS(t, trusttest.OurSecret)
	_, stranger := nodeTLS(t, trusttest.TheirSecret)
	blind := stranger.Clone()
	blind.VerifyConnection = nil
	bare := client.Clone()
	bare.GetClientCertificate = nil
	a := startControl(t, Options{Listen: "127.0.0.1:0", TLS: server})
	for name, conf := range map[string]*tls.Config{
		"another secret": stranger, "another secret, any server": blind, "no certificate": bare, "no TLS": nil,
	} {
		t.Run(name, func(t *testing.T) {
			c := clientTo(t, a.Addr(), conf)
			if _, err := c.Status(t.Context()); !errors.Is(err, cluster.ErrRefused) {
				t.Errorf("status: %v", err)
			}
			if err := c.Stop(t.Context()); !errors.Is(err, cluster.ErrRefused) {
				t.Errorf("stop: %v", err)
			}
		})
	}
	select {
	case <-a.stopped:
		t.Error("a stranger stopped the node")
	default:
	}
	if _, err := clientTo(t, a.Addr(), client).Status(t.Context()); err != nil {
		t.Errorf("a member: %v", err)
	}
	clustertest.Within(t, "refusals are counted", func() bool { return a.Refusals() >= 4 })

	plain := startControl(t, Options{Listen: "127.0.0.1:0"})
	if _, err := clientTo(t, plain.Addr(), client).Status(t.Context()); !errors.Is(err, cluster.ErrRefused) || !strings.Contains(err.Error(), "no secret") {
		t.Errorf("TLS where there is none: %v", err)
	}
}

func TestControlTurnsBrowsersAway(t *testing.T) {
	a := startControl(t, Options{Listen: "127.0.0.1:0"})
	tests := []struct {
		name, host string
		header     map[string]string
		want       int
	}{
		{"our own client", "", nil, 200},
		{"localhost by name", "localhost:1234", nil, 200},
		{"a page of another site", "", map[string]string{"Origin": "https://evil.example"}, 403},
		{"a page without an origin", "", map[string]string{"Origin": "null"}, 403},
		{"a form of another site", "", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"a name that was made to point here", "evil.example", nil, 403},
		{"a name that was made to point here, with our port", "evil.example:80", nil, 403},
	}
	for _, tt := range tests {
		for _, method := range []string{"GET", "POST"} {
			t.Run(tt.name+" "+method, func(t *testing.T) {
				path := map[string]string{"GET": pathStatus, "POST": pathStop}[method]
				req, _ := http.NewRequestWithContext(t.Context(), method, "http://"+a.Addr()+path, nil)
				req.Host = tt.host
				for k, v := range tt.header {
					req.Header.Set(k, v)
				}
				tr := &http.Transport{DisableKeepAlives: true}
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != tt.want {
					t.Errorf("answered %d, want %d", resp.StatusCode, tt.want)
				}
				if tt.want == 200 && method == "POST" {
					<-a.stopped // after the answer
					return
				}
				select {
				case <-a.stopped:
					t.Error("the node was stopped")
				default:
				}
			})
		}
	}
}

func TestControlRefusesBadRequests(t *testing.T) {
	a := startControl(t, Options{Listen: "127.0.0.1:0"})
	tests := []struct {
		name, method, path string
		body               io.Reader
		want               int
	}{
		{"a name above the directory", "GET", pathSize + "?name=archive/../../etc/passwd", nil, 400},
		{"an absolute name", "GET", pathSize + "?name=/etc/passwd", nil, 400},
		{"a name beside the archive", "GET", pathSize + "?name=ledger/000001.sst", nil, 400},
		{"no name", "GET", pathSize, nil, 400},
		{"a name with a newline", "GET", pathSize + "?name=archive/a%0ab", nil, 400},
		{"a name with a backslash", "GET", pathSize + `?name=archive/..%5c..%5cx`, nil, 400},
		{"the directory itself", "GET", pathSize + "?name=archive/", nil, 400},
		{"an offset that is none", "PUT", pathAppend + "?name=archive/a&offset=-1", strings.NewReader("x"), 400},
		{"an upload without a length", "PUT", pathAppend + "?name=archive/a&offset=0", io.MultiReader(strings.NewReader("x")), 411},
		{"a digest that is none", "POST", pathFinish + "?name=archive/a&size=0&digest=sha256:12", nil, 400},
		{"a wrong method", "GET", pathStop, nil, 405},
		{"an unknown path", "GET", "/v2/status", nil, 404},
		{"a header without end", "GET", pathStatus + "?" + strings.Repeat("x", 2*MaxHeader), nil, 431},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+a.Addr()+tt.path, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != tt.want {
				t.Errorf("answered %d, want %d", resp.StatusCode, tt.want)
			}
		})
	}
}

func TestNewControlRefuses(t *testing.T) {
	open, _ := nodeTLS(t, trusttest.OurSecret)
	open.ClientAuth = tls.NoClientCert
	for name, o := range map[string]Options{
		"nowhere":                        {},
		"every interface without TLS":    {Listen: ":0"},
		"TLS that asks no client's name": {Listen: ":0", TLS: open},
		"an address that is none":        {Listen: "a:b:c"},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := New(Options{Listen: "0.0.0.0:1"}); !errors.Is(err, trust.ErrNeedSecret) {
		t.Errorf("without a secret: %v", err)
	}
}

func TestControlSocket(t *testing.T) {
	t.Run("only its user can connect, and it goes at the end", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "control.sock")
		a := startControl(t, Options{Socket: path})
		info, err := os.Lstat(path)
		if err != nil || info.Mode().Perm() != 0o600 || info.Mode().Type() != os.ModeSocket {
			t.Fatalf("%v, %v", info, err)
		}
		a.end(t)
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("one that a killed process left is replaced", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "control.sock")
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
		startControl(t, Options{Socket: path})
		if _, err := clientTo(t, path, nil).Status(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("one in use is left alone", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "control.sock")
		startControl(t, Options{Socket: path})
		second, err := New(Options{Socket: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := second.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("the second one: %v", err)
		}
		if _, err := clientTo(t, path, nil).Status(t.Context()); err != nil {
			t.Errorf("the first one: %v", err)
		}
	})
	t.Run("a file in its place is left alone", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "control.sock")
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := New(Options{Socket: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(t.Context()); err == nil {
			t.Error("Run took a file for a socket")
		}
		if b, _ := os.ReadFile(path); string(b) != "mine" {
			t.Error("the file is gone")
		}
	})
	t.Run("the longest path that a crawl directory gives will do", func(t *testing.T) {
		dir, err := os.MkdirTemp("", "s")
		clustertest.Must(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
		dir = filepath.Join(dir, strings.Repeat("x", 101-len(dir)-len("//control.sock")))
		clustertest.Must(t, os.Mkdir(dir, 0o700))
		path := filepath.Join(dir, "control.sock")
		a := startControl(t, Options{Socket: path})
		if _, err := clientTo(t, path, nil).Status(t.Context()); err != nil {
			t.Error(err)
		}
		a.end(t)
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("no socket, no trawl", func(t *testing.T) {
		_, err := clientTo(t, filepath.Join(t.TempDir(), "control.sock"), nil).Status(t.Context())
		if !errors.Is(err, ErrNotRunning) {
			t.Errorf("err %v", err)
		}
	})
}

func TestPacedMovesItsDeadlineWithProgressOnly(t *testing.T) {
	var windows []time.Duration
	const size = 3*StallBytes + 1
	p := &paced{r: oneByOne{}, left: size, window: func(d time.Duration) { windows = append(windows, d) }}
	n, err := io.Copy(io.Discard, p)
	if err != nil || n != size {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if len(windows) != 5 || windows[0] != StallTimeout || windows[3] != StallTimeout || windows[4] != FinishTimeout {
		t.Errorf("windows %v for %d single bytes", windows, size)
	}
	cut := &paced{r: strings.NewReader("ab"), left: 3, window: func(time.Duration) {}}
	if _, err := io.ReadAll(cut); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a body that ends early: %v", err)
	}
}

type oneByOne struct{}

func (oneByOne) Read(p []byte) (int, error) { return 1, nil }
