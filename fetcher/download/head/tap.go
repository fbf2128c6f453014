package head

import (
	"bytes"
	"crypto/tls"
	"net"
	"strings"
	"sync/atomic"
)

// Tap is a connection between net/http and the wire, above TLS. It sees the head of each answer before net/http
// does: it keeps the bytes for the archive as they came, and mends what net/http would refuse and browsers read
// (mend.go). Bodies pass through it untouched. It belongs to HTTP/1: connections of HTTP/2 and those through a
// proxy's tunnel have none.
//
// The reads are net/http's, one at a time; expect is called by the exchange whose request is about to be written.
type Tap struct {
	net.Conn
	limit int64 // bytes of a head; a longer one is left to net/http, which refuses it

	expected atomic.Pointer[Head]   // whose answer is to come; nil once its head is whole
	absolute atomic.Pointer[string] // what is cut out of the next request line, see expect

	held  []byte // read and not handed over
	ready int    // of held: may be handed over
	seen  int    // of held: no head ends before it
	err   error  // what ended reading, after held
}

// Head is the head of an exchange's answer as it was on the wire. raw and odd may be read once net/http has
// handed the answer over.
type Head struct {
	Came atomic.Bool // a byte of the answer
	Raw  []byte      // status line and fields with the empty line; nil = it did not pass through a tap
	Odd  []string    // what was mended, in words for people
}

func NewTap(conn net.Conn, limit int64) *Tap { return &Tap{Conn: conn, limit: limit} }

// TapOf is the tap of a connection that net/http uses, nil when it has none.
func TapOf(conn net.Conn) *Tap {
	t, _ := conn.(*Tap)
	return t
}

// Below is the connection below a tap, or the connection itself.
func Below(conn net.Conn) net.Conn {
	if t := TapOf(conn); t != nil {
		return t.Conn
	}
	return conn
}

// TLS is the TLS connection that net/http uses, with or without a tap; nil when it is a plain one.
func TLS(conn net.Conn) *tls.Conn {
	t, _ := Below(conn).(*tls.Conn)
	return t
}

// Expect says whose answer comes next. absolute is the scheme and authority that stands in front of the path in the
// request line that net/http will write, and is not to be sent; "" = nothing.
func (t *Tap) Expect(h *Head, absolute string) {
	t.absolute.Store(nil)
	if absolute != "" {
		t.absolute.Store(&absolute)
	}
	t.expected.Store(h)
}

// Write cuts the request line as Expect said. net/http writes a request's line at once.
func (t *Tap) Write(p []byte) (int, error) {
	cut := t.absolute.Swap(nil)
	if cut == nil {
		return t.Conn.Write(p)
	}
	method, rest, _ := bytes.Cut(p, []byte(" "))
	if !strings.HasPrefix(string(rest[:min(len(rest), len(*cut))]), *cut) {
		return t.Conn.Write(p)
	}
	line := append(append(make([]byte, 0, len(p)), method...), ' ')
	n, err := t.Conn.Write(append(line, rest[len(*cut):]...))
	if err != nil {
		return min(n, len(p)), err
	}
	return len(p), nil
}

// Read hands over what comes. A head that is as it should be, and in one piece, costs one look at it.
func (t *Tap) Read(p []byte) (int, error) {
	if len(t.held) == 0 && t.err == nil {
		n, err := t.Conn.Read(p)
		h := t.expected.Load() // not before: this read may have begun when no request was under way
		if n == 0 || h == nil {
			return n, err
		}
		h.Came.Store(true)
		if t.plain(h, p[:n]) {
			return n, err
		}
		t.held, t.err = append(t.held, p[:n]...), err
	}
	for t.ready == 0 && len(t.held) > 0 {
		t.look()
	}
	if t.ready == 0 {
		return 0, t.err
	}
	n := copy(p, t.held[:t.ready])
	t.held, t.ready = t.held[n:], t.ready-n
	if len(t.held) == 0 {
		t.held = nil
	}
	return n, nil
}

// plain takes the head that b begins with, if it is whole and nothing is to be mended.
func (t *Tap) plain(h *Head, b []byte) bool {
	end := headEnd(b, 0)
	if end < 0 || !plainHead(b[:end]) || interim(b) {
		return false
	}
	h.Raw = bytes.Clone(b[:end])
	t.expected.Store(nil)
	return true
}

// look makes some of what is held ready: a head that is whole, or everything when none is expected. Until then it
// reads more.
func (t *Tap) look() {
	h := t.expected.Load()
	if h == nil {
		t.ready = len(t.held)
		return
	}
	if end := headEnd(t.held, t.seen); end >= 0 {
		t.take(h, end)
		return
	}
	t.seen = len(t.held)
	if t.err != nil || int64(len(t.held)) > t.limit || !couldBeHead(t.held) {
		t.seen = 0
		t.expected.Store(nil)
		return
	}
	if free := cap(t.held) - len(t.held); free == 0 {
		t.held = append(t.held, make([]byte, max(len(t.held), 512))...)[:len(t.held)]
	}
	n, err := t.Conn.Read(t.held[len(t.held):cap(t.held)])
	t.held, t.err = t.held[:len(t.held)+n], err
}

// take mends the head that ends at end. After the head of an interim answer (1xx) another one is expected.
func (t *Tap) take(h *Head, end int) {
	m := mendHead(t.held[:end])
	body := t.held[end:]
	if h.Raw, h.Odd = m.raw, m.odd; !interim(m.head) {
		t.expected.Store(nil)
	}
	t.seen, t.ready = 0, len(m.head)
	t.held = append(m.head, body...)
}

// headEnd is the length of the head that b begins with, with the line breaks before it and the empty line; -1 when it is
// not whole. It is known that none ends before from.
func headEnd(b []byte, from int) int {
	start := 0
	for start < len(b) && (b[start] == '\r' || b[start] == '\n') {
		start++
	}
	for i := max(start, from-2); ; {
		n := bytes.IndexByte(b[min(i, len(b)):], '\n')
		if n < 0 {
			return -1
		}
		i += n + 1
		switch {
		case i < len(b) && b[i] == '\n':
			return i + 1
		case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
			return i + 2
		}
	}
}

// couldBeHead reports whether a head could begin with b. What is not HTTP may never end as a head does.
func couldBeHead(b []byte) bool {
	b = bytes.TrimLeft(b, "\r\n")
	begins := func(with string) bool {
		n := min(len(b), len(with))
		return strings.EqualFold(string(b[:n]), with[:n])
	}
	return begins("HTTP") || begins("ICY ")
}

// interim reports whether a head is that of an answer before the answer (1xx, but for 101, after which comes none).
func interim(head []byte) bool {
	_, status, _ := bytes.Cut(head[:min(len(head), 32)], []byte(" "))
	status = bytes.TrimLeft(status, " ")
	return len(status) >= 3 && status[0] == '1' && string(status[:3]) != "101"
}
