package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"trawl/crawler"
	"trawl/storage/export"
	"trawl/storage/ledger"
)

const (
	// streamRoom is how many rows may wait in memory for standard output, some 500 bytes each; rows beyond it wait in
	// the ledger.
	streamRoom = 4096
	// streamFull is how many rows may wait in all before no more turns are offered.
	streamFull = 2048
	// streamBatch is how many rows are written between two looks at the queue.
	streamBatch = 256
)

// rowStream writes rows to standard output as they become final (the export "-"). The scheduler hands them over without
// waiting; a goroutine of its own writes, since a write to a pipe that nobody reads cannot be interrupted. The ledger knows
// which rows are owed, so what was not written when the process ends comes first when the job goes on.
type rowStream struct {
	w      *export.Writer
	ledger interface {
		Owed(first, last uint64, n int) ([]*crawler.Row, uint64, error)
	}

	mu        sync.Mutex
	queue     []numberedRow // not written yet, in order; what lies before, after and between waits in the ledger
	last      uint64        // number of the newest row that is owed
	delivered uint64        // every row up to it was written
	ending    bool          // no more rows come
	given     bool          // nobody waits for the writing any more
	err       error         // that ended the writing
	wake      chan struct{}
	done      chan struct{} // closed when run returns

	reading sync.Mutex // held while the ledger is read, which abandon waits for
}

type numberedRow struct {
	number uint64
	row    *crawler.Row
}

func newRowStream(out io.Writer, l *ledger.Ledger, owed crawler.OwedRange) (*rowStream, error) {
	w, err := export.NewWriter(out, export.JSONL)
	if err != nil {
		return nil, err
	}
	s := &rowStream{w: w, ledger: l, last: owed.Last, wake: make(chan struct{}, 1), done: make(chan struct{})}
	if owed.First > 0 {
		s.delivered = owed.First - 1
	}
	return s, nil
}

// Final is [scheduler.Stream]'s.
func (s *rowStream) Final(first uint64, rows []*crawler.Row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range rows {
		if len(s.queue) < streamRoom {
			s.queue = append(s.queue, numberedRow{first + uint64(i), r})
		}
	}
	s.last = first + uint64(len(rows)) - 1
	s.poke()
}

// Full is [scheduler.Stream]'s.
func (s *rowStream) Full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last-s.delivered >= streamFull
}

// Delivered is [scheduler.Stream]'s.
func (s *rowStream) Delivered() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delivered
}

// end says that no more rows come; the stream is done when what is owed was written.
func (s *rowStream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = true
	s.poke()
}

func (s *rowStream) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// failure is what ended the writing, nil while it goes on and at a good end.
func (s *rowStream) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// run writes until the end, or until a write fails. It may hang in a write for as long as nobody reads.
func (s *rowStream) run() {
	defer close(s.done)
	for {
		rows, upTo, last := s.next()
		switch {
		case upTo > 0:
			if err := s.write(rows, upTo); err != nil {
				s.mu.Lock()
				s.err = err
				s.mu.Unlock()
				return
			}
		case last:
			return
		default:
			<-s.wake
		}
	}
}

// next takes the next rows to be written and the number up to which they reach, 0 when there are none; nil rows with a
// number wait in the ledger. last says that none will come.
func (s *rowStream) next() (rows []*crawler.Row, upTo uint64, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	want := s.delivered + 1
	switch {
	case s.given:
		return nil, 0, true
	case len(s.queue) == 0 && s.last >= want:
		return nil, s.last, false
	case len(s.queue) == 0:
		return nil, 0, s.ending
	case s.queue[0].number > want:
		return nil, s.queue[0].number - 1, false
	}
	n := 0
	for n < len(s.queue) && n < streamBatch && s.queue[n].number == want+uint64(n) {
		rows = append(rows, s.queue[n].row)
		n++
	}
	s.queue = slices.Delete(s.queue, 0, n)
	return rows, want + uint64(n) - 1, false
}

// errAbandoned ends a stream that nobody waits for any more.
var errAbandoned = errors.New("not waited for")

// read takes rows from the ledger that did not fit into memory.
func (s *rowStream) read(upTo uint64) ([]*crawler.Row, uint64, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.abandoned() {
		return nil, 0, errAbandoned
	}
	return s.ledger.Owed(s.Delivered()+1, upTo, streamBatch)
}

// abandon gives up a stream that may hang in a write: it reads the ledger no more, which may be closed afterwards.
func (s *rowStream) abandon() {
	s.reading.Lock()
	defer s.reading.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given = true
}

func (s *rowStream) abandoned() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given
}

func (s *rowStream) write(rows []*crawler.Row, upTo uint64) error {
	if rows == nil {
		var err error
		if rows, upTo, err = s.read(upTo); err != nil {
			return err
		}
	}
	for _, r := range rows {
		if err := s.w.Write(r); err != nil {
			return err
		}
	}
	if err := s.w.Flush(); err != nil {
		return err
	}
	s.mu.Lock()
	s.delivered = upTo
	s.mu.Unlock()
	return nil
}

// ended is closed when the writing has ended; nil, which waits for ever, without a stream.
func (s *rowStream) ended() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.done
}

// waiting is how many rows are owed.
func (s *rowStream) waiting() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last - s.delivered
}

// endStream lets the rows that are owed reach standard output: all of them when the job is done or stopped by a limit, for a
// few seconds when it was interrupted. Rows that stay behind are in the ledger and come first when the job goes on.
func (s *Scheduler) endStream(ctx context.Context) error {
	if s.stream == nil {
		return nil
	}
	s.stream.end()
	defer s.Linger(func() string { return fmt.Sprintf("%d rows wait for standard output to take them", s.stream.waiting()) })()
	patience, cancel := Patience(ctx, s.ending)
	defer cancel()
	select {
	case <-s.stream.done:
	case <-patience.Done():
		s.ending = Interrupted
	case <-s.life.Done():
	}
	s.stream.abandon()
	switch err := s.stream.failure(); {
	case export.ReaderLeft(err):
		s.o.Logger.Warn("nobody reads standard output any more, so the job stops; rows that were not written come first when it goes on", "rows", s.stream.waiting())
	case err != nil:
		return fmt.Errorf("standard output: %w", err)
	case s.stream.waiting() > 0:
		s.o.Logger.Warn("standard output did not take all rows; those that were not written come first when the job goes on", "rows", s.stream.waiting())
	}
	return nil
}

// Patience ends when an ending should wait no longer for what users get: an interrupted one after endGrace, others when they are
// interrupted.
func Patience(ctx context.Context, ending Ending) (context.Context, context.CancelFunc) {
	if ending != Interrupted {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), endGrace)
}
