package memory

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

// TestWindowGivesHostsInOrder compares the window over an index with a sorted list of all hosts.
func TestWindowGivesHostsInOrder(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 9))
		w := NewWindow(1 + rng.IntN(6))
		now := time.Unix(1000, 0)
		hosts := map[weburl.Host]crawler.DueHost{}
		for op := range 300 {
			now = now.Add(time.Duration(rng.IntN(3000)) * time.Millisecond)
			h := weburl.Host(fmt.Sprint("h", rng.IntN(20)))
			switch rng.IntN(4) {
			case 0, 1:
				at := crawler.DueHost{Host: h, Due: now.Add(time.Duration(rng.IntN(30000)-10000) * time.Millisecond), Rank: crawler.Rank{Depth: uint16(rng.IntN(4)), Lag: crawler.NoLag}}
				if rng.IntN(2) == 0 {
					at.Rank.Lag = uint16(rng.IntN(9000))
				}
				hosts[h] = at
				w.Set(h, at.Due, at.Rank)
			case 2:
				delete(hosts, h)
				w.Remove(h)
			case 3:
				if w.Stale() {
					all := sortedDue(hosts)
					w.Fill(all[:min(len(all), w.size)], w.size)
				}
				got, ok := w.Pop(now)
				due := 0
				for _, x := range hosts {
					if !x.Due.After(now) {
						due++
					}
				}
				if !ok {
					if _, has := w.Next(); due > 0 && !has {
						t.Fatalf("seed %d, op %d: %d hosts are due and none is given", seed, op, due)
					}
					continue
				}
				at, known := hosts[got]
				if !known || at.Due.After(now) {
					t.Fatalf("seed %d, op %d: %s is given and not due", seed, op, got)
				}
				for _, x := range hosts {
					if crawler.DueWindowOf(x.Due) < crawler.DueWindowOf(at.Due) {
						t.Fatalf("seed %d, op %d: %v is given before %v", seed, op, at, x)
					}
				}
				delete(hosts, got)
			}
			if len(w.at) > 2*w.size+1 {
				t.Fatalf("seed %d, op %d: %d hosts in a window of %d", seed, op, len(w.at), w.size)
			}
		}
	}
}

func sortedDue(hosts map[weburl.Host]crawler.DueHost) []crawler.DueHost {
	led := schedulertest.NewLedger()
	for h, at := range hosts {
		s := crawler.HostState{Host: h, Next: at.Due, Depth: int(at.Rank.Depth)}
		s.Counts[crawler.Waiting] = 1
		led.AllHosts[h] = s
	}
	all, _ := led.Due(len(hosts))
	return all
}

func TestTheEarliestHostIsNamedWhetherItIsDueOrNot(t *testing.T) {
	begin := time.Unix(1000, 0)
	w := NewWindow(4)
	w.Fill(nil, 4)
	if h, ok := w.First(); ok {
		t.Errorf("%q of none", h)
	}
	w.Set("a", begin, crawler.Rank{Lag: crawler.NoLag})
	if h, ok := w.First(); h != "a" || !ok {
		t.Errorf("%q, %v", h, ok)
	}
	w.Set("b", begin, crawler.Rank{Lag: crawler.NoLag})
	one, _ := w.Pop(begin)
	if h, ok := w.First(); h == one || !ok {
		t.Errorf("%q, %v, and %q was taken", h, ok, one)
	}
}

func TestAWindowThatIsJustFullGivesUpNoHost(t *testing.T) {
	const size = 4
	begin := time.Unix(1000, 0)
	rank := crawler.Rank{Lag: crawler.NoLag}
	w := NewWindow(size)
	w.Fill(nil, size)
	for n := range 9 * size { // each makes an entry that is stale soon
		w.Set(weburl.Host(fmt.Sprint("h", n%size)), begin.Add(time.Duration(n)*time.Second), rank)
	}
	if n := w.later.Len(); n >= 8*size {
		t.Fatalf("%d entries, stale ones among them", n)
	}
	w.Set("late", begin.Add(time.Hour), rank)
	if _, known := w.at["late"]; !known {
		t.Error("a later host is left to the ledger")
	}
}
