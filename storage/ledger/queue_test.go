package ledger

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage/storagetest"
)

// TestAQueueIsReadFromItsFloorAsFromItsBeginning changes the queues of two hosts at random, and compares each reading with one that
// knows of no floor.
func TestAQueueIsReadFromItsFloorAsFromItsBeginning(t *testing.T) {
	l, err := Open(filepath.Join(t.TempDir(), "ledger"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1_700_000_000, 0)
	admitted, used := 0, 0
	for op := range 200 {
		now = now.Add(time.Duration(rng.IntN(20)) * time.Second)
		var c crawler.Changes
		for range rng.IntN(40) {
			admitted++
			u := weburl.MustParse(fmt.Sprintf("http://h%d.test/%d", rng.IntN(2), admitted))
			c.Rows = append(c.Rows, crawler.RowChange{New: &crawler.Row{
				Result: crawler.Result{URL: u, Outcome: crawler.Waiting}, Depth: rng.IntN(4), Sequence: uint64(admitted), FirstSeen: now,
			}})
		}
		taken, _, err := l.Queue(weburl.Host(fmt.Sprintf("h%d.test", rng.IntN(2))), now, -1, rng.IntN(80))
		if err != nil {
			t.Fatal(err)
		}
		for _, old := range taken {
			fresh := storagetest.Settled(old)
			if rng.IntN(3) == 0 {
				*fresh = *old
				fresh.Reason, fresh.RetryAt = crawler.ReasonRetry, now.Add(time.Duration(rng.IntN(60))*time.Second)
			}
			c.Rows = append(c.Rows, crawler.RowChange{Old: old, New: fresh})
		}
		if err := l.Commit(&c); err != nil {
			t.Fatal(err)
		}
		h := weburl.Host(fmt.Sprintf("h%d.test", rng.IntN(2)))
		n, depth := rng.IntN(20), rng.IntN(5)-1
		if _, known, _ := l.queues.of(h.Key()); known {
			used++
		}
		got := queueText(t, l, h, now, depth, n)
		floors := l.queues.at
		l.queues.at = nil
		if want := queueText(t, l, h, now, depth, n); got != want {
			t.Fatalf("op %d: up to %d of depth %d\n%s\nwant\n%s", op, n, depth, got, want)
		}
		l.queues.at = floors
	}
	if used < 20 {
		t.Errorf("only %d readings began at a floor", used)
	}
}

func queueText(t *testing.T, l *Ledger, h weburl.Host, now time.Time, depth, n int) (text string) {
	t.Helper()
	rows, next, err := l.Queue(h, now, depth, n)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		text += " " + r.URL.String()
	}
	return text + fmt.Sprint(", next ", next)
}

func TestFloorsOfQueuesAreBounded(t *testing.T) {
	var f queueFloors
	for h := range maxQueueFloors + 3 {
		f.raise(weburl.HostKey(h), 0, queueFloor{})
	}
	if len(f.at) != maxQueueFloors {
		t.Errorf("%d floors", len(f.at))
	}
	f.lower(nil)
	f.raise(1<<40, 0, queueFloor{})
	if _, known, put := f.of(1 << 40); known || put != 1 {
		t.Errorf("a floor was raised though something was put since: %v, %d", known, put)
	}
}
