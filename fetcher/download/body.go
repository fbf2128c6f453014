package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"trawl/crawler"
	"trawl/crawler/links"
	"trawl/crawler/media"
	"trawl/fetcher/download/decode"
	"trawl/fetcher/download/spool"
	"trawl/fetcher/trouble"
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
	spools   *spool.Spools
	partials *spool.Partials // nil = a body that was interrupted starts from byte 0
	decoders decode.Decoders
	backlog  Backlog // for links that wait to be taken
	memory   linkMemory
	chunks   sync.Pool // of *[]byte
	scans    sync.Pool // of *pageScan
}

// newBodyKit spools in dir, which it makes if need be and empties of what an earlier process left.
func newBodyKit(dir string, backlog Backlog) (*bodyKit, error) {
	s, err := spool.NewSpools(dir)
	if err != nil {
		return nil, err
	}
	return &bodyKit{spools: s, backlog: backlog, chunks: sync.Pool{New: func() any { b := make([]byte, bodyChunk); return &b }}}, nil
}

// wireBody reads a body as it comes, under the clock and the node's bandwidth. Its first error stays.
type wireBody struct {
	ctx       context.Context
	r         io.Reader
	clock     *exchangeClock
	idle      timeLimit
	bandwidth *rate.Limiter // nil = no limit
	copy      *spool.Spool  // of what was read, nil = none
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
	if w.bandwidth != nil && (w.err == nil || w.err == io.EOF) && w.bandwidth.Limit() != rate.Inf { // the last bytes count too
		if failed := w.wait(n); failed != nil && w.err == nil {
			w.err = failed
		}
	}
	return n, w.err
}

// store writes to a spool. A disk that is slow is not the server's fault, so the clock does not run meanwhile.
func (w *wireBody) store(s *spool.Spool, p []byte) error {
	if s.InMemory(len(p)) {
		_, err := s.Write(p)
		return err
	}
	w.clock.pause()
	defer w.clock.resume()
	if _, err := s.Write(p); err != nil {
		return err
	}
	if s.Due(time.Now()) {
		return s.Sync()
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

// bodyPass is the one pass over a body: wire bytes through the decoders into the sinks, all under the limits.
type bodyPass struct {
	x       *exchange
	kit     *bodyKit
	wire    *wireBody
	codings []string
	unknown []string // words for codings that cannot be undone; most of them name none
	bounds  decode.Bounds
	opened  bool

	digest digestSink
	text   textSink
	links  linkSink
	store  storeSink
	sinks  [4]sink // the first taking of them take part
	taking int
}

// newBodyPass prepares for the body of an answer.
func newBodyPass(x *exchange, kit *bodyKit, wire *wireBody) *bodyPass {
	p := &bodyPass{x: x, kit: kit, wire: wire}
	p.digest, p.text, p.links, p.store = digestSink{x: x}, textSink{x}, linkSink{x: x, kit: kit, clock: wire.clock}, storeSink{x, wire}
	p.codings, p.unknown = x.bodyCodings()
	if x.resumed {
		x.spool = kit.spools.Resume(x.part)
		wire.before = x.part.Size - x.overlap
		p.open(nil)
		return p
	}
	if x.keep != keepNothing {
		x.spool = kit.spools.Open()
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
	p.bounds = decode.Bounds{Ctx: wire.ctx, Wire: &wire.n, Most: wire.limit, Ratio: x.limits.Ratio, After: x.limits.RatioAfter}
	return p
}

// coded reports whether there is a coding to undo.
func (p *bodyPass) coded() bool { return len(p.codings) > 0 }

// run reads the body to its end or to the first limit, and leaves in the exchange what came and why no
// more did.
func (p *bodyPass) run() {
	dec := p.kit.decoders.Open(p.codings, p.wire, &p.bounds)
	defer dec.Close()
	chunk := p.kit.chunks.Get().(*[]byte)
	defer p.kit.chunks.Put(chunk)
	var err error
	for err == nil {
		var n int
		if p.opened {
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
	if !p.opened {
		p.open(nil)
	}
	p.end(err)
	for _, r := range dec.Remarks() {
		p.x.remark(r)
	}
	for _, s := range p.sinks[:p.taking] {
		s.Close()
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

// errMaxBody ends a pass at our own limit.
var errMaxBody = errors.New("the body is longer than the limit")

// take passes decoded bytes on, up to the limits.
func (p *bodyPass) take(b []byte) error {
	b, over := p.x.skipOverlap(b)
	if over != nil || len(b) == 0 {
		return over
	}
	if limit := p.x.limits.MaxBody; limit > 0 && p.digest.size+int64(len(b)) > limit {
		b, over = b[:limit-p.digest.size], errMaxBody
	}
	if !p.opened {
		p.open(b)
	}
	for _, s := range p.sinks[:p.taking] {
		if err := s.Write(b); err != nil {
			return err
		}
	}
	if over == nil && p.bomb() {
		over = decode.ErrRatio
	}
	return over
}

// bomb reports whether the body decodes to more than the ratio allows.
func (p *bodyPass) bomb() bool {
	l := &p.x.limits
	return p.coded() && l.Ratio > 0 && p.digest.size > l.RatioAfter && p.digest.size > l.Ratio*p.wire.n
}

// open looks at the first bytes and asks the sinks whether they take part. What is kept is asked last: a body that nobody
// reads can be resumed later.
func (p *bodyPass) open(first []byte) {
	p.opened = true
	x := p.x
	h := bodyHead{first: first, resumed: x.resumed}
	if len(p.unknown) > 0 {
		h.opaque = !coding.LooksLikeText(first)
		how := "read"
		if h.opaque {
			how = "kept"
		}
		x.remark("unknown content coding " + oneLine(strings.Join(p.unknown, ", "), maxDetail/4) + ", " + how + " as it came")
	}
	x.opaque = h.opaque
	nosniff := strings.EqualFold(strings.TrimSpace(x.header.Get("X-Content-Type-Options")), "nosniff")
	h.kind = media.TypeOf(x.header.Values("Content-Type"), nosniff, first)
	for _, s := range [...]sink{&p.digest, &p.text, &p.links, &p.store} {
		if s.Open(&h) {
			p.sinks[p.taking] = s
			p.taking++
		}
	}
}

// end notes why the body ended. What is left on the wire after a decoder's end is read too: the answer
// must end as it should, and a broken body is kept as it came.
func (p *bodyPass) end(err error) {
	x := p.x
	if p.bounds.Hit != nil {
		err = p.bounds.Hit
	}
	mine := p.wire.err == nil || p.wire.err == io.EOF
	if mine && p.bounds.Hit == nil && p.coded() && !errors.Is(err, errMaxBody) && !errors.Is(err, decode.ErrRatio) {
		io.Copy(io.Discard, p.wire) // its error stays in the wire
	}
	if x.spool != nil && x.spool.Err != nil && !errors.Is(err, errMaxBody) && !errors.Is(err, decode.ErrRatio) {
		if v := verdictOf(x.spool.Err); v != Counts {
			x.end(v, x.spool.Err)
			return
		}
	}
	x.cut = p.cutting(err)
}

// cutting says what cut the body that ended with err, or that it is whole.
func (p *bodyPass) cutting(err error) (c cutting) {
	x := p.x
	switch wire := p.wire.err; {
	case errors.Is(err, errMaxBody):
		c = cutting{mark: "length", bound: x.bodyBound(), detail: fmt.Sprintf("cut at the limit of %d bytes", x.limits.MaxBody)}
	case errors.Is(err, decode.ErrRatio):
		c = cutting{reason: crawler.ReasonBadEncoding, mark: "length", bound: crawler.BoundRatio}
		c.detail = fmt.Sprintf("decodes to more than %d times its size; cut after %d bytes", x.limits.Ratio, p.digest.size)
	case x.spool != nil && x.spool.Err != nil:
		c = cutting{reason: crawler.ReasonArchive, mark: "unspecified", detail: x.spool.Err.Error()}
	case errors.Is(err, errOtherBytes):
		c = cutting{reason: crawler.ReasonProtocol, detail: err.Error()}
	case p.bounds.Hit == decode.ErrStageLimit:
		c = cutting{mark: "length", bound: x.bodyBound(), detail: fmt.Sprintf("cut: one of its codings gives more than %d bytes", p.bounds.Most)}
	case p.bounds.Hit != nil: // the time is over, or nobody waits any more
		c, x.sign = cutWire(p.wire)
	case wire == errWireLimit && (errors.Is(err, wire) || err == io.EOF):
		c = cutting{mark: "length", bound: x.bodyBound(), detail: fmt.Sprintf("cut after %d coded bytes", p.wire.n)}
	case wire != nil && wire != io.EOF && wire != errWireLimit:
		c, x.sign = cutWire(p.wire)
	case wire == io.EOF && p.wire.toClose && errors.Is(err, io.ErrUnexpectedEOF):
		c = cutting{reason: crawler.ReasonReset, mark: "disconnect", detail: fmt.Sprintf("cut after %d bytes: the connection ended within the coded body", p.wire.n)}
	case err != io.EOF:
		c = cutting{reason: crawler.ReasonBadEncoding, detail: fmt.Sprintf("content coding: %v", err)}
		if wire == errWireLimit {
			c.mark = "length"
		}
	default:
		c = x.incomplete(p.digest.size)
	}
	return c
}

// cutWire says why a body stopped coming, and what that says about our own network.
func cutWire(w *wireBody) (cutting, trouble.Sign) {
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
