package node

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"trawl/cluster/control"
	"trawl/crawler"
)

// slowDepot takes the time it is told to, and what comes.
type slowDepot struct {
	control.DepotReceiver
	takes  time.Duration
	refuse error
}

func (d *slowDepot) Append(_ context.Context, _ string, _ int64, r io.Reader, _ int64) error {
	time.Sleep(d.takes)
	_, err := io.Copy(io.Discard, r)
	return errors.Join(err, d.refuse)
}

func (d *slowDepot) Finish(context.Context, string, int64, crawler.Digest) error {
	time.Sleep(d.takes)
	return d.refuse
}

// A fetcher that tries the same again and again must not hold up the end of a job for ever.
func TestOnlyBytesThatMovedPutTheEndOfAJobOff(t *testing.T) {
	refused := errors.New("another file of that name is here")
	for name, tt := range map[string]struct {
		depot slowDepot
		try   func(d *watchedDepot) error
		moved bool
	}{
		"bytes that came":                      {slowDepot{}, func(d *watchedDepot) error { return d.Append(t.Context(), "f", 0, strings.NewReader("bytes"), 5) }, true},
		"bytes that came and were refused":     {slowDepot{refuse: refused}, func(d *watchedDepot) error { return d.Append(t.Context(), "f", 0, strings.NewReader("bytes"), 5) }, true},
		"a try without bytes":                  {slowDepot{}, func(d *watchedDepot) error { return d.Append(t.Context(), "f", 0, strings.NewReader(""), 5) }, false},
		"a file that is whole":                 {slowDepot{}, func(d *watchedDepot) error { return d.Finish(t.Context(), "f", 5, crawler.Digest{}) }, true},
		"a file that was compared and refused": {slowDepot{takes: time.Second, refuse: refused}, func(d *watchedDepot) error { return d.Finish(t.Context(), "f", 5, crawler.Digest{}) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var arrived []string
				d := &watchedDepot{DepotReceiver: &tt.depot, arrived: func(name string) { arrived = append(arrived, name) }}
				d.touch()
				time.Sleep(drainIdle)
				if got := d.idle(); got != drainIdle {
					t.Fatalf("nothing came for %v, it says %v", drainIdle, got)
				}
				if err := tt.try(d); !errors.Is(err, tt.depot.refuse) {
					t.Errorf("ended with %v", err)
				}
				if moved := d.idle() == 0; moved != tt.moved {
					t.Errorf("idle for %v afterwards", d.idle())
				}
				if whole := name == "a file that is whole"; whole != (len(arrived) == 1) {
					t.Errorf("told to have arrived: %v", arrived)
				}
			})
		})
	}
}

// To compare a large file takes longer than the end of a job waits, and no byte moves meanwhile.
func TestAFileThatIsBeingComparedPutsTheEndOfAJobOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &watchedDepot{DepotReceiver: &slowDepot{takes: 3 * drainIdle}, arrived: func(string) {}}
		d.touch()
		compared := make(chan error)
		go func() { compared <- d.Finish(t.Context(), "f", 5, crawler.Digest{}) }()
		time.Sleep(2 * drainIdle)
		if got := d.idle(); got != 0 {
			t.Errorf("idle for %v", got)
		}
		if err := <-compared; err != nil {
			t.Error(err)
		}
	})
}
