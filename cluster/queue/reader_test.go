package queue

import (
	"testing"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/crawler"
)

// A reader that is slower than parts come must take what has come meanwhile, or it stays as slow as one part a call.
func TestASlowReaderTakesWhatHasCome(t *testing.T) {
	b, _ := startBroker(t, BrokerOptions{})
	s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler})
	f := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleFetcher})
	ctx := t.Context()
	clustertest.Must(t, s.PrepareStreams(ctx, 0))
	clustertest.Must(t, f.Send(ctx, clustertest.Part(1)))
	_, last := readAll(t, ctx, s, 0, 1, 100) // from now on parts are handed over one by one, each as the last there is
	const parts = 100
	for n := 2; n <= parts+1; n++ {
		clustertest.Must(t, f.Send(ctx, clustertest.Part(n)))
	}
	calls := 0
	for got := 0; got < parts; calls++ {
		read, err := s.Read(ctx, last, parts)
		clustertest.Must(t, err)
		got += len(read)
		last = read[len(read)-1].Position
	}
	if calls > parts/4 {
		t.Errorf("%d calls for %d parts that were there", calls, parts)
	}
}

func TestReadingIsBoundedInBytes(t *testing.T) {
	b, _ := startBroker(t, BrokerOptions{})
	s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler})
	f := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleFetcher})
	ctx := t.Context()
	clustertest.Must(t, s.PrepareStreams(ctx, 0))
	const size = 400 << 10
	part := clustertest.Part(1)
	part.State.Robots = []crawler.RobotsFile{{Scheme: "http", Body: make([]byte, size)}}
	const parts = 2 * ReadAhead / size
	for range parts {
		clustertest.Must(t, f.Send(ctx, part))
	}
	after, got := uint64(0), 0
	for got < parts {
		read, err := s.Read(ctx, after, parts)
		clustertest.Must(t, err)
		if len(read) > ReadAhead/size+1 {
			t.Fatalf("%d parts of %d bytes at once", len(read), size)
		}
		got, after = got+len(read), read[len(read)-1].Position
	}
}
