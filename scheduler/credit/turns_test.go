package credit

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

func TestARenewalOfATurnEndsItsLapse(t *testing.T) {
	ts := NewTurns()
	until := time.Unix(1000, 0)
	for _, edited := range []bool{false, true} {
		committed := &Turn{TurnState: crawler.TurnState{Host: "a.test", Held: true, URLs: []uint64{1}}, Lapsing: true, Spared: true}
		ts.Put(committed)
		now := committed
		if edited {
			now = committed.Copy()
			if now.URLs[0] = 2; committed.URLs[0] != 1 {
				t.Error("a copy shares its URLs")
			}
		}
		ts.Renew(now, until)
		for _, turn := range []*Turn{committed, now} {
			if turn.Lapsing || turn.Spared || !turn.Until.Equal(until) {
				t.Errorf("edited %v: %+v", edited, turn)
			}
		}
	}
	other := &Turn{TurnState: crawler.TurnState{Host: "a.test", ID: crawler.TurnID{1}, Held: true}}
	if ts.Renew(other, until.Add(1)); ts.Get("a.test").Until != until {
		t.Error("another turn of the host was renewed, too")
	}
}

func TestATurnIsSparedOnce(t *testing.T) {
	ts := NewTurns()
	at := time.Unix(1000, 0)
	held := &Turn{TurnState: crawler.TurnState{Host: "a.test", Held: true}, Until: at, Lapsing: true}
	long := &Turn{TurnState: crawler.TurnState{Host: "b.test", Held: true}, Floor: at.Add(9)}
	offered := &Turn{TurnState: crawler.TurnState{Host: "c.test"}}
	for _, one := range []*Turn{held, long, offered} {
		ts.Put(one)
	}
	ts.Spare(at.Add(2))
	ts.Spare(at.Add(5))
	if !held.Until.Equal(at.Add(2)) || held.Lapsing || !long.Until.Equal(at.Add(9)) || !offered.Until.IsZero() {
		t.Errorf("%+v, %+v, %+v", held, long, offered)
	}
}

// TestLooksFindWhatAWalkFinds changes turns at random, and compares each look with a walk over all of them.
func TestLooksFindWhatAWalkFinds(t *testing.T) {
	names := func(all []*Turn) (names []string) {
		for _, one := range all {
			names = append(names, string(one.Host))
		}
		slices.Sort(names)
		return names
	}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 5))
		ts := NewTurns()
		now := time.Unix(1000, 0)
		for op := range 300 {
			now = now.Add(time.Duration(rng.IntN(20)) * time.Second)
			changeTurn(ts, rng, now)
			var over, overdue []*Turn
			held, offered, probes := 0, 0, 0
			for _, one := range ts.All() {
				if one.Probe {
					probes++
				}
				switch {
				case one.Held:
					if held++; one.Until.Before(now) {
						over = append(over, one)
					}
				case now.Sub(one.Published) >= RepublishAfter:
					if offered++; now.Sub(one.Published) >= RepublishAfter<<min(one.Tries, mostRepublish) {
						overdue = append(overdue, one)
					}
				}
			}
			n, late := ts.Overdue(now)
			if got := ts.Over(now); !slices.Equal(names(got), names(over)) || !slices.Equal(names(late), names(overdue)) || len(overdue) > 0 && n != offered || ts.Held() != held || ts.Probes() != (probes > 0 && probes == ts.Len()) {
				t.Fatalf("seed %d, op %d: over %v, want %v; overdue %v of %d, want %v of %d; %d held, want %d",
					seed, op, names(got), names(over), names(late), n, names(overdue), offered, ts.Held(), held)
			}
			for _, one := range late {
				if rng.IntN(3) == 0 {
					one.Published, one.Tries = now, one.Tries+1
				}
			}
		}
	}
}

// changeTurn does to a turn what a step might do, with leases that may be shorter than those before.
func changeTurn(ts *Turns, rng *rand.Rand, now time.Time) {
	h := weburl.Host(fmt.Sprint("h", rng.IntN(12)))
	one := ts.Get(h)
	until := now.Add(time.Duration(rng.IntN(60)-5) * time.Second)
	switch {
	case one == nil:
		ts.Put(&Turn{TurnState: crawler.TurnState{Host: h, Held: rng.IntN(2) == 0, Probe: rng.IntN(5) > 0, Fetcher: fmt.Sprint(rng.IntN(3))}, Published: now, Until: until})
	case one.Held && rng.IntN(2) == 0:
		ts.Renew(one, until)
	case rng.IntN(5) == 0:
		ts.Spare(until)
	case !one.Held && rng.IntN(2) == 0:
		edited := one.Copy()
		edited.Held, edited.Until = true, until
		ts.Put(edited)
	default:
		ts.End(h)
	}
}
