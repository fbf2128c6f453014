package export

import (
	"iter"
	"slices"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Filter chooses rows of an export. A row must meet every condition that is set; the zero value takes all.
type Filter struct {
	Outcomes []crawler.Outcome // one of these, as a ledger has them; empty = any
	Hosts    []weburl.Host     // on one of these; empty = any. The ledger's RowsOf spares the reading of others
	Since    time.Time         // newest fetch began then or later, which leaves out what was never fetched; zero = any
}

// Rows passes on the rows that meet the filter, in their order, and errors.
func (f Filter) Rows(rows iter.Seq2[*crawler.Row, error]) iter.Seq2[*crawler.Row, error] {
	if len(f.Outcomes) == 0 && len(f.Hosts) == 0 && f.Since.IsZero() {
		return rows
	}
	hosts := hostSet(f.Hosts)
	return func(yield func(*crawler.Row, error) bool) {
		for r, err := range rows {
			if err == nil && !f.meets(r, hosts) {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (f Filter) meets(r *crawler.Row, hosts map[weburl.Host]bool) bool {
	switch {
	case len(f.Outcomes) > 0 && !slices.Contains(f.Outcomes, r.Outcome):
		return false
	case !f.Since.IsZero() && (r.FetchedAt.IsZero() || r.FetchedAt.Before(f.Since)):
		return false
	}
	return len(hosts) == 0 || hosts[r.URL.Host()]
}

func hostSet(hosts []weburl.Host) map[weburl.Host]bool {
	set := make(map[weburl.Host]bool, len(hosts))
	for _, h := range hosts {
		set[h] = true
	}
	return set
}
