package queue

import (
	"context"
	"sync"
	"time"
)

// gate lets exchanges through, and can be shut for a moment in which none is under way. The zero value is open.
type gate struct {
	mu     sync.Mutex
	inside int
	opened chan struct{} // nil while open; closed when it opens
	empty  chan struct{} // while shut and not empty; closed when the last one leaves
}

// enter waits until the gate is open, as long as ctx lasts; leave is called once, at the end.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	for {
		g.mu.Lock()
		opened := g.opened
		if opened == nil {
			g.inside++
			g.mu.Unlock()
			return g.leave, nil
		}
		g.mu.Unlock()
		select {
		case <-opened:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// shut lets nobody in any more and waits so long for those who are inside; it reports whether all have left. Only one
// caller at a time.
func (g *gate) shut(ctx context.Context, limit time.Duration) bool {
	g.mu.Lock()
	g.opened = make(chan struct{})
	var empty chan struct{}
	if g.inside > 0 {
		g.empty = make(chan struct{})
		empty = g.empty
	}
	g.mu.Unlock()
	if empty == nil {
		return true
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-empty:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// open ends what shut began.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.opened)
	g.opened, g.empty = nil, nil
}
