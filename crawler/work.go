package crawler

import (
	"slices"

	"trawl/crawler/weburl"
)

// Work is what is still to be done to the ledger as a whole: in steps, beside the crawl. Where it stands is stored with each step,
// so a start continues it; until it is through the job is not done.
type Work struct {
	// Recount: hosts are to be counted under limits that changed, those with lower keys are done. nil = none. A host beyond it that
	// is changed meanwhile is counted then.
	Recount *RecountWork `json:"recount,omitempty"`
	Retry   []RetryWork  `json:"retry,omitempty"` // failed URLs are to wait again, one after the other
}

// RecountWork is how far the counting of hosts is.
type RecountWork struct {
	From weburl.HostKey `json:"from"`
}

// RetryWork is how far the taking up of failed URLs is.
type RetryWork struct {
	Reason Reason        `json:"reason"` // "" = any
	From   weburl.URLKey `json:"from"`
}

// Pending reports whether anything is left.
func (w *Work) Pending() bool { return w.Recount != nil || len(w.Retry) > 0 }

// Counts reports whether this host is still to be counted.
func (w *Work) Counts(h weburl.HostKey) bool { return w.Recount != nil && h >= w.Recount.From }

// Clone copies the work, so that the copy can be changed.
func (w *Work) Clone() Work {
	c := Work{Retry: slices.Clone(w.Retry)}
	if w.Recount != nil {
		at := *w.Recount
		c.Recount = &at
	}
	return c
}

// Take adds the taking up of failed URLs, unless that is under way.
func (w *Work) Take(why Reason) {
	if !slices.ContainsFunc(w.Retry, func(r RetryWork) bool { return r.Reason == why }) {
		w.Retry = append(slices.Clip(w.Retry), RetryWork{Reason: why})
	}
}
