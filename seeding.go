package trawl

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

// seeding reads a stream of seeds and admits them, a batch at a time: when it is full, when its first seed has
// waited for seedWait, and at the end. A seeding is run once.
type seeding struct {
	seeds iter.Seq2[Seed, error]
	bad   func(*BadLine)                                           // hears of a seed that could not be read
	admit func(ctx context.Context, batch []Seed, last bool) error // the batch is not used again; last is said once, with what is left
	ended chan struct{}                                            // closed when nothing is read any more
}

func newSeeding(seeds iter.Seq2[Seed, error], bad func(*BadLine), admit func(context.Context, []Seed, bool) error) *seeding {
	return &seeding{seeds: seeds, bad: bad, admit: admit, ended: make(chan struct{})}
}

// readSeed is a seed, or why there is none.
type readSeed struct {
	seed Seed
	err  error
}

// run reads and admits until all is admitted, ctx ends, or something fails; what was read before a failure of the
// stream is admitted. A read that waits for input cannot be interrupted from here: then run returns before ended is
// closed, and the reading ends with the next seed, or with its source.
func (s *seeding) run(ctx context.Context) error {
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

func (s *seeding) read(to chan<- readSeed, stop <-chan struct{}) {
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

// seed admits the seeds that the run was given. At the end of the run it returns even when their reader is still
// waiting for input.
func (r *run) seed(ctx context.Context) error {
	seeds := r.o.Seeds
	if seeds == nil {
		seeds = func(func(Seed, error) bool) {}
	}
	bad := func(b *BadLine) {
		r.badSeeds.Add(1)
		r.o.BadSeed(b)
	}
	beside := openNeighbours(r.o.RuntimeDir, r.dir.Path(), r.neighbourWarning)
	defer beside.close()
	admit := func(ctx context.Context, batch []Seed, last bool) error {
		beside.seeds(batch)
		return r.sched.Seed(ctx, batch, last)
	}
	if err := newSeeding(seeds, bad, admit).run(ctx); err != nil {
		return cleanEnd(err)
	}
	close(r.seeded)
	<-ctx.Done() // the note of the seeds' hosts stands while the job runs
	return nil
}
