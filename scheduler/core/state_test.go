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

func TestARenewalOfATurnEndsItsLapse(t *testing.T) {
	inBubble(t, "in this step and for those that follow", func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.seed("http://a.test/")
		d.ask(d.take(), 1)
		for _, edited := range []bool{false, true} {
			st := d.s.newStep()
			committed := d.s.core.state.turns["a.test"]
			committed.lapsing, committed.spared = true, true
			now := committed
			if edited {
				now = st.editTurn("a.test")
			}
			st.renew("a.test", now)
			for _, turn := range []*turn{committed, now} {
				if turn.lapsing || turn.spared || !turn.until.Equal(st.now.Add(d.s.core.state.job.Job.Lease)) {
					t.Errorf("edited %v: lapsing %v, spared %v, until %v", edited, turn.lapsing, turn.spared, turn.until)
				}
			}
		}
	})
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
