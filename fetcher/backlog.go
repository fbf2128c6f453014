package fetcher

import "sync"

// maxUnsent is how many bytes of results and links the turns of a fetcher may hold together that the result queue has not
// stored yet. Then they ask for no further page until some was stored, so that a queue that is down or slow does
// not fill the memory, however many turns there are. Exchanges under way at that moment come on top. The mark
// is crawler.BoundUnsent, counted once for each page that had to wait.
const maxUnsent = 64 << 20

// backlog counts what pages and reports of all turns hold until it is stored, in bytes. Safe for concurrent use.
type backlog struct {
	mu    sync.Mutex
	bytes int
	space chan struct{} // closed when bytes were given back; nil while nobody waits
}

// Take counts more bytes.
func (b *backlog) Take(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes += n
}

// Give takes bytes off again.
func (b *backlog) Give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= n
	if b.space != nil && b.bytes < maxUnsent {
		close(b.space)
		b.space = nil
	}
}

// Full is closed when there may be room again; nil while there is.
func (b *backlog) Full() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes < maxUnsent {
		return nil
	}
	if b.space == nil {
		b.space = make(chan struct{})
	}
	return b.space
}
