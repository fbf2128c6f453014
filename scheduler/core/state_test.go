package core

import (
	"fmt"
	"testing"

	"trawl/crawler"
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
