package head

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// readHead is what net/http makes of a head and the body behind it.
func readHead(head, body string) (*http.Response, string, error) {
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head+body)), nil)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp, string(got), err
}

func TestHeadsThatBrowsersReadAreMended(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, c := range []struct {
		name, head string
		status     string
		fields     string // "Name=value" of the mended head, X- fields and those of framing
		body       string // of "body" behind the head
		odd        []string
	}{
		{"a line without a colon", ok + "X-A: 1\r\nX-Broken\r\nX-B: 2\r\n\r\n", "200 OK", "X-A=1 X-B=2", "body", []string{oddColon}},
		{"and the lines that continue it", ok + "X-Broken\r\n X-A: 1\r\nX-B: 2\r\n\r\n", "200 OK", "X-B=2", "body", []string{oddColon}},
		{"a name with a byte outside ASCII", ok + "X-\xe9: 1\r\nX-B: 2\r\n\r\n", "200 OK", "X-B=2", "body", []string{oddName}},
		{"a name with a space in it", ok + "X A: 1\r\nX-B: 2\r\n\r\n", "200 OK", "X-B=2", "body", []string{oddName}},
		{"an empty name", ok + ": 1\r\nX-B: 2\r\n\r\n", "200 OK", "X-B=2", "body", []string{oddName}},
		{"a space before the colon", ok + "X-A : 1\r\nContent-Length : 2\r\n\r\n", "200 OK", "Content-Length=2 X-A=1", "bo", []string{oddSpace}},
		{"a first line that continues nothing", ok + " X-A: 1\r\nX-B: 2\r\n\r\n", "200 OK", "X-B=2", "body", []string{oddFold}},
		{"a value over two lines", ok + "X-A: 1\r\n\t2\r\nX-Broken\r\n\r\n", "200 OK", "X-A=1 2", "body", []string{oddColon}},
		{"control characters", ok + "X-A: a\x00b\rc\x7f\r\nX-B: \x01\r\n\r\n", "200 OK", "X-A=a b c X-B=", "body", []string{oddControl}},
		{"returns before the end of a line", ok + "X-A: 1\r\r\r\nX-Broken\r\n\r\n", "200 OK", "X-A=1", "body", []string{oddColon}},
		{"a line of returns", ok + "\r\r\nX-A: 1\r\nX-Broken\r\n\r\n", "200 OK", "X-A=1", "body", []string{oddColon}},
		{"ends of lines without a return", "HTTP/1.1 200 OK\nX-A: 1\nX-Broken\n\n", "200 OK", "X-A=1", "body", []string{oddColon}},
		{"an empty line before", "\r\n" + ok + "X-A: 1\r\n\r\n", "200 OK", "X-A=1", "body", []string{oddBlank}},
		{"several of them", "\n\r\n\r\n" + ok + "\r\n", "200 OK", "", "body", []string{oddBlank}},
		{"identity", ok + "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n", "200 OK", "Content-Length=2", "bo", []string{oddCoding}},
		{"identity without a length", ok + "Transfer-Encoding: identity\r\n\r\n", "200 OK", "", "body", []string{oddCoding}},
		{"chunked twice", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "200 OK", "", "ab", []string{oddCoding}},
		{"identity and chunked", ok + "Transfer-Encoding: identity, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "200 OK", "", "ab", []string{oddCoding}},
		{"a length that is none", ok + "Content-Length: -1\r\n\r\n", "200 OK", "", "body", []string{oddLength}},
		{"an empty length", ok + "Content-Length:\r\n\r\n", "200 OK", "", "body", []string{oddLength}},
		{"a length twice in a line", ok + "Content-Length: 2, 2\r\n\r\n", "200 OK", "Content-Length=2", "bo", []string{oddLength}},
		{"a length and something else", ok + "Content-Length: 2\r\nContent-Length: two\r\n\r\n", "200 OK", "Content-Length=2", "bo", []string{oddLength}},
		{"trailers that may not be", ok + "Trailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "200 OK", "", "ab", nil},
		{"a protocol in small letters", "http/1.1 200 OK\r\n\r\n", "200 OK", "", "body", []string{oddStatus}},
		{"a protocol without a version", "HTTP 404 Not\r\n\r\n", "404 Not", "", "body", []string{oddStatus}},
		{"half a version", "HTTP/1 200 OK\r\n\r\n", "200 OK", "", "body", []string{oddStatus}},
		{"the version of another protocol", "HTTP/2 200\r\n\r\n", "200 ", "", "body", []string{oddStatus}},
		{"a radio station", "ICY 200 OK\r\n\r\n", "200 OK", "", "body", []string{oddStatus}},
		{"a status without a space after it", "HTTP/1.1 200OK\r\n\r\n", "200 OK", "", "body", []string{oddStatus}},
		{"control characters in the reason", "HTTP/1.1 200 O\x00K\r\n\r\n", "200 O K", "", "body", []string{oddStatus}},
	} {
		t.Run(c.name, func(t *testing.T) {
			end := headEnd([]byte(c.head), 0)
			if end < 0 || plainHead([]byte(c.head[:end])) {
				t.Fatalf("head ends at %d of %d, or is taken as it is", end, len(c.head))
			}
			m := mendHead([]byte(c.head[:end]))
			resp, body, err := readHead(string(m.head), c.head[end:]+"body")
			if err != nil && err != io.ErrUnexpectedEOF {
				t.Fatalf("%v in\n%q", err, m.head)
			}
			var fields []string
			for name, values := range resp.Header {
				fields = append(fields, name+"="+strings.Join(values, ","))
			}
			slices.Sort(fields)
			if resp.Status != c.status || strings.Join(fields, " ") != c.fields || !slices.Equal(m.odd, c.odd) {
				t.Errorf("%q, fields %q, odd %q", resp.Status, fields, m.odd)
			}
			if body != c.body {
				t.Errorf("body %q, want %q", body, c.body)
			}
			if !bytes.HasPrefix(m.raw, []byte("HTTP/1.")) || !bytes.HasSuffix(m.raw, []byte(c.head[max(0, end-4):end])) {
				t.Errorf("for the archive: %q", m.raw)
			}
		})
	}
}

// What may be two answers, or none of HTTP, is refused as before.
func TestHeadsThatAreRefusedStayAsTheyAre(t *testing.T) {
	for name, head := range map[string]string{
		"two lengths":               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
		"two lengths in a line":     "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n",
		"a coding of the transfer":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"another protocol":          "SSH-2.0-OpenSSH_9.6\r\n\r\n",
		"a page without a head":     "<html>\r\n\r\n",
		"a status of four digits":   "HTTP/1.1 2000 OK\r\n\r\n",
		"a status of two digits":    "HTTP/1.1 20 OK\r\n\r\n",
		"a status that is a word":   "HTTP/1.1 OK\r\n\r\n",
		"a version that is no such": "HTTP/a.b 200 OK\r\n\r\n",
	} {
		if plainHead([]byte(head)) {
			t.Errorf("%s: taken as it is", name)
		}
		if _, _, err := readHead(string(mendHead([]byte(head)).head), ""); err == nil {
			t.Errorf("%s: is read", name)
		}
	}
}

func TestTheEndOfAHead(t *testing.T) {
	for head, want := range map[string]int{
		"":                                -1,
		"\r\n\r\n":                        -1,
		"HTTP/1.1 200 OK\r\n":             -1,
		"HTTP/1.1 200 OK\r\n\r":           -1,
		"HTTP/1.1 200 OK\r\n\r\nbody\n\n": 19,
		"HTTP/1.1 200 OK\n\nbody":         17,
		"\r\n\r\nA\r\nb: c\n\r\nbody":     14,
	} {
		if got := headEnd([]byte(head), 0); got != want {
			t.Errorf("%q: %d, want %d", head, got, want)
		}
		for cut := range len(head) { // read in two pieces
			if before := headEnd([]byte(head[:cut]), 0); before < 0 {
				if got := headEnd([]byte(head), cut); got != want {
					t.Errorf("%q after %d bytes: %d, want %d", head, cut, got, want)
				}
			}
		}
	}
}

// FuzzMendHead: what is taken as it is net/http reads, and what is mended can be mended again without a change.
func FuzzMendHead(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "\r\nHTTP/1.0 404 \r\nA\r\n\r\n", "HTTP/1.1 200 OK\nTransfer-Encoding: identity\n\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1,1\r\nContent-Length: x\r\n\r\n", "ICY 200\r\n\tA\r\n: \x00\r\n\r\n",
		"HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\n", "HTTP/1.1 200 OK\r\nTrailer: A\r\nA : b\r\n c\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		end := headEnd(b, 0)
		if end < 0 {
			return
		}
		head := b[:end]
		if plainHead(head) {
			if _, _, err := readHead(string(head), ""); err != nil && err != io.ErrUnexpectedEOF {
				t.Fatalf("%q is taken as it is, and net/http says %v", head, err)
			}
		}
		m := mendHead(head)
		if got := headEnd(m.head, 0); got != len(m.head) {
			t.Fatalf("%q became %q, which ends at %d", head, m.head, got)
		}
		if again := mendHead(m.head); !bytes.Equal(again.head, m.head) {
			t.Fatalf("%q became %q and then %q", head, m.head, again.head)
		}
	})
}
