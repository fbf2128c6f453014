package download

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/fetcher/download/head"
	"trawl/fetcher/fetchertest"
)

// inPieces is a connection from which a text is read, size bytes at a time.
type inPieces struct {
	net.Conn
	text string
	size int
}

func (c *inPieces) Read(p []byte) (int, error) {
	if c.text == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.size)], c.text)
	c.text = c.text[n:]
	return n, nil
}

func TestTheHeadIsArchivedAsItWasSent(t *testing.T) {
	const sent = "HTTP/1.1 200 Fine\r\nx-cuSTOM: b\r\nServer: z\r\nContent-Type: text/html\r\nETag: \"e\"\r\n" +
		"DATE: Sun, 01 Mar 2026 11:30:45 GMT\r\nX-Custom: a\r\nX-Broken\r\nContent-Length: 2\r\n\r\n"
	plain := strings.Replace(sent, "X-Broken\r\n", "", 1)
	chunked := strings.Replace(sent, "Content-Length: 2", "transfer-ENCODING: chunked", 1)
	for _, c := range []struct {
		name, text, want string
	}{
		{"as it should be", plain + "ok", plain},
		{"with an odd line", sent + "ok", sent},
		{"after interim answers", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + sent + "ok", sent},
		{"after interim answers in pieces", "HTTP/1.1 103 Early Hints\r\nX-Odd\r\n\r\n" + sent + "ok", sent},
		{"after an empty line", "\r\n" + sent + "ok", sent},
		{"chunked", chunked + "2\r\nok\r\n0\r\n\r\n", chunked},
		{"with a status line that archives do not know", "ICY" + sent[8:] + "ok", "HTTP/1.0" + sent[8:]},
	} {
		t.Run(c.name, func(t *testing.T) {
			for size := range 40 {
				tap, seen := head.NewTap(&inPieces{text: c.text, size: size + 1}, 64*crawler.KiB), head.Head{}
				tap.Expect(&seen, "")
				var status int
				var body []byte
				for r := bufio.NewReader(tap); status/100 < 2; { // net/http reads interim answers so
					resp, err := http.ReadResponse(r, nil)
					if err != nil {
						t.Fatalf("%d bytes at a time: %v", size+1, err)
					}
					status = resp.StatusCode
					body, _ = io.ReadAll(resp.Body)
				}
				if string(seen.Raw) != c.want || string(body) != "ok" {
					t.Fatalf("%d bytes at a time: head %q, body %q", size+1, seen.Raw, body)
				}
			}
			s := fetchertest.ServeRaw(t, func(s *fetchertest.RawServer, _ int64, c2 net.Conn) {
				for r := bufio.NewReader(c2); s.Request(r) != ""; {
					io.WriteString(c2, c.text)
				}
			})
			tr := testTransport(t, func(o *transportOptions) { o.Lanes = 1 })
			for range 2 { // on one connection
				x, archive := testExchange(t, s.URL), &fakeArchive{}
				ask(t, tr, x)
				x.archive(t.Context(), archive, nil)
				wantOutcome(t, x, crawler.Fetched, "")
				if len(archive.got) != 1 || string(archive.got[0].Response) != c.want || string(archive.got[0].Body.Bytes) != "ok" {
					t.Fatalf("archived %+v", archive.got)
				}
				if x.header.Get("X-Custom") == "" || !strings.Contains(x.result.Detail, "a line without a colon") && strings.Contains(c.text, "X-Broken") {
					t.Errorf("header %v, detail %q", x.header, x.result.Detail)
				}
			}
			if n := s.Conns.Load(); n != 1 && !strings.HasPrefix(c.text, "ICY") {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// A head over the limit is read no further, whatever its form.
func TestAHeadWithoutEndIsCutAtItsLimit(t *testing.T) {
	for name, line := range map[string]string{"fields": "X-A: " + strings.Repeat("a", 100) + "\r\n", "no fields": strings.Repeat("a", 100) + "\r\n", "empty lines": "\r\n"} {
		t.Run(name, func(t *testing.T) {
			s := fetchertest.ServeRaw(t, func(s *fetchertest.RawServer, _ int64, c net.Conn) {
				s.Request(bufio.NewReader(c))
				if name != "empty lines" {
					io.WriteString(c, "HTTP/1.1 200 OK\r\n")
				}
				for {
					if _, err := io.WriteString(c, line); err != nil {
						return
					}
				}
			})
			x := testExchange(t, s.URL)
			ask(t, testTransport(t, nil), x)
			wantOutcome(t, x, crawler.Failed, crawler.ReasonProtocol)
		})
	}
}

// Paths that begin with two slashes, and characters that net/url would write otherwise, are asked for as they are.
func TestOddPathsAreAskedForAsTheyAre(t *testing.T) {
	paths := []string{"//a|b", "//100%", "//", "/a|b", "/100%", "//a?b|c", "/%zz?", "///x", "//" + strings.Repeat("x|", 1500)}
	var got []string
	s := fetchertest.ServeRaw(t, func(s *fetchertest.RawServer, _ int64, c net.Conn) {
		r := bufio.NewReader(c)
		for {
			line, _, _ := strings.Cut(s.Request(r), "\r\n")
			if line == "" {
				return
			}
			got = append(got, line)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	tr := testTransport(t, func(o *transportOptions) { o.Lanes = 1 })
	for _, p := range paths {
		x, archive := testExchange(t, strings.TrimSuffix(s.URL, "/")+p), &fakeArchive{}
		ask(t, tr, x)
		wantOutcome(t, x, crawler.Fetched, "")
		x.archive(t.Context(), archive, nil)
		line := "GET " + x.url.RequestURI() + " HTTP/1.1"
		if last := got[len(got)-1]; last != line || !bytes.HasPrefix(archive.got[0].Request, []byte(line+"\r\n")) || !strings.HasPrefix(line, "GET "+p[:2]) {
			t.Errorf("%.40s: asked %.60q, archived %.60q", p, last, archive.got[0].Request)
		}
	}
}

// A body is handed on as it is read, without a copy.
func TestBodiesPassThroughTheTap(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		defer theirs.Close()
		io.WriteString(theirs, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
		chunk := make([]byte, 4096)
		for range 200 {
			theirs.Write(chunk)
		}
	}()
	tap, seen := head.NewTap(ours, crawler.MiB), head.Head{}
	tap.Expect(&seen, "")
	p := make([]byte, 8192)
	if n, err := tap.Read(p); err != nil || !bytes.Equal(p[:n], seen.Raw) {
		t.Fatalf("%q, %v", p[:n], err)
	}
	if n := testing.AllocsPerRun(100, func() { tap.Read(p) }); n > 0 {
		t.Errorf("%v allocations a read", n)
	}
}
