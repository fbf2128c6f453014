package download

import (
	"bufio"
	"io"
	"net"
	"testing"

	"trawl/crawler"
	"trawl/fetcher/fetchertest"
)

const twoBytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// A server may close a connection that nobody uses, at any time and without a word (RFC 9112 section 9.5).
func TestAnIdleConnectionThatWasClosedIsNoTry(t *testing.T) {
	for _, c := range []struct {
		name  string
		reads bool // it takes the second request before it hangs up
	}{{"before the request", false}, {"as the request comes", true}} {
		t.Run(c.name, func(t *testing.T) {
			answered := make(chan net.Conn, 1)
			s := fetchertest.ServeRaw(t, func(s *fetchertest.RawServer, n int64, conn net.Conn) {
				r := bufio.NewReader(conn)
				if s.Request(r) == "" {
					return
				}
				io.WriteString(conn, twoBytes)
				if n > 1 || c.reads {
					s.Request(r)
					return
				}
				answered <- conn
				io.Copy(io.Discard, r)
			})
			tr := testTransport(t, func(o *transportOptions) { o.Lanes = 1 })
			first := testExchange(t, s.URL)
			ask(t, tr, first)
			wantOutcome(t, first, crawler.Fetched, "")
			permit := &testPermit{}
			if !c.reads {
				// The connection is reset between the choice of it and the writing of the request.
				permit.onValid = func() bool {
					conn := <-answered
					conn.(*net.TCPConn).SetLinger(0)
					conn.Close()
					return true
				}
			}
			second := testExchange(t, s.URL)
			second.permit = permit
			ask(t, tr, second)
			if second.why != errClosedIdle {
				t.Fatalf("verdict: %v, %+v", second.why, second.result)
			}
			again := testExchange(t, s.URL)
			ask(t, tr, again)
			wantOutcome(t, again, crawler.Fetched, "")
		})
	}
}

// A server that never answers on a new connection, or that hangs up within an answer, is told as it is.
func TestAServerThatHangsUpIsATry(t *testing.T) {
	s := fetchertest.ServeRaw(t, func(s *fetchertest.RawServer, n int64, c net.Conn) {
		r := bufio.NewReader(c)
		s.Request(r)
		if n == 1 {
			io.WriteString(c, twoBytes)
			s.Request(r)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nX-A: b")
		}
	})
	tr := testTransport(t, func(o *transportOptions) { o.Lanes = 1 })
	x := testExchange(t, s.URL)
	ask(t, tr, x)
	wantOutcome(t, x, crawler.Fetched, "")
	for range 2 {
		x := testExchange(t, s.URL)
		ask(t, tr, x)
		wantOutcome(t, x, crawler.Failed, crawler.ReasonReset)
	}
}
