package fetcher

import (
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/download"
)

// away ends the turn at the fault that makes its host away, and reports whether it did: the other URLs go back untried. The
// scheduler decides by the same rules from what is reported, over all turns.
func (t *turn) away(r *crawler.Result) bool {
	var gone bool
	switch fault := r.Fault(); {
	case fault == crawler.FaultNoConnection:
		gone = true
	case fault == crawler.FaultNoAnswer:
		t.mu.Lock()
		t.silent, gone = t.silent.Add(r.URL.Key().URL)
		t.mu.Unlock()
	case r.Answered():
		t.mu.Lock()
		t.silent = nil
		t.mu.Unlock()
	}
	if gone {
		t.end()
	}
	return gone
}

// unreached ends the turn because there was no connection to ask for robots.txt. That says nothing of the rules; it is reported as
// the failure of the URL that they were to be read for.
func (t *turn) unreached(u weburl.URL, f *crawler.RobotsFile) {
	t.end()
	t.report.add(&crawler.Result{
		URL: u, Outcome: crawler.Failed, Reason: f.Fault, Detail: download.Detail("asking for robots.txt: " + f.Detail),
		FetchedAt: time.Now().Round(0).UTC(), Unsent: true,
	}, 0, nil, true)
}
