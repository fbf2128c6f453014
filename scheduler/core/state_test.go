package core

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

func TestCountsOfReasonsThatAreNoneAreLeftOut(t *testing.T) {
	var m map[crawler.Reason]int64
	if addCount(&m, "x", 2); m["x"] != 2 {
		t.Errorf("%v", m)
	}
	if addCount(&m, "x", -2); len(m) != 0 {
		t.Errorf("%v", m)
	}
}

func TestSettingsOfTwoStartsAreJoined(t *testing.T) {
	if got := fmt.Sprint(union([]string{"a", "b"}, []string{"b", "c"})); got != "[a b c]" {
		t.Error(got)
	}
}

func TestTheWorkOnAWholeLedgerIsSaidOnlyWhileThereIsSome(t *testing.T) {
	s := &state{}
	if w := s.workWord(); w != "" {
		t.Error(w)
	}
	s.work.Retry = []crawler.RetryWork{{}}
	if s.workWord() == "" {
		t.Error("nothing is said of failed URLs that are taken up")
	}
	for from, want := range map[weburl.HostKey]string{0: " 0 %", 1 << 63: " 50 %", math.MaxUint64: " 99 %"} {
		s.work.Retry[0].From.Host = from
		if w := s.workWord(); !strings.Contains(w, want) {
			t.Errorf("at %x it says %q", from, w)
		}
	}
}

func TestTheMemoryIsAsLargeAsIsAskedFor(t *testing.T) {
	led, q := schedulertest.NewLedger(), schedulertest.NewQueues(1)
	s, err := newShell(t.Context(), shellOptions{Job: schedulertest.Job(), Ledger: led, Tasks: q, Results: q, WindowHosts: 3})
	if err != nil {
		t.Fatal(err)
	}
	if hosts := s.core.state.window.Size(); hosts != 3 {
		t.Errorf("%d hosts", hosts)
	}
}
