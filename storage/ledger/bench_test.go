package ledger

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/weburl"
	"trawl/storage/ledger/format"
	"trawl/storage/storagetest"
)

// benchRows is how many rows the large ledger of the benchmarks has.
const benchRows = 3_000_000

func benchLoad(b *testing.B, n int) *Ledger {
	l, err := Open(filepath.Join(b.TempDir(), "ledger"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	for from := 0; from < n; from += 10_000 {
		c := crawler.Changes{Sequence: uint64(from + 1)}
		for i := from; i < min(from+10_000, n); i++ {
			r := storagetest.Row(i)
			if i%2 == 0 {
				r = storagetest.Settled(r)
			}
			c.Rows = append(c.Rows, crawler.RowChange{New: r})
		}
		if err := l.Commit(&c); err != nil {
			b.Fatal(err)
		}
	}
	return l
}

// BenchmarkSettle commits 500 results of 50 hosts, synced.
func BenchmarkSettle(b *testing.B) {
	l := benchLoad(b, 100_000)
	var c crawler.Changes
	c.Tallies = &crawler.Tallies{}
	for i := range 500 {
		old := storagetest.Row(2*i + 1)
		c.Rows = append(c.Rows, crawler.RowChange{Old: old, New: storagetest.Settled(old)})
	}
	for i := range 50 {
		h := &crawler.HostState{Host: weburl.Host(fmt.Sprintf("host%d.example", i)), Next: time.Unix(int64(i), 0)}
		h.Counts[crawler.Waiting] = 100
		c.Hosts = append(c.Hosts, crawler.HostChange{Old: h, New: h})
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Commit(&c); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRows looks up batches of 10,000 keys, of which 60 in 100 are there, in a large ledger.
func BenchmarkRows(b *testing.B) {
	l := benchLoad(b, benchRows)
	rng := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	looked := 0
	for b.Loop() {
		b.StopTimer()
		keys := make([]weburl.URLKey, 10_000)
		for i := range keys {
			keys[i] = storagetest.Row(rng.IntN(benchRows)).Key()
			if rng.IntN(10) >= 6 {
				keys[i].URL = rng.Uint64()
			}
		}
		slices.SortFunc(keys, weburl.URLKey.Compare)
		b.StartTimer()
		if _, err := l.Rows(keys); err != nil {
			b.Fatal(err)
		}
		looked += len(keys)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(looked), "ns/key")
	b.ReportMetric(float64(l.db.Metrics().DiskSpaceUsage())/benchRows, "disk-B/row")
}

// BenchmarkDue asks for the earliest of 50,000 due hosts, while one changes each time.
func BenchmarkDue(b *testing.B) {
	l := benchLoad(b, 1)
	var c crawler.Changes
	for i := range 50_000 {
		h := &crawler.HostState{Host: weburl.Host(fmt.Sprintf("host%d.example", i)), Next: time.Unix(int64(i), 0)}
		h.Counts[crawler.Waiting] = 1
		c.Hosts = append(c.Hosts, crawler.HostChange{New: h})
	}
	if err := l.Commit(&c); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Due(100); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRow writes and reads a row whose page was fetched.
func BenchmarkRow(b *testing.B) {
	r := storagetest.Settled(storagetest.Row(7))
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = records.Row.Append(buf[:0], r)
		if _, err := format.StoredRow(buf); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(buf)), "B/row")
}

// BenchmarkHost writes and reads a usual host in a turn.
func BenchmarkHost(b *testing.B) {
	h := crawler.HostState{
		Host: "host1.example", Next: time.Unix(1_700_000_000, 5), Asked: true, Turn: crawler.TurnID{1, 2, 3}, Turned: time.Unix(1_700_000_000, 1), Depth: 1,
		AnsweredAt: time.Minute, MeanTime: 30 * time.Millisecond, Addresses: []string{"192.0.2.1"}, AddressesTo: time.Unix(1_700_000_300, 0),
	}
	h.Counts[crawler.Waiting], h.Counts[crawler.Leased], h.Counts[crawler.Fetched] = 120, 30, 800
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = records.Host.Append(buf[:0], &h)
		if _, err := format.Stored(records.Host, buf); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(buf)), "B/host")
}

// BenchmarkQueueOfALargeHost reads the next ten URLs of a host of 200,000, of which 190,000 were taken by turns of 500.
func BenchmarkQueueOfALargeHost(b *testing.B) {
	l, err := Open(filepath.Join(b.TempDir(), "ledger"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	const all, taken, turn = 200_000, 190_000, 500
	row := func(i int) *crawler.Row {
		u := weburl.MustParse(fmt.Sprintf("http://large.example/page/%d", i))
		return &crawler.Row{Result: crawler.Result{URL: u, Outcome: crawler.Waiting}, Depth: 3, Sequence: uint64(i + 1), FirstSeen: time.Unix(1_700_000_000, 0)}
	}
	for from := 0; from < all+taken; from += turn {
		var c crawler.Changes
		for i := from; i < from+turn; i++ {
			if i < all {
				c.Rows = append(c.Rows, crawler.RowChange{New: row(i)})
			} else {
				c.Rows = append(c.Rows, crawler.RowChange{Old: row(i - all), New: storagetest.Settled(row(i - all))})
			}
		}
		if from >= all { // as each turn is made
			if rows, _, err := l.Queue("large.example", time.Now(), -1, 10); err != nil || rows[0].Sequence != uint64(from-all+1) {
				b.Fatal(err)
			}
		}
		if err := l.Commit(&c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		rows, _, err := l.Queue("large.example", time.Now(), -1, 10)
		if err != nil || len(rows) != 10 || rows[0].Sequence != taken+1 {
			b.Fatal(len(rows), err)
		}
	}
}
