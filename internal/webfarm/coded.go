package webfarm

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
)

// codedBodies are bodies in gzip that were sent once: the compression of a page costs several times what
// the rest of its answer does. Safe for concurrent use.
type codedBodies struct {
	limit  int64 // of size
	size   atomic.Int64
	bodies sync.Map // ref → []byte
}

// codedBody is the body of a URL in gzip. It must not be changed.
func (f *Farm) codedBody(b *buffer, r ref) []byte {
	if kept, ok := f.coded.bodies.Load(r); ok {
		return kept.([]byte)
	}
	b.body = f.appendBody(b.body[:0], r)
	coded := f.compress(b.body)
	if f.coded.size.Add(int64(len(coded))) <= f.coded.limit {
		f.coded.bodies.Store(r, bytes.Clone(coded))
	} else {
		f.coded.size.Add(-int64(len(coded)))
	}
	return coded
}

func (f *Farm) compress(body []byte) []byte {
	var out bytes.Buffer
	w := f.gzips.Get().(*gzip.Writer)
	defer f.gzips.Put(w)
	w.Reset(&out)
	w.Write(body) // to memory: no error
	w.Close()
	return out.Bytes()
}
