package fetcher

import (
	"context"
	"errors"
	"sync"
	"time"
)

var errTurnLate = errors.New("the last part could not be stored in time")

// ends are the ways in which a turn ends. Each context ends the ones after it.
type ends struct {
	hard   context.Context // ends with the turn, or when it is dropped
	drop   context.CancelCauseFunc
	flight context.Context // of exchanges under way
	cut    context.CancelFunc
	going  context.Context // ends when no further request may be started
	end    context.CancelFunc

	gone     <-chan struct{} // closed when the network is found to be away
	stopped  chan struct{}   // closed when the scheduler says stop
	stopOnce sync.Once
	worked   chan struct{} // closed when no lane runs any more
}

func (e *ends) init(hard context.Context) {
	e.hard, e.drop = context.WithCancelCause(hard)
	e.flight, e.cut = context.WithCancel(e.hard)
	e.going, e.end = context.WithCancel(e.flight)
	e.stopped, e.worked = make(chan struct{}), make(chan struct{})
}

// stop ends the turn gently, because the scheduler says so.
func (e *ends) stop() {
	e.end()
	e.stopOnce.Do(func() { close(e.stopped) })
}

// watch ends the turn early: gently when ctx ends, the scheduler says so or the network is away, and by cutting what is still
// under way after stopGrace. When ctx has ended, the last parts have lastGrace to be stored.
func (e *ends) watch(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-e.stopped:
	case <-e.gone:
	case <-e.hard.Done():
		return
	}
	e.end()
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-e.worked:
	case <-timer.C:
		e.cut()
	case <-e.hard.Done():
		return
	}
	select {
	case <-ctx.Done():
	case <-e.hard.Done():
		return
	}
	timer.Reset(lastGrace)
	select {
	case <-timer.C:
		e.drop(errTurnLate)
	case <-e.hard.Done():
	}
}
