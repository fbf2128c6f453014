package download

import (
	"crypto/sha256"
	"hash"

	"trawl/crawler/media"
)

// sink is a reader of bodies: it sees each decoded byte of a body once, in order. A new one (a fingerprint, an extraction)
// is a type with these methods and a line in newBodyPass.
type sink interface {
	// Open is called once, before the first byte. A sink that returns false takes no part in this body.
	Open(h *bodyHead) bool
	// Write takes the next bytes, which are valid until it returns. Its error ends the body.
	Write(b []byte) error
	// Close is called when no more comes, however the body ended.
	Close()
}

// bodyHead is what is known of a body before its first byte is handed to the sinks.
type bodyHead struct {
	kind    media.Type
	first   []byte // headLook decoded bytes, or all there are
	opaque  bool   // it is in a coding that is not known, and not a text
	resumed bool   // the bytes continue a partial body
	readers int    // sinks that read what the body says, of those opened before this one
}

// digestSink counts and digests a body.
type digestSink struct {
	x    *exchange
	size int64
	sum  hash.Hash
}

func (s *digestSink) Open(h *bodyHead) bool {
	if s.sum = sha256.New(); h.resumed {
		s.size, s.sum = s.x.part.Size, s.x.part.Sum
	}
	return true
}

func (s *digestSink) Write(b []byte) error {
	s.size += int64(len(b))
	s.sum.Write(b)
	return nil
}

func (s *digestSink) Close() {
	s.x.result.Bytes = s.size
	s.sum.Sum(s.x.result.Digest[:0])
}

// textSink keeps the beginning of a text for the caller.
type textSink struct{ x *exchange }

func (s *textSink) Open(h *bodyHead) bool {
	took := s.x.textLimit > 0 && !h.resumed && !h.opaque && (s.x.robots || textual(h.kind.Kind))
	if took {
		h.readers++
	}
	return took
}

func (s *textSink) Write(b []byte) error {
	room := max(s.x.textLimit-int64(len(s.x.text)), 0)
	s.x.text = append(s.x.text, b[:min(int64(len(b)), room)]...)
	return nil
}

func (s *textSink) Close() {}

// storeSink spools a body for the archive, unless the archive wants the bytes as they are coded: those are kept where they are
// read, see wireBody.
type storeSink struct {
	x    *exchange
	wire *wireBody
}

func (s *storeSink) Open(h *bodyHead) bool {
	if s.x.spool == nil || s.wire.copy != nil {
		return false
	}
	if h.readers == 0 && !h.resumed {
		s.x.keepPart()
	}
	return true
}

func (s *storeSink) Write(b []byte) error { return s.wire.store(s.x.spool, b) }

func (s *storeSink) Close() {}
