package fetcher

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"trawl/crawler"
	"trawl/crawler/links"
	"trawl/crawler/media"
	"trawl/internal/coding"
)

const (
	// bodyChunk is what is read at once, in bytes.
	bodyChunk = 32 * crawler.KiB
	// wireSlack is how much longer than MaxBody a body may be on the wire, besides an eighth: codings add
	// a little to what cannot be made smaller. Without a limit on the wire, a body that decodes to nothing
	// could go on for ever.
	wireSlack = 64 * crawler.KiB
	// headLook is how many decoded bytes decide what a body is and which charset it is in, however they arrive.
	headLook = max(media.SniffLook, links.CharsetLook)
)

// errWireLimit: a coded body went on although it should be over by its decoded limit.
var errWireLimit = errors.New("the coded body is longer than its limit")

// bodyKit is what bodies need and fetchers share: spools, decoders, buffers. Safe for concurrent use.
type bodyKit struct {
	spools   *spools
	partials *partials // nil = a body that was interrupted starts anew
	decoders decoders
	chunks   sync.Pool // of *[]byte
	scans    sync.Pool // of *pageScan
}

// newBodyKit spools in dir, which it makes if need be and empties of what an earlier process left.
func newBodyKit(dir string) (*bodyKit, error) {
	s, err := newSpools(dir)
	if err != nil {
		return nil, err
	}
	return &bodyKit{spools: s, chunks: sync.Pool{New: func() any { b := make([]byte, bodyChunk); return &b }}}, nil
}

// wireBody reads a body as it comes, under the clock and the node's bandwidth. Its first error stays.
type wireBody struct {
	ctx       context.Context
	r         io.Reader
	clock     *exchangeClock
	idle      timeLimit
	bandwidth *rate.Limiter // nil = no limit
	copy      *spool        // of what was read, nil = none
	limit     int64         // bytes, 0 = none
	before    int64         // bytes of the body that came in earlier exchanges
	toClose   bool          // the end of the connection is the end of the body
	n         int64
	err       error // why no more comes, io.EOF at its end
}

func (w *wireBody) Read(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.limit > 0 && w.n >= w.limit {
		w.err = errWireLimit
		return 0, w.err
	}
	n, err := w.r.Read(p)
	w.err = err
	if n == 0 {
		return 0, err
	}
	w.n += int64(n)
	w.clock.touch(n)
	if w.copy != nil {
		if failed := w.store(w.copy, p[:n]); failed != nil {
			w.err = failed
		}
	}
	if w.bandwidth != nil && w.err == nil && w.bandwidth.Limit() != rate.Inf {
		if failed := w.wait(n); failed != nil {
			w.err = failed
		}
	}
	return n, w.err
}

// store writes to a spool. A disk that is slow is not the server's fault, so the clock does not run meanwhile.
func (w *wireBody) store(s *spool, p []byte) error {
	if s.inMemory(len(p)) {
		_, err := s.Write(p)
		return err
	}
	w.clock.pause()
	defer w.clock.resume()
	if _, err := s.Write(p); err != nil {
		return err
	}
	if s.due(time.Now()) {
		return s.sync()
	}
	return nil
}

// wait takes n bytes of the bandwidth. The clock does not run meanwhile.
func (w *wireBody) wait(n int) error {
	w.clock.pause()
	defer w.clock.resume()
	for n > 0 {
		part := min(n, max(w.bandwidth.Burst(), 1))
		if err := w.bandwidth.WaitN(w.ctx, part); err != nil {
			return fmt.Errorf("wait for bandwidth: %w", err)
		}
		n -= part
	}
	return nil
}

// bodyPass is the one pass over a body: wire bytes to the spool, decoded ones to digest, spool, text and
// scanner, all under the limits.
type bodyPass struct {
	x       *exchange
	kit     *bodyKit
	wire    *wireBody
	codings []string
	strange []string // words for codings that cannot be undone; most of them name none
	bounds  stageBounds
	decoded int64
	sum     hash.Hash
	scan    *pageScan // nil = none
	text    bool      // x.text is wanted
	started bool
}

// newBodyPass prepares for the body of an answer.
func newBodyPass(x *exchange, kit *bodyKit, wire *wireBody) *bodyPass {
	p := &bodyPass{x: x, kit: kit, wire: wire, sum: sha256.New()}
	p.codings, p.strange = x.bodyCodings()
	if x.resumed {
		x.spool = kit.spools.resume(x.part)
		p.decoded, p.sum, p.started, wire.before = x.part.size, x.part.sum, true, x.part.size-x.again
		return p
	}
	if x.keep != keepNothing {
		x.spool = kit.spools.open()
	}
	if !p.coded() {
		return p
	}
	if x.keep == keepWire {
		wire.copy = x.spool
	}
	if x.limits.MaxBody > 0 {
		wire.limit = x.limits.MaxBody + x.limits.MaxBody/8 + wireSlack
	}
	p.bounds = stageBounds{ctx: wire.ctx, wire: wire, most: wire.limit, ratio: x.limits.Ratio, after: x.limits.RatioAfter}
	return p
}

// coded reports whether there is a coding to undo.
func (p *bodyPass) coded() bool { return len(p.codings) > 0 }

// run reads the body to its end or to the first limit, and leaves in the exchange what came and why no
// more did.
func (p *bodyPass) run() {
	dec := p.kit.decoders.open(p.codings, p.wire, &p.bounds)
	defer dec.close()
	chunk := p.kit.chunks.Get().(*[]byte)
	defer p.kit.chunks.Put(chunk)
	var err error
	for err == nil {
		var n int
		if p.started {
			n, err = dec.Read(*chunk)
		} else {
			n, err = readBeginning(dec, *chunk)
		}
		if n > 0 {
			if failed := p.take((*chunk)[:n]); failed != nil {
				err = failed
			}
		}
	}
	if !p.started {
		p.open(nil)
	}
	p.end(err)
	p.x.result.Bytes = p.decoded
	p.sum.Sum(p.x.result.Digest[:0])
	for _, r := range dec.remarks() {
		p.x.remark(r)
	}
	if p.scan != nil {
		p.scan.finish(p.kit, p.x)
	}
}

// readBeginning reads until what there is decides what the body is.
func readBeginning(r io.Reader, b []byte) (n int, err error) {
	for n < headLook && err == nil {
		var more int
		more, err = r.Read(b[n:])
		n += more
	}
	return n, err
}

// Errors that end a pass at our own limits.
var (
	errMaxBody    = errors.New("the body is longer than the limit")
	errRatio      = errors.New("the body decodes to too much")
	errStageLimit = errors.New("one of the codings of the body gives more than the limit")
)

// take passes decoded bytes on, up to the limits.
func (p *bodyPass) take(b []byte) error {
	x := p.x
	b, over := x.passOver(b)
	if over != nil || len(b) == 0 {
		return over
	}
	if limit := x.limits.MaxBody; limit > 0 && p.decoded+int64(len(b)) > limit {
		b, over = b[:limit-p.decoded], errMaxBody
	}
	p.decoded += int64(len(b))
	if !p.started {
		p.started = true
		p.open(b)
	}
	p.sum.Write(b)
	if x.spool != nil && p.wire.copy == nil {
		if err := p.wire.store(x.spool, b); err != nil {
			return err
		}
	}
	if p.text {
		x.text = append(x.text, b[:min(int64(len(b)), max(x.page-int64(len(x.text)), 0))]...)
	}
	if p.scan != nil {
		p.scan.write(b)
	}
	if over == nil && p.bomb() {
		over = errRatio
	}
	return over
}

// bomb reports whether the body decodes to more than the ratio allows.
func (p *bodyPass) bomb() bool {
	l := &p.x.limits
	return p.coded() && l.Ratio > 0 && p.decoded > l.RatioAfter && p.decoded > l.Ratio*p.wire.n
}

// open looks at the first bytes and decides who is to read the body.
func (p *bodyPass) open(first []byte) {
	x := p.x
	if len(p.strange) > 0 {
		x.opaque = !coding.LooksLikeText(first)
		if x.opaque {
			x.remark("unknown content coding " + oneLine(strings.Join(p.strange, ", "), maxDetail/4) + ", kept as it came")
			return
		}
		x.remark("unknown content coding " + oneLine(strings.Join(p.strange, ", "), maxDetail/4) + ", read as it came")
	}
	nosniff := strings.EqualFold(strings.TrimSpace(x.header.Get("X-Content-Type-Options")), "nosniff")
	kind := media.TypeOf(x.header.Values("Content-Type"), nosniff, first)
	p.text = x.page > 0 && (x.plain || textual(kind.Kind))
	if x.result.Status >= 200 && x.result.Status <= 299 {
		p.scan = p.kit.newScan(x, kind, first)
		p.scanAtRest()
	}
	if p.scan == nil && !p.text && !p.coded() {
		x.keepPart()
	}
}

// scanAtRest stops the clock while links leave: it is not the server that is waited for.
func (p *bodyPass) scanAtRest() {
	if p.scan == nil || p.scan.early == nil {
		return
	}
	early := p.scan.early
	p.scan.early = func(found []crawler.Link) {
		p.wire.clock.pause()
		defer p.wire.clock.resume()
		early(found)
	}
}

// end notes why the body ended. What is left on the wire after a decoder's end is read too: the answer
// must end as it should, and a broken body is kept as it came.
func (p *bodyPass) end(err error) {
	x := p.x
	if p.bounds.hit != nil {
		err = p.bounds.hit
	}
	mine := p.wire.err == nil || p.wire.err == io.EOF
	if mine && p.bounds.hit == nil && p.coded() && !errors.Is(err, errMaxBody) && !errors.Is(err, errRatio) {
		io.Copy(io.Discard, p.wire) // its error stays in the wire
	}
	switch wire := p.wire.err; {
	case errors.Is(err, errMaxBody):
		x.bound = x.bodyBound()
		x.cut = cutting{mark: "length", detail: fmt.Sprintf("cut at the limit of %d bytes", x.limits.MaxBody)}
	case errors.Is(err, errRatio):
		x.bound = crawler.BoundRatio
		x.cut = cutting{crawler.ReasonBadEncoding, "length", fmt.Sprintf("decodes to more than %d times its size; cut after %d bytes", x.limits.Ratio, p.decoded)}
	case x.spool != nil && diskTrouble(x.spool.err):
		x.disk = x.spool.err
		x.drop(x.disk)
	case x.spool != nil && ownTrouble(x.spool.err):
		x.short = x.spool.err
		x.drop(x.short)
	case x.spool != nil && x.spool.err != nil:
		x.cut = cutting{crawler.ReasonArchive, "unspecified", x.spool.err.Error()}
	case errors.Is(err, errOtherBytes):
		x.cut = cutting{reason: crawler.ReasonProtocol, detail: err.Error()}
	case p.bounds.hit == errStageLimit:
		x.bound = x.bodyBound()
		x.cut = cutting{mark: "length", detail: fmt.Sprintf("cut: one of its codings gives more than %d bytes", p.bounds.most)}
	case p.bounds.hit != nil: // the time is over, or nobody waits any more
		x.cut, x.sign = cutWire(p.wire)
	case wire == errWireLimit && (errors.Is(err, wire) || err == io.EOF):
		x.bound = x.bodyBound()
		x.cut = cutting{mark: "length", detail: fmt.Sprintf("cut after %d coded bytes", p.wire.n)}
	case wire != nil && wire != io.EOF && wire != errWireLimit:
		x.cut, x.sign = cutWire(p.wire)
	case wire == io.EOF && p.wire.toClose && errors.Is(err, io.ErrUnexpectedEOF):
		x.cut = cutting{crawler.ReasonReset, "disconnect", fmt.Sprintf("cut after %d bytes: the connection ended within the coded body", p.wire.n)}
	case err != io.EOF:
		x.cut = cutting{reason: crawler.ReasonBadEncoding, detail: fmt.Sprintf("content coding: %v", err)}
		if wire == errWireLimit {
			x.cut.mark = "length"
		}
	default:
		x.cut = x.incomplete(p.decoded)
	}
}

// cutWire tells why a body stopped coming, and what that says about our own network.
func cutWire(w *wireBody) (cutting, sign) {
	err := w.err
	if cause := context.Cause(w.ctx); cause != nil {
		err = cause
	}
	reason, detail := classify(err)
	c := cutting{reason: reason, mark: "disconnect", detail: fmt.Sprintf("cut after %d bytes: %s", w.before+w.n, detail)}
	if reason == crawler.ReasonTimeout {
		c.mark = "time"
	}
	return c, signOf(err)
}
