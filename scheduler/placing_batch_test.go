package scheduler

import (
	"context"
	"errors"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/core"
)

// syncedBodies notes whether what was done is durable.
type syncedBodies struct {
	err    error
	synced bool
}

func (b *syncedBodies) Place(context.Context, weburl.URL, crawler.Digest, int64, string) error {
	return nil
}
func (b *syncedBodies) Link(context.Context, string, string) error { return nil }
func (b *syncedBodies) Sync() error {
	b.synced = b.err == nil
	return b.err
}

func TestNamesAreDurableBeforeTheLedgerSaysThatTheyAreThere(t *testing.T) {
	bodies := &syncedBodies{}
	s := &Scheduler{o: Options{Bodies: bodies}, inbox: inbox{placed: make(chan placedEvent)}}
	b := &placeBatch{s: s, ctx: t.Context(), Placed: core.Placed{Done: []crawler.Unplaced{{Version: 1}}}}
	end := make(chan error)
	go func() { end <- b.flush() }()
	p := <-s.placed
	if !bodies.synced || len(p.placed.Done) != 1 {
		t.Errorf("the ledger hears of %d rows; the names are durable: %v", len(p.placed.Done), bodies.synced)
	}
	close(p.reply)
	if err := <-end; err != nil || b.size() != 0 {
		t.Errorf("%v, %d are left to be done", err, b.size())
	}
}

func TestNamesThatCannotBeSyncedAreNotNoted(t *testing.T) {
	full := errors.New("the disk is full")
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody waits for an answer
	s := &Scheduler{o: Options{Bodies: &syncedBodies{err: full}}, inbox: inbox{placed: make(chan placedEvent, 1)}}
	b := &placeBatch{s: s, ctx: ctx, Placed: core.Placed{Done: []crawler.Unplaced{{Version: 1}}}}
	if err := b.flush(); !errors.Is(err, full) || len(s.placed) > 0 {
		t.Errorf("%v; the ledger hears of it: %v", err, len(s.placed) > 0)
	}
}
