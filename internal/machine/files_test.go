package machine

import (
	"math"
	"testing"
)

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
