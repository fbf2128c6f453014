package crawler

import (
	"reflect"
	"testing"
	"time"

	"trawl/crawler/weburl"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// waiting is a host with so many URLs that wait.
func waiting(n int64, more ...func(*HostState)) *HostState {
	h := &HostState{Host: "a.test", Next: noon}
	h.Counts[Waiting] = n
	for _, f := range more {
		f(h)
	}
	return h
}

func TestWhenAHostIsDue(t *testing.T) {
	retries := func(n int64, at time.Time) func(*HostState) {
		return func(h *HostState) { h.Retry, h.RetryAt = n, at }
	}
	parked := func(n int64) func(*HostState) { return func(h *HostState) { h.Parked = n } }
	away := func(h *HostState) { h.GivenUp = ReasonDNS }
	held := func(h *HostState) { h.Turn = TurnID{1} }
	handing := func(h *HostState) { h.Handing = 1 }
	errand := func(h *HostState) { h.Errands = 1 }
	elsewhere := func(h *HostState) { h.RobotsWait = true }
	later, never := noon.Add(time.Minute), time.Time{}
	for _, c := range []struct {
		what string
		h    *HostState
		due  bool
		at   time.Time
	}{
		{"nothing waits", waiting(0), false, never},
		{"one URL waits", waiting(1), true, noon},
		{"it is held", waiting(1, held), false, never},
		{"held, though answers are to be handed on", waiting(1, held, handing), false, never},
		{"answers are to be handed on: at once", waiting(0, handing), true, never},
		{"it is given up and one URL waits: at once", waiting(1, away), true, never},
		{"it is given up and an errand waits: at once", waiting(0, away, errand), true, never},
		{"it is given up and nothing waits", waiting(0, away), false, never},
		{"an errand waits", waiting(0, errand), true, noon},
		{"an errand waits, and its own robots.txt is elsewhere", waiting(1, errand, elsewhere), true, noon},
		{"its robots.txt is elsewhere", waiting(1, elsewhere), false, never},
		{"all that waits is parked", waiting(2, parked(2)), false, never},
		{"one is not parked", waiting(2, parked(1)), true, noon},
		{"a retry is due later", waiting(1, retries(1, later)), true, later},
		{"a retry was due earlier than the host may be asked", waiting(1, retries(1, noon.Add(-1))), true, noon},
		{"one of two is a retry", waiting(2, retries(1, later)), true, noon},
		{"the retry may be the one that is not parked", waiting(2, retries(1, later), parked(1)), true, later},
		{"retries are leased, and nothing waits", waiting(0, retries(1, later)), false, never},
		{"retries, and all is parked", waiting(2, retries(1, later), parked(2)), false, never},
	} {
		t.Run(c.what, func(t *testing.T) {
			if at, due := c.h.Due(); due != c.due || !at.Equal(c.at) {
				t.Errorf("%v %v, want %v %v", at, due, c.at, c.due)
			}
		})
	}
}

func TestAHostIsIdleWhenNothingOfItIsLeft(t *testing.T) {
	count := func(o Outcome) *HostState { h := &HostState{}; h.Counts[o] = 1; return h }
	both := waiting(1)
	both.Counts[Leased] = 1
	for what, c := range map[string]struct {
		h    *HostState
		idle bool
	}{
		"a new one":            {&HostState{}, true},
		"one URL waits":        {count(Waiting), false},
		"one URL is leased":    {count(Leased), false},
		"one of each":          {both, false},
		"one URL was fetched":  {count(Fetched), true},
		"an errand waits":      {&HostState{Errands: 1}, false},
		"an answer is to hand": {&HostState{Handing: 1}, true},
	} {
		if c.h.Idle() != c.idle {
			t.Errorf("%s: idle is %v", what, !c.idle)
		}
	}
}

func TestAHostIsGoneWhileItIsAwayAndNotGivenUp(t *testing.T) {
	h := HostState{Host: "a.test", Next: noon, GivenUp: ""}
	if h.Gone() {
		t.Error("a host that is there is gone")
	}
	h.Away, h.AwayDetail, h.AwaySince, h.Failed, h.Silent = ReasonDNS, "no such host", noon, 3, Streak{1, 2}
	if !h.Gone() {
		t.Error("a host that is away is not gone")
	}
	if h.GivenUp = ReasonDNS; h.Gone() {
		t.Error("a host that is given up is still probed")
	}
	h.GivenUp = ""
	if h.Back(); !reflect.DeepEqual(h, HostState{Host: "a.test", Next: noon}) {
		t.Errorf("of a host that is back stays %+v", h)
	}
}

func TestWhatIsParkedFollowsTheLimitsOfTheJob(t *testing.T) {
	j := NewJob(Crawl)
	own := int64(3)
	j.Hosts = []HostRule{{Match: "own.test", MaxPages: &own}}
	for _, c := range []struct {
		what    string
		host    weburl.Host
		most    int64
		fetched int64
		want    int64
	}{
		{"no limit: those that are too deep", "a.test", 0, 100, 2},
		{"below the limit", "a.test", 10, 9, 2},
		{"at the limit all wait", "a.test", 10, 10, 7},
		{"above it too", "a.test", 10, 11, 7},
		{"the smallest limit", "a.test", 1, 1, 7},
		{"a host's own limit", "own.test", 10, 3, 7},
		{"below it", "own.test", 1, 2, 2},
	} {
		h := waiting(7, func(h *HostState) { h.Host, h.Deep, h.Parked = c.host, 2, 5 })
		h.Counts[Fetched] = c.fetched
		j.MaxPerHost = c.most
		if h.Park(&j); h.Parked != c.want {
			t.Errorf("%s: %d are parked, want %d", c.what, h.Parked, c.want)
		}
	}
}

func TestTheLongestDelayIsInForce(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		what                       string
		job, penalty, robots, most time.Duration
		ignore                     bool
		want                       time.Duration
	}{
		{"the job's", 3 * s, 2 * s, 1 * s, 60 * s, false, 3 * s},
		{"the back-off", 1 * s, 3 * s, 2 * s, 60 * s, false, 3 * s},
		{"that of robots.txt", 1 * s, 2 * s, 3 * s, 60 * s, false, 3 * s},
		{"up to its cap", 1 * s, 2 * s, 90 * s, 60 * s, false, 60 * s},
		{"unless it is ignored", 1 * s, 2 * s, 90 * s, 60 * s, true, 2 * s},
	} {
		h := HostState{Host: "a.test", Penalty: c.penalty, CrawlDelay: c.robots}
		j := Job{Delay: c.job, MaxCrawl: c.most, IgnoreRobots: c.ignore}
		if got := h.DelayInForce(&j); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

func TestTheLaterTimeIsTheGreater(t *testing.T) {
	later := noon.Add(1)
	if MaxTime(noon, later) != later || MaxTime(later, noon) != later {
		t.Error("the earlier time is the greater")
	}
}

func TestASetOfSchemes(t *testing.T) {
	var none SchemeSet
	plain, secure := none.With("http"), none.With("https")
	for what, c := range map[string]struct {
		set         SchemeSet
		http, https bool
	}{"none": {none, false, false}, "http": {plain, true, false}, "https": {secure, false, true}, "both": {plain.With("https"), true, true}, "twice": {plain.With("http"), true, false}} {
		if c.set.Has("http") != c.http || c.set.Has("https") != c.https {
			t.Errorf("%s: %b", what, c.set)
		}
	}
	if plain != 1 || secure != 2 {
		t.Errorf("stored sets have http as 1 and https as 2, and not %d and %d", plain, secure)
	}
}

func TestAURLIsTakenFromATurnOnce(t *testing.T) {
	turn := TurnState{URLs: []uint64{5, 6, 7}}
	for _, c := range []struct {
		url   uint64
		taken bool
		left  []uint64
	}{{8, false, []uint64{5, 6, 7}}, {5, true, []uint64{6, 7}}, {5, false, []uint64{6, 7}}, {7, true, []uint64{6}}, {6, true, []uint64{}}} {
		if got := turn.Take(c.url); got != c.taken || !reflect.DeepEqual(turn.URLs, c.left) {
			t.Errorf("%d: taken %v, left %v; want %v, %v", c.url, got, turn.URLs, c.taken, c.left)
		}
	}
}

func TestTallies(t *testing.T) {
	var y Tallies
	for i := range y.Counts {
		y.Counts[i] = 1 << i
	}
	if want := int64(1)<<len(y.Counts) - 1; y.Seen() != want {
		t.Errorf("%d rows seen, want %d", y.Seen(), want)
	}
	for _, c := range []struct {
		what                    string
		waiting, parked, leased int64
		done                    bool
	}{
		{"nothing is left", 0, 0, 0, true},
		{"one waits", 1, 0, 0, false},
		{"one is leased", 0, 0, 1, false},
		{"all that wait are parked", 2, 2, 0, true},
		{"one of them is not", 2, 1, 0, false},
		{"one waits, one is parked, one is leased", 2, 1, 1, false},
		{"parked ones and one that is leased", 2, 2, 1, false},
	} {
		var y Tallies
		y.Counts[Waiting], y.Counts[Leased], y.Counts[Fetched], y.Parked = c.waiting, c.leased, 9, c.parked
		if new(Job).Ended(&y) != c.done {
			t.Errorf("%s: done is %v", c.what, !c.done)
		}
	}
	full := Tallies{Parked: 1, Reasons: map[Reason]int64{ReasonDNS: 1}, Dropped: map[string]int64{DropScope: 2}, Bounds: map[string]int64{BoundScope: 3}}
	c := full.Clone()
	if !reflect.DeepEqual(c, full) {
		t.Errorf("a copy of %+v is %+v", full, c)
	}
	c.Reasons[ReasonDNS], c.Dropped[DropScope], c.Bounds[BoundScope] = 7, 7, 7
	if full.Reasons[ReasonDNS] != 1 || full.Dropped[DropScope] != 2 || full.Bounds[BoundScope] != 3 {
		t.Error("a copy shares maps")
	}
	none := (&Tallies{}).Clone()
	if none.Reasons == nil || none.Dropped == nil || none.Bounds == nil {
		t.Error("a copy cannot be counted in")
	}
}

func TestChangesAreEmptyOnlyWithoutAnyThatCounts(t *testing.T) {
	if c := (Changes{Now: noon}); !c.Empty() {
		t.Error("the time alone is a change")
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Changes]()) {
		if f.Name == "Now" {
			continue
		}
		var c Changes
		v := reflect.ValueOf(&c).Elem().FieldByIndex(f.Index)
		v.Set(someValue(f.Type))
		if c.Empty() {
			t.Errorf("a change of %s is none", f.Name)
		}
		c.Rows = make([]RowChange, 1)
		if c.Empty() {
			t.Errorf("a change of %s and a row is none", f.Name)
		}
	}
}

// someValue is one that is not zero: a list with one element, a number that is no default, a struct whose first field is such.
func someValue(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch {
	case t == reflect.TypeFor[time.Time]():
		return reflect.ValueOf(noon)
	case t.Kind() == reflect.Slice:
		return reflect.MakeSlice(t, 1, 1)
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(someScalar(t.Elem()))
	case t.Kind() == reflect.Struct:
		v.Field(0).Set(someValue(t.Field(0).Type))
	default:
		return someScalar(t)
	}
	return v
}

func someScalar(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch {
	case v.CanInt():
		v.SetInt(7)
	case v.CanUint():
		v.SetUint(7)
	case t.Kind() == reflect.Bool:
		v.SetBool(true)
	case t.Kind() == reflect.String:
		v.SetString("debug")
	}
	return v
}
