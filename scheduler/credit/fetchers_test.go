package credit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// here are fetchers as the gossip names them, each with three slots.
func here(names ...string) (all []crawler.FetcherStatus) {
	for _, name := range names {
		all = append(all, crawler.FetcherStatus{Name: name, Slots: 3})
	}
	return all
}

func TestFetchersThatNeverAskAreMute(t *testing.T) {
	begin := time.Unix(1000, 0)
	f, turns := NewFetchers(), NewTurns()
	f.See(here("f", "g"))
	offered := &Turn{TurnState: crawler.TurnState{Host: "a.test"}, Offered: begin}
	held := &Turn{TurnState: crawler.TurnState{Host: "a.test", Held: true}, Offered: begin}
	later := &Turn{TurnState: crawler.TurnState{Host: "a.test"}, Offered: begin.Add(1)}
	mute := func(after time.Duration) string { return strings.Join(f.Listen(begin.Add(after), turns), " ") }
	for _, tt := range []struct {
		after time.Duration
		turn  *Turn
		want  string
		slots int
	}{
		{0, offered, "", 6}, {MuteAfter - 1, offered, "", 6}, {MuteAfter, nil, "", 6}, {MuteAfter, held, "", 6},
		{MuteAfter, later, "", 6}, {MuteAfter, offered, "f g", 0}, {MuteAfter + 1, nil, "", 0},
	} {
		if turns.End("a.test"); tt.turn != nil {
			turns.Put(tt.turn)
		}
		if got := mute(tt.after); got != tt.want || f.Slots(0) != tt.slots {
			t.Errorf("after %v with %+v: %q, %d slots", tt.after, tt.turn, got, f.Slots(0))
		}
	}
	if text := f.MuteText(); !strings.HasPrefix(text, "f, g never asked") {
		t.Errorf("it says %q", text)
	}
	turns.Put(offered)
	f.Heard("f", begin)
	if got := mute(2 * MuteAfter); got != "" || !strings.HasPrefix(f.MuteText(), "g never") || f.Slots(0) != 3 {
		t.Errorf("when f has asked: %q, %q", got, f.MuteText())
	}
	f.Heard("a stranger", begin.Add(2*MuteAfter)) // may be any of them
	if got := mute(3*MuteAfter - 1); got != "" || f.MuteText() != "" {
		t.Errorf("when a stranger has asked: %q, %q", got, f.MuteText())
	}
	if got := mute(3 * MuteAfter); got != "g" {
		t.Errorf("a minute later: %q", got)
	}
	f.See(here("f"))
	if got := mute(3 * MuteAfter); got != "" || len(f.members) != 1 || f.MuteText() != "" {
		t.Errorf("when g has left: %q, %d members, %q", got, len(f.members), f.MuteText())
	}
}

func TestSlotsOfAFetcherAreBoundedByTheJob(t *testing.T) {
	f := NewFetchers()
	f.See([]crawler.FetcherStatus{{Name: "f", Slots: 3}, {Name: "g", Slots: 2}})
	for most, want := range map[int]int{0: 5, 1: 2, 2: 4, 3: 5, 9: 5} {
		if got := f.Slots(most); got != want {
			t.Errorf("at most %d each: %d", most, got)
		}
	}
}

func TestNoNetworkIsThereUnlessAFetcherHasOne(t *testing.T) {
	for name, tt := range map[string]struct {
		all  []crawler.FetcherStatus
		away bool
	}{
		"nobody":                        {nil, true},
		"one without slots":             {[]crawler.FetcherStatus{{Name: "f"}}, true},
		"one that hears nothing":        {[]crawler.FetcherStatus{{Name: "f", Slots: 1, Silent: 1}}, true},
		"one that hears, and one other": {[]crawler.FetcherStatus{{Name: "f", Slots: 1, Silent: 1}, {Name: "g", Slots: 1}}, false},
	} {
		f := NewFetchers()
		if f.See(tt.all); f.Away() != tt.away {
			t.Errorf("%s: %v", name, f.Away())
		}
	}
}

func TestStatusNamesFetchersThatLeft(t *testing.T) {
	f, turns := NewFetchers(), NewTurns()
	f.See(here("g"))
	for _, name := range []string{"g", "f", "f"} {
		f.Settled(name)
	}
	for h, by := range map[weburl.Host]string{"a.test": "f", "b.test": "g", "c.test": "g"} {
		turns.Put(&Turn{TurnState: crawler.TurnState{Host: h, Held: true, Fetcher: by}})
	}
	all := f.Status(turns)
	if len(all) != 2 || all[0].Name != "f" || all[0].Pages != 2 || all[0].Turns != 1 || all[0].Slots != 0 ||
		all[1].Name != "g" || all[1].Pages != 1 || all[1].Turns != 2 || all[1].Slots != 3 {
		t.Errorf("%+v", all)
	}
}

func TestFetchersBeyondTheLimitAreCountedTogether(t *testing.T) {
	f := NewFetchers()
	for n := range maxNames + 50 {
		f.Settled(fmt.Sprint("f", n))
	}
	f.Settled("f1")
	if len(f.pages) != maxNames+1 || f.pages[otherFetchers] != 50 || f.pages["f1"] != 2 {
		t.Errorf("%d names, %d fetches of others", len(f.pages), f.pages[otherFetchers])
	}
}

func TestAFetcherIsOverloadedWhenOthersHaveLess(t *testing.T) {
	for name, tt := range map[string]struct {
		fetchers, held, others int
		want                   bool
	}{
		"one that is alone":               {1, 9, 0, false},
		"one of two, with half":           {2, 10, 10, false},
		"one of two, with a little more":  {2, 11, 9, false},
		"one of two, with much more":      {2, 13, 7, true},
		"one of two, with the only turn":  {2, 1, 0, false},
		"one of two, with both of two":    {2, 2, 0, false},
		"one of two, with all of four":    {2, 4, 0, true},
		"one of four, with all of a few":  {4, 3, 0, true},
		"one of four, with one of a few":  {4, 1, 2, false},
		"one of four, with a hundred":     {4, 100, 300, false},
		"one of four, with too many":      {4, 130, 270, true},
		"one that the others pass by far": {4, 10, 390, false},
	} {
		f, turns := NewFetchers(), NewTurns()
		f.See(make([]crawler.FetcherStatus, tt.fetchers))
		put := func(n int, fetcher string) {
			for range n {
				host := weburl.Host(fmt.Sprintf("h%d.test", turns.Len()))
				turns.Put(&Turn{TurnState: crawler.TurnState{Host: host, Held: true, Fetcher: fetcher}})
			}
		}
		put(tt.held, "a")
		put(tt.others, "b")
		if got := f.Overloaded("a", turns); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
