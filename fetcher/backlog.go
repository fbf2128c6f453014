package fetcher

import (
	"sync"

	"trawl/crawler"
)

// maxUnsent is how many bytes of results and links the turns of a fetcher may hold together that the result queue has not
// stored yet. Then they ask for no further page until some was stored, so that a queue that is down or slow does
// not fill the memory, however many turns there are. Exchanges under way at that moment come on top. The mark
// is boundUnsent.
const maxUnsent = 64 << 20

// boundUnsent is the word of HostReport.Bounds for maxUnsent, counted once for each page that had to wait.
const boundUnsent = crawler.BoundUnsent

const (
	// maxRemembered is how many bytes the pages under way may take together to know which of their links were found before,
	// beyond freeLinks each. A page that gets no more forgets what it found so far, and says so in its row: a link that
	// stands there again is sent again, and the ledger has it once all the same.
	maxRemembered = 64 << 20
	// freeLinks is how many links a page remembers whatever the others do; also the step in which it asks for more.
	freeLinks = 4096
	// rememberedLink is what that takes for a link, about: a word, and the room that a hash table leaves free.
	rememberedLink = 24
)

// backlog counts what the reports of all turns hold until it is stored, in bytes, and what the pages under way remember.
// Safe for concurrent use.
type backlog struct {
	mu    sync.Mutex
	bytes int
	space chan struct{} // closed when bytes were given back; nil while nobody waits

	remembered int // bytes; maxRemembered at most
}

// take counts more bytes.
func (b *backlog) take(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes += n
}

// give takes bytes off again.
func (b *backlog) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= n
	if b.space != nil && b.bytes < maxUnsent {
		close(b.space)
		b.space = nil
	}
}

// full is closed when there may be room again; nil while there is.
func (b *backlog) full() <-chan struct{} {
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

// remember counts what a page takes to remember freeLinks more links, and reports false when there is no room for them.
func (b *backlog) remember() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.remembered+freeLinks*rememberedLink > maxRemembered {
		return false
	}
	b.remembered += freeLinks * rememberedLink
	return true
}

// forget takes off what remember counted n times.
func (b *backlog) forget(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remembered -= n * freeLinks * rememberedLink
}
