package webfarm

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"strings"
	"time"
)

// buffer holds an answer and its body while it is built.
type buffer struct{ out, body []byte }

// answer serves one request, and returns false when the connection is to be closed.
func (p *peer) answer(ctx context.Context, q request) bool {
	a := p.classify(q)
	meter := p.host.meter
	before := meter.begin(a)
	r := p.farm.decide(p.host.number, a, before)
	end := answered{final: r.final, retryAfter: r.retryAfter}
	var released time.Time
	release := func() {
		if released.IsZero() {
			released = time.Now()
			meter.release(released)
		}
	}
	whole := false
	if r.hang > 0 {
		p.wait(ctx, r.hang)
	} else if p.wait(ctx, p.farm.latency(a)) {
		b := p.farm.buffers.Get().(*buffer)
		head := p.build(b, q, a, &r)
		end.bytes, whole = p.deliver(ctx, b.out, head, r, release)
		p.farm.buffers.Put(b)
	}
	release()
	end.final = end.final && whole
	if !whole {
		end.retryAfter = 0
	}
	meter.end(a, time.Now(), end)
	p.log(a, r.status, released, whole, end)
	return whole && r.cut == cutNot
}

// classify says what a request asks for.
func (p *peer) classify(q request) asked {
	a := asked{start: q.start, scheme: p.scheme, target: q.target, ref: ref{host: p.host.number}}
	a.conditional = q.etag != nil || q.since != nil
	a.badHost = string(q.host) != p.farm.faces[p.host.number].authority
	_, hop := p.farm.robotsOf(q.target)
	switch {
	case !p.names(q.host) || string(q.method) != "GET" && string(q.method) != "HEAD":
		a.what = whatUnknown
	case string(q.target) == robotsPath:
		a.what = whatRobots
	case hop:
		a.what = whatRobotsHop
	default:
		var ok bool
		a.ref, ok, p.scratch = p.farm.resolve(p.host.number, q.target, p.scratch)
		if !ok {
			a.what, a.ref = whatUnknown, ref{host: p.host.number}
		}
		a.disallowed = p.forbids(a.ref, ok, q)
	}
	return a
}

// names reports whether a Host header means this host. Some clients leave the port out; that is counted, and
// answered where it is clear what they mean.
func (p *peer) names(header []byte) bool {
	name, port, _ := strings.Cut(p.farm.faces[p.host.number].authority, ":")
	rest, ok := bytes.CutPrefix(header, []byte(name))
	return ok && (len(rest) == 0 && !p.farm.o.Ports || string(rest) == ":"+port)
}

// forbids reports whether the host's robots.txt forbids a request.
func (p *peer) forbids(r ref, known bool, q request) bool {
	switch {
	case p.farm.robotsMode(p.host.number) == robotsMissing:
		return false
	case barred(q.agent):
		return true
	case !known:
		return !allowedBy(p.farm.rules(p.host.number), string(q.target))
	}
	_, forbidden := p.farm.section(r.host, r.page)
	return forbidden && p.farm.kind(r.host, r.page) == KindDisallowed
}

// build writes the answer into b.out and returns the length of its head.
func (p *peer) build(b *buffer, q request, a asked, r *reply) (head int) {
	s := p.farm.site
	body := r.body
	if r.validators && s.notModified(q, a.ref) {
		*r = reply{status: 304, validators: true, final: true}
		body = nil
	} else if r.page && r.gzip && q.gzip {
		body = p.farm.codedBody(b, a.ref)
	} else if r.page {
		b.body = s.appendBody(b.body[:0], a.ref)
		body = b.body
	}
	out := append(b.out[:0], "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(r.status), 10)
	out = append(append(out, ' '), statusText(r.status)...)
	out = append(out, "\r\nDate: "...)
	out = time.Now().UTC().AppendFormat(out, "Mon, 02 Jan 2006 15:04:05 GMT")
	field := func(name, value string) {
		if value != "" {
			out = append(append(append(append(out, "\r\n"...), name...), ": "...), value...)
		}
	}
	field("Content-Type", r.content)
	field("Location", r.location)
	if r.validators {
		field("ETag", s.etag(a.ref))
		field("Last-Modified", lastModified)
	}
	if r.retryAfter > 0 {
		field("Retry-After", strconv.Itoa(int(r.retryAfter/time.Second)))
	}
	r.chunked = r.chunked && !q.close // HTTP/1.0 does not know chunks
	if r.gzip && q.gzip {
		field("Content-Encoding", "gzip")
	}
	switch {
	case r.status == 304:
	case r.chunked:
		field("Transfer-Encoding", "chunked")
	default:
		field("Content-Length", strconv.Itoa(len(body)))
	}
	switch {
	case q.close || r.cut == cutClose:
		field("Connection", "close")
	case q.keep:
		field("Connection", "keep-alive")
	}
	out = append(out, "\r\n\r\n"...)
	head = len(out)
	switch {
	case string(q.method) == "HEAD":
	case r.chunked:
		out = appendChunks(out, body)
	case r.cut != cutNot:
		out = append(out, body[:len(body)/2]...)
	default:
		out = append(out, body...)
	}
	b.out = out
	return head
}

func statusText(status int) string {
	switch status {
	case 200:
		return "OK"
	case 304:
		return "Not Modified"
	case 404:
		return "Not Found"
	case 500:
		return "Internal Server Error"
	case 503:
		return "Service Unavailable"
	}
	return "See Location"
}

// appendChunks writes the body as chunks (RFC 9112 section 7.1).
func appendChunks(out, body []byte) []byte {
	const chunk = 4000
	for len(body) > 0 {
		n := min(chunk, len(body))
		out = strconv.AppendInt(out, int64(n), 16)
		out = append(append(append(out, "\r\n"...), body[:n]...), "\r\n"...)
		body = body[n:]
	}
	return append(out, "0\r\n\r\n"...)
}

// Pieces in which answers that take time are sent.
const (
	slowPieces     = 10
	bandwidthPiece = 8 << 10
)

// deliver sends an answer at its pace, and says how much of it was sent, and whether all. release is called
// before the last bytes are handed over.
func (p *peer) deliver(ctx context.Context, out []byte, head int, r reply, release func()) (sent int, whole bool) {
	piece, pause := len(out), time.Duration(0)
	switch {
	case r.over > 0:
		piece = max(1, (len(out)-head+slowPieces-1)/slowPieces)
		pause = r.over / slowPieces
	case p.farm.o.Bandwidth > 0:
		piece = bandwidthPiece
		pause = time.Duration(float64(piece) / float64(p.farm.o.Bandwidth) * float64(time.Second))
	}
	for sent < len(out) {
		n := min(piece, len(out)-sent)
		if sent == 0 && r.over > 0 {
			n = head
		}
		if sent+n == len(out) && r.cut == cutNot {
			release()
		}
		m, err := p.conn.Write(out[sent : sent+n])
		sent += m
		if err != nil || sent < len(out) && !p.wait(ctx, pause) {
			return sent, false
		}
	}
	if r.cut == cutReset {
		p.reset(ctx, release)
	}
	return sent, true
}

// resetAfter lets a client read what was sent before the reset, which would throw it away.
const resetAfter = 20 * time.Millisecond

// reset ends the connection with RST. release is called before the client can see it.
func (p *peer) reset(ctx context.Context, release func()) {
	p.wait(ctx, resetAfter)
	release()
	if c, ok := p.raw.(*net.TCPConn); ok {
		c.SetLinger(0)
	}
	p.raw.Close()
}
