package queue

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"trawl/cluster/clustertest"
)

func TestAGateIsEmptyWhenItIsShut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		leave, err := g.enter(t.Context())
		clustertest.Must(t, err)
		shut := make(chan struct{})
		go func() { g.shut(t.Context(), time.Hour); close(shut) }()
		synctest.Wait()
		entered := make(chan struct{})
		go func() {
			leave, err := g.enter(t.Context())
			clustertest.Must(t, err)
			close(entered)
			leave()
		}()
		synctest.Wait()
		select {
		case <-shut:
			t.Error("it says that nobody is inside")
		case <-entered:
			t.Error("somebody came in")
		default:
		}
		leave()
		<-shut
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.enter(ctx); err == nil {
			t.Error("somebody came in")
		}
		g.open()
		<-entered
		leave, err = g.enter(t.Context()) // and one that stays inside is not waited for without end
		clustertest.Must(t, err)
		g.shut(t.Context(), time.Second)
		g.open()
		leave()
	})
}
