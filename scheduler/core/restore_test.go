package core

import (
	"context"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

func TestARecallThatIsCutOffIsDoneAgain(t *testing.T) {
	led := schedulertest.NewLedger()
	job := crawler.NewJob(crawler.Crawl)
	led.State = crawler.LedgerState{Life: crawler.Life{2}, Origin: crawler.Life{1}, Recall: true, State: crawler.JobState{Job: job, Given: job}}
	led.Refuse = context.DeadlineExceeded
	o := shellOptions{Job: job, Ledger: led, Tasks: schedulertest.NewQueues(1), Results: schedulertest.NewQueues(1)}
	if _, err := newShell(t.Context(), o); err == nil {
		t.Fatal("a ledger that cannot be written was started")
	}
	led.Refuse = nil
	before := time.Now()
	for range 2 { // the second start keeps to what the first one stored
		s, err := newShell(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if led.State.Recall || s.core.state.quiet.Before(before.Add(job.Lease+job.Grace)) || !s.core.state.quiet.Equal(led.State.Quiet) {
			t.Errorf("recall %v, quiet until %v, stored %v", led.State.Recall, s.core.state.quiet, led.State.Quiet)
		}
		if got := s.Status().WaitsFor; got == "" {
			t.Error("status does not say what it waits for")
		}
	}
}

func TestNobodyIsAskedBeforeARestoredLedgerMay(t *testing.T) {
	now := time.Unix(1000, 0)
	job := crawler.NewJob(crawler.Crawl)
	job.Delay = 2 * time.Second
	slow := crawler.HostState{Host: "slow.test", CrawlDelay: 10 * time.Second}
	for name, tt := range map[string]struct {
		s    state
		h    crawler.HostState
		want time.Time
	}{
		"never restored, never asked":   {state{life: life{startedAt: now}}, crawler.HostState{}, time.Time{}},
		"never restored, asked":         {state{life: life{startedAt: now}}, crawler.HostState{Asked: true}, now.Add(2 * time.Second)},
		"restored, never asked":         {state{life: life{startedAt: now}, committed: committed{quiet: now.Add(time.Minute)}}, crawler.HostState{}, now.Add(62 * time.Second)},
		"restored, with a longer delay": {state{life: life{startedAt: now}, committed: committed{quiet: now.Add(time.Minute)}}, slow, now.Add(70 * time.Second)},
		"restored long ago, asked":      {state{life: life{startedAt: now}, committed: committed{quiet: now.Add(-time.Hour)}}, crawler.HostState{Asked: true}, now.Add(2 * time.Second)},
	} {
		tt.s.job.Job = job
		if got := tt.s.notBefore(&tt.h); !got.Equal(tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
