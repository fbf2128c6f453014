package crawler

import (
	"math"
	"testing"
)

func TestRoomForMoreURLs(t *testing.T) {
	for _, c := range []struct {
		name                   string
		maxPages, maxBytes     int64
		fetched, leased, bytes int64
		room                   int64
		full                   bool
	}{
		{"no limit", 0, 0, 1000, 10, 1 << 40, math.MaxInt64, false},
		{"pages", 100, 0, 90, 4, 0, 6, false},
		{"enough pages", 100, 0, 100, 0, 0, 0, true},
		{"bytes before anything came", 0, 10 * bodyGuess, 0, 0, 0, 11, false},
		{"and what is under way", 0, 10 * bodyGuess, 0, 11, 0, 0, false},
		{"bytes by the mean", 0, 2000, 100, 5, 1000, 96, false},
		{"the last ones", 0, 1001, 100, 0, 1000, 1, false},
		{"enough bytes", 0, 1000, 100, 0, 1000, 0, true},
		{"bodies of nothing", 0, 1000, 100, 0, 0, 1001, false},
		{"the lesser counts", 102, 2000, 100, 0, 1000, 2, false},
	} {
		j := Job{MaxPages: c.maxPages, MaxBytes: c.maxBytes}
		tallies := Tallies{Bytes: c.bytes}
		tallies.Counts[Fetched], tallies.Counts[Leased] = c.fetched, c.leased
		if room, full := j.Room(&tallies), j.Full(&tallies); room != c.room || full != c.full {
			t.Errorf("%s: room for %d, full %v; want %d, %v", c.name, room, full, c.room, c.full)
		}
	}
}
