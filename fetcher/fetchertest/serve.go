package fetchertest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

func MustURL(t testing.TB, s string) weburl.URL {
	t.Helper()
	u, err := weburl.Parse(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return u
}

func Serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// RawServer answers each connection with handle, which is given its number from 1 on. It counts requests.
type RawServer struct {
	URL      string
	Addr     string
	Requests atomic.Int64
	Conns    atomic.Int64
}

func ServeRaw(t testing.TB, handle func(s *RawServer, n int64, c net.Conn)) *RawServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &RawServer{URL: "http://" + l.Addr().String() + "/", Addr: l.Addr().String()}
	var running sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			n := s.Conns.Add(1)
			running.Go(func() {
				defer c.Close()
				handle(s, n, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return s
}

// Request reads one request head, "" when the connection ends before.
func (s *RawServer) Request(r *bufio.Reader) string {
	var head strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return ""
		}
		head.WriteString(line)
		if line == "\r\n" {
			s.Requests.Add(1)
			return head.String()
		}
	}
}

// AnswerRaw serves one request a connection with a fixed text, and then waits for the client to hang up.
func AnswerRaw(text string) func(*RawServer, int64, net.Conn) {
	return func(s *RawServer, _ int64, c net.Conn) {
		r := bufio.NewReader(c)
		if s.Request(r) == "" {
			return
		}
		io.WriteString(c, text)
		io.Copy(io.Discard, r)
	}
}

// HangUpAfter serves one request a connection with a fixed text, and closes it.
func HangUpAfter(text string) func(*RawServer, int64, net.Conn) {
	return func(s *RawServer, _ int64, c net.Conn) {
		if s.Request(bufio.NewReader(c)) != "" {
			io.WriteString(c, text)
		}
	}
}

func Gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

// Noise is content that cannot be compressed, the same each time.
func Noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// Granted are cookies as a grant brings them, each NAME=VALUE, set by the host for all its paths.
func Granted(host weburl.Host, pairs ...string) []session.CookieChange {
	var cookies []session.CookieChange
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		cookies = append(cookies, session.CookieChange{Cookie: session.Cookie{Name: name, Value: value, Domain: string(host), Path: "/", By: host}})
	}
	return cookies
}

func Names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// WithoutFiles lets this process open nothing while do runs.
func WithoutFiles(t *testing.T, do func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Skip("no limit of open files here:", err)
	}
	none := before
	none.Cur = 3
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Skip("the limit of open files cannot be set here:", err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
	}()
	do()
}

var ErrTest = errors.New("made by the test")
