package seeds

import (
	"context"
	"errors"
	"iter"
	"time"
)

const (
	// seedBatch is the most seeds that are admitted in one step.
	seedBatch = 1000
	// seedWait is how long a seed that was read waits for others to be admitted with, so that a job whose seeds come
	// slowly begins with the first one.
	seedWait = 200 * time.Millisecond
	// seedAhead is how many seeds are read while others are admitted.
	seedAhead = 1000
)

// Feed reads a stream of seeds and admits them, a batch at a time: when it is full, when its first seed has
// waited for seedWait, and at the end. It is run once.
type Feed struct {
	seeds iter.Seq2[Seed, error]
	bad   func(*BadLine)
	admit func(ctx context.Context, batch []Seed, last bool) error
	ended chan struct{}
}

// NewFeed feeds admit. bad hears of each seed that could not be read. admit keeps its batch; last is true once, for what is left at the end.
func NewFeed(seeds iter.Seq2[Seed, error], bad func(*BadLine), admit func(context.Context, []Seed, bool) error) *Feed {
	return &Feed{seeds: seeds, bad: bad, admit: admit, ended: make(chan struct{})}
}

// Ended is closed when nothing is read any more.
func (s *Feed) Ended() <-chan struct{} { return s.ended }

// readSeed is a seed, or why there is none.
type readSeed struct {
	seed Seed
	err  error
}

// Run reads and admits until all is admitted, ctx ends, or something fails; what was read before a failure of the
// stream is admitted. A read that waits for input cannot be interrupted from here: then Run returns before Ended is
// closed, and the reading ends with the next seed, or with its source.
func (s *Feed) Run(ctx context.Context) error {
	stop := make(chan struct{})
	defer close(stop)
	read := make(chan readSeed, seedAhead)
	go s.read(read, stop)
	var batch []Seed
	due := time.NewTimer(seedWait)
	due.Stop()
	defer due.Stop()
	flush := func(last bool) error {
		due.Stop()
		b := batch
		batch = nil
		return s.admit(ctx, b, last)
	}
	for {
		var err error
		select {
		case one, more := <-read:
			bad, isBad := errors.AsType[*BadLine](one.err)
			switch {
			case !more:
				return flush(true)
			case isBad:
				s.bad(bad)
			case one.err != nil:
				return errors.Join(one.err, flush(false))
			default:
				if batch = append(batch, one.seed); len(batch) == 1 {
					due.Reset(seedWait)
				}
				if len(batch) == seedBatch {
					err = flush(false)
				}
			}
		case <-due.C:
			err = flush(false)
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

func (s *Feed) read(to chan<- readSeed, stop <-chan struct{}) {
	defer close(s.ended)
	defer close(to)
	for seed, err := range s.seeds {
		select {
		case <-stop: // also where there is room
			return
		default:
		}
		select {
		case to <- readSeed{seed, err}:
		case <-stop:
			return
		}
	}
}
