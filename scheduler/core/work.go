package core

import (
	"trawl/crawler"
)

// Limits of one step of the work on the whole ledger, so that asks and signals are heard between two.
const (
	// workHosts is how many hosts are counted in one step.
	workHosts = 300
	// workRows is how many failed URLs are taken up in one step, and workScan how many rows are looked at for them.
	workRows, workScan = 300, 3000
)

// workPending reports whether work on the whole ledger is left, as this step has it.
func (st *Step) workPending() bool {
	if st.changes.Work != nil {
		return st.changes.Work.Pending()
	}
	return st.s.work.Pending()
}

// workOn does the next piece of the work on the whole ledger.
func (st *Step) workOn() {
	if !st.s.work.Pending() {
		return
	}
	work := st.s.work.Clone()
	if work.Recount != nil {
		st.recount(&work)
	} else {
		st.retryFailed(&work)
	}
	st.changes.Work = &work
}

// recount counts the next hosts under the current limits. Those that this step has changed were counted when it looked at them.
func (st *Step) recount(work *crawler.Work) {
	n := 0
	for h, err := range st.read.HostsFrom(work.Recount.From) {
		if err != nil {
			st.fail(err, "read hosts")
			return
		}
		if n++; n > workHosts {
			return
		}
		if _, edited := st.hosts[h.Host]; !edited {
			fresh := h
			st.countDeep(&fresh)
			fresh.Park(&st.s.job.Job)
			if fresh.Deep != h.Deep || fresh.Parked != h.Parked {
				st.host(h.Host)
			}
		}
		var more bool
		if work.Recount.From, more = h.Host.Key().After(); !more {
			break
		}
	}
	work.Recount = nil
}

// countDeep counts the host's URLs beyond the current depth.
func (st *Step) countDeep(h *crawler.HostState) {
	h.Deep = 0
	depth := st.s.job.Job.Depth
	if depth < 0 || h.Counts[crawler.Waiting]+h.Counts[crawler.Leased] == 0 {
		return
	}
	n, err := st.read.Beyond(h.Host, depth)
	st.fail(err, "count the deep URLs of %s", h.Host)
	h.Deep = n
}

// retryFailed lets the next URLs that failed with the reason wait again, and takes their hosts up again.
func (st *Step) retryFailed(work *crawler.Work) {
	retry := &work.Retry[0]
	scanned, taken := 0, 0
	for row, err := range st.read.RowsFrom(retry.From) {
		if err != nil {
			st.fail(err, "read rows")
			return
		}
		if scanned++; scanned > workScan || taken == workRows {
			return
		}
		row = st.current(row)
		if st.retries(row, retry.Reason) {
			taken++
			st.takeUp(row)
		}
		var more bool
		if retry.From, more = row.Key().After(); !more {
			break
		}
	}
	work.Retry = work.Retry[1:]
}

// retries reports whether a row is to wait again that failed with the reason, or any when it is "". Links that looked
// like traps are looked at again.
func (st *Step) retries(row *crawler.Row, why crawler.Reason) bool {
	if row.Outcome == crawler.Excluded && row.Reason == crawler.ReasonTrap {
		return (why == "" || why == crawler.ReasonTrap) && st.s.job.Job.Trap(row.URL) == ""
	}
	return row.Outcome == crawler.Failed && (why == "" || row.Reason == why)
}
