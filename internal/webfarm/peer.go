package webfarm

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"
)

// maxRequestBytes is the longest request head that is read; longer ones end the connection.
const maxRequestBytes = 16 << 10

// peer is one connection. Its goroutine owns everything in it.
type peer struct {
	farm   *Farm
	host   *host
	raw    net.Conn // below TLS
	conn   net.Conn
	scheme string

	buf     []byte
	r, w    int       // buf[r:w] is unread
	first   time.Time // when the first byte of buf[r:w] came
	scratch []byte
}

func newPeer(f *Farm, h *host, c net.Conn) *peer {
	return &peer{farm: f, host: h, raw: c, conn: c, scheme: "http", buf: make([]byte, 2048)}
}

// request is a request's head. Its slices are valid until the next one is read.
type request struct {
	method, target, host, agent []byte
	etag, since                 []byte
	gzip, close, keep           bool // keep: the client asks for what HTTP/1.1 does anyway, and may want to be told
	start                       time.Time
}

// serve answers requests until the connection or the context ends.
func (p *peer) serve(ctx context.Context) {
	if !p.greet() {
		return
	}
	for {
		head, ok := p.readHead()
		if !ok {
			return
		}
		q, ok := parseHead(head)
		if !ok {
			return
		}
		q.start = p.first
		if !p.answer(ctx, q) || q.close {
			return
		}
		p.first = time.Now() // of bytes that are there already: a pipelined request
	}
}

// greet distinguishes TLS (whose first byte is 22) from plain text.
func (p *peer) greet() bool {
	n, err := p.raw.Read(p.buf)
	if err != nil {
		return false
	}
	p.first, p.w = time.Now(), n
	if p.buf[0] == 22 {
		p.scheme = "https"
		p.conn = tls.Server(&sniffed{p.raw, bytes.Clone(p.buf[:n])}, p.farm.tls)
		p.w = 0
	}
	return true
}

// readHead reads up to the empty line.
func (p *peer) readHead() ([]byte, bool) {
	seen := 0
	for {
		if i := bytes.Index(p.buf[p.r+seen:p.w], []byte("\r\n\r\n")); i >= 0 {
			head := p.buf[p.r : p.r+seen+i+2]
			p.r += seen + i + 4
			return head, true
		}
		seen = max(0, p.w-p.r-3)
		if p.r > 0 {
			p.w = copy(p.buf, p.buf[p.r:p.w])
			p.r = 0
		}
		if p.w == len(p.buf) {
			if len(p.buf) >= maxRequestBytes {
				return nil, false
			}
			p.buf = append(p.buf, make([]byte, len(p.buf))...)
		}
		n, err := p.conn.Read(p.buf[p.w:])
		if n == 0 && err != nil {
			return nil, false
		}
		if p.w == 0 {
			p.first = time.Now()
		}
		p.w += n
	}
}

// parseHead reads the request line and the headers that matter.
func parseHead(head []byte) (request, bool) {
	var q request
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	method, line, _ := bytes.Cut(line, []byte{' '})
	target, version, ok := bytes.Cut(line, []byte{' '})
	q.method, q.target, q.close = method, target, !bytes.Equal(version, []byte("HTTP/1.1"))
	if !ok || len(target) == 0 || target[0] != '/' {
		return q, false
	}
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimSpace(value)
		switch {
		case named(name, "host"):
			q.host = value
		case named(name, "user-agent"):
			q.agent = value
		case named(name, "connection"):
			q.close = q.close || named(value, "close")
			q.keep = named(value, "keep-alive")
		case named(name, "accept-encoding"):
			q.gzip = bytes.Contains(value, []byte("gzip"))
		case named(name, "if-none-match"):
			q.etag = value
		case named(name, "if-modified-since"):
			q.since = value
		}
	}
	return q, true
}

// named compares with a name in lower case.
func named(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i := range len(name) {
		if c := b[i]; c != name[i] && (c|0x20 != name[i] || c < 'A') {
			return false
		}
	}
	return true
}

// wait passes time while a client waits, and returns false as soon as the client is gone.
func (p *peer) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	until := time.Now().Add(d)
	if p.w < len(p.buf) {
		p.conn.SetReadDeadline(until)
		n, err := p.conn.Read(p.buf[p.w:])
		p.conn.SetReadDeadline(time.Time{})
		if n > 0 && p.r == p.w {
			p.first = time.Now()
		}
		p.w += n
		if err != nil {
			return errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
	return pause(ctx, time.Until(until))
}
