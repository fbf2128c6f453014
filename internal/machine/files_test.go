package machine

import (
	"math"
	"testing"
)

func TestIdleConnectionsTakeWhatWorkersLeaveOfOpenFiles(t *testing.T) {
	for _, c := range []struct {
		workers, lanes, limit int
		ledger                bool
		want                  int
	}{
		{1024, 1, math.MaxInt32, true, 512},
		{1024, 1, 4096, true, 512},
		{883, 2, 4096, true, 0},
		{64, 2, 640, false, 320},
		{64, 2, 640, true, 160},
		{64, 0, 200, false, 8},
		{1, 1, 50, true, 0},
	} {
		if got := fitIdle(512, c.workers, c.lanes, c.limit, c.ledger); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestWorkersFitTheLimitOfOpenFiles(t *testing.T) {
	for _, c := range []struct {
		workers, lanes, limit int
		ledger                bool
		want                  int
	}{
		{1024, 1, math.MaxInt32, true, 1024},
		{1024, 1, 4096, true, 1024},
		{1024, 2, 4096, true, 883},
		{1024, 2, 4096, false, 1008},
		{1024, 1, 200, true, 31},
		{1024, 1, 50, true, 1},
		{8, 0, 200, true, 8},
	} {
		got := fitWorkers(c.workers, c.lanes, c.limit, c.ledger)
		if got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
		if used := got*filesLane*c.lanes + filesBase; got > 1 && used > c.limit {
			t.Errorf("%+v: %d files may be used", c, used)
		}
	}
}
