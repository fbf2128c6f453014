package node

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage/export"
	"trawl/storage/ledger"
)

// owing is a ledger and the number of rows in it that are owed.
type owing struct {
	*ledger.Ledger
	t    *testing.T
	last uint64
}

func openOwing(t *testing.T) *owing {
	t.Helper()
	l, err := ledger.Open(t.TempDir(), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &owing{Ledger: l, t: t}
}

// final makes n more rows final, and hands them to s as the scheduler does: after the commit.
func (o *owing) final(s *rowStream, n int) {
	o.t.Helper()
	c := crawler.Changes{Now: time.Unix(1, 0)}
	var rows []*crawler.Row
	for range n {
		o.last++
		u, err := weburl.Parse(fmt.Sprintf("http://h.example/%d", o.last))
		if err != nil {
			o.t.Fatal(err)
		}
		r := &crawler.Row{Result: crawler.Result{URL: u, Outcome: crawler.Fetched}, Sequence: o.last}
		rows = append(rows, r)
		c.Rows = append(c.Rows, crawler.RowChange{New: r})
		c.Owed = append(c.Owed, crawler.OwedRow{Number: o.last, Key: r.Key()})
	}
	if err := o.Commit(&c); err != nil {
		o.t.Fatal(err)
	}
	s.Final(o.last-uint64(n)+1, rows)
}

func (o *owing) stream(w io.Writer) *rowStream {
	o.t.Helper()
	l, err := o.Load(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	s, err := newRowStream(w, o.Ledger, l.Owed)
	if err != nil {
		o.t.Fatal(err)
	}
	return s
}

// lines checks that the text is the rows with these numbers, in order, each once.
func lines(t *testing.T, text string, first, last int) {
	t.Helper()
	got := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(got) != last-first+1 {
		t.Fatalf("%d rows, want %d", len(got), last-first+1)
	}
	for i, line := range got {
		if want := fmt.Sprintf(`"url":"http://h.example/%d"`, first+i); !strings.Contains(line, want) {
			t.Fatalf("row %d is %.60s, want %s", i, line, want)
		}
	}
}

// blocked takes nothing until it is opened.
type blocked struct {
	open chan struct{}
	mu   sync.Mutex
	buf  bytes.Buffer
}

func (b *blocked) Write(p []byte) (int, error) {
	<-b.open
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func TestRowsThatNobodyTakesWaitInTheLedgerAndLeaveInOrder(t *testing.T) {
	o, out := openOwing(t), &blocked{open: make(chan struct{})}
	s := o.stream(out)
	go s.run()
	o.final(s, 100)
	if s.Full() {
		t.Error("full with 100 rows")
	}
	for range 10 {
		o.final(s, 1000)
	}
	if !s.Full() {
		t.Error("not full with 10,100 rows")
	}
	if n := len(s.queue); n > streamRoom {
		t.Errorf("%d rows are in memory, at most %d may be", n, streamRoom)
	}
	close(out.open)
	s.end()
	<-s.done
	if err := s.failure(); err != nil || s.Delivered() != 10_100 || s.Full() {
		t.Errorf("ended with %v after %d rows", err, s.Delivered())
	}
	lines(t, out.buf.String(), 1, 10_100)
}

func TestRowsThatWereNotWrittenComeFirstAtTheNextStart(t *testing.T) {
	o := openOwing(t)
	first := o.stream(io.Discard)
	o.final(first, 600)
	if err := o.Commit(&crawler.Changes{Now: time.Unix(1, 0), Delivered: 250}); err != nil { // the process dies here
		t.Fatal(err)
	}
	var out bytes.Buffer
	again := o.stream(&out)
	o.final(again, 50)
	again.end()
	again.run()
	lines(t, out.String(), 251, 650)
}

func TestARowThatWaitsAgainIsNotDelivered(t *testing.T) {
	o := openOwing(t)
	o.final(o.stream(io.Discard), 3)
	u, err := weburl.Parse("http://h.example/2")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := o.Rows([]weburl.URLKey{u.Key()})
	if err != nil {
		t.Fatal(err)
	}
	waits := *rows[0]
	waits.Outcome = crawler.Waiting
	if err := o.Commit(&crawler.Changes{Now: time.Unix(1, 0), Rows: []crawler.RowChange{{Old: rows[0], New: &waits}}}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := o.stream(&out)
	s.end()
	s.run()
	if got := out.String(); strings.Count(got, "\n") != 2 || strings.Contains(got, "/2\"") {
		t.Errorf("delivered:\n%s", got)
	}
}

type leftReader struct{}

func (leftReader) Write([]byte) (int, error) { return 0, fmt.Errorf("write: %w", syscall.EPIPE) }

func TestAReaderThatLeavesEndsTheStreamAndNothingCountsAsDelivered(t *testing.T) {
	o := openOwing(t)
	s := o.stream(leftReader{})
	o.final(s, 10)
	s.run()
	if !export.ReaderLeft(s.failure()) || s.Delivered() != 0 {
		t.Errorf("ended with %v, %d delivered", s.failure(), s.Delivered())
	}
}

func TestAnAbandonedStreamReadsTheLedgerNoMore(t *testing.T) {
	o, out := openOwing(t), &blocked{open: make(chan struct{})}
	o.final(o.stream(io.Discard), 1000)
	s := o.stream(out)
	go s.run() // hangs in its first write
	s.abandon()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	close(out.open)
	<-s.done // a read of the closed ledger would be a panic
}
