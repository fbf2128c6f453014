package crawler

import (
	"testing"
	"time"
)

func TestWhereARowStands(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(s *JobState, t *Tallies, h *HostState, r *Row)
		leased  bool
		outcome Outcome
		reason  Reason
	}{
		{name: "it waits for its host only", change: func(*JobState, *Tallies, *HostState, *Row) {}},
		{name: "a final row keeps what it says", change: func(s *JobState, _ *Tallies, _ *HostState, r *Row) {
			r.Outcome, r.Reason, s.Paused = Failed, ReasonDNS, true
		}, outcome: Failed, reason: ReasonDNS},
		{name: "a leased row has no reason", change: func(s *JobState, _ *Tallies, _ *HostState, r *Row) { r.Depth, s.Paused = 9, true }, leased: true, outcome: Leased},
		{name: "too deep", change: func(_ *JobState, _ *Tallies, _ *HostState, r *Row) { r.Depth = 4 }, reason: ReasonLimit},
		{name: "just deep enough", change: func(_ *JobState, _ *Tallies, _ *HostState, r *Row) { r.Depth = 3 }},
		{name: "enough pages of the host", change: func(_ *JobState, _ *Tallies, h *HostState, _ *Row) { h.Counts[Fetched] = 5 }, reason: ReasonLimit},
		{name: "enough pages", change: func(_ *JobState, t *Tallies, _ *HostState, _ *Row) { t.Counts[Fetched] = 7 }, reason: ReasonLimit},
		{name: "enough bytes", change: func(_ *JobState, t *Tallies, _ *HostState, _ *Row) { t.Bytes = 1000 }, reason: ReasonLimit},
		{name: "a limit is stronger than a retry", change: func(_ *JobState, t *Tallies, _ *HostState, r *Row) { t.Bytes, r.RetryAt = 1000, noon }, reason: ReasonLimit},
		{name: "a retry is stronger than a pause", change: func(s *JobState, _ *Tallies, _ *HostState, r *Row) { r.RetryAt, s.Paused = noon, true }, reason: ReasonRetry},
		{name: "a pause is stronger than a clock", change: func(s *JobState, _ *Tallies, h *HostState, _ *Row) {
			s.Paused, h.CrawlDelay, h.Next = true, time.Minute, noon.Add(1)
		}, reason: ReasonPaused},
		{name: "Crawl-delay", change: func(_ *JobState, _ *Tallies, h *HostState, _ *Row) { h.CrawlDelay, h.Next = time.Minute, noon.Add(1) }, reason: ReasonCrawlDelay},
		{name: "Crawl-delay that is over", change: func(_ *JobState, _ *Tallies, h *HostState, _ *Row) { h.CrawlDelay, h.Next = time.Minute, noon }},
		{name: "Crawl-delay that is not longer than the user's", change: func(s *JobState, _ *Tallies, h *HostState, _ *Row) {
			s.Job.Delay, h.CrawlDelay, h.Next = time.Minute, time.Minute, noon.Add(1)
		}},
		{name: "a back-off that is longer than Crawl-delay", change: func(_ *JobState, _ *Tallies, h *HostState, _ *Row) {
			h.CrawlDelay, h.Penalty, h.Next = time.Minute, time.Hour, noon.Add(1)
		}},
		{name: "a host that is being asked", change: func(_ *JobState, _ *Tallies, h *HostState, _ *Row) {
			h.CrawlDelay, h.Turn, h.Next = time.Minute, TurnID{1}, noon.Add(1)
		}},
		{name: "a host that is away", change: func(_ *JobState, _ *Tallies, h *HostState, _ *Row) {
			h.CrawlDelay, h.Away, h.Next = time.Minute, ReasonDNS, noon.Add(1)
		}},
	} {
		s := JobState{Job: Job{Kind: Crawl, Depth: 3, MaxPerHost: 5, MaxPages: 7, MaxBytes: 1000, Delay: time.Second, MaxCrawl: time.Minute}}
		r := &Row{}
		var tallies Tallies
		h := HostState{Host: "a.test"}
		c.change(&s, &tallies, &h, r)
		if o, why := s.Standing(&tallies, &h, r, c.leased, noon); o != c.outcome || why != c.reason {
			t.Errorf("%s: %v, %q; want %v, %q", c.name, o, why, c.outcome, c.reason)
		}
	}
}

func TestNoRowIsTooDeepWhereNoJobIsKnown(t *testing.T) {
	if none := new(Job); none.TooDeep(9) {
		t.Error("it is")
	}
}
