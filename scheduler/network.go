package scheduler

import (
	"maps"
	"slices"
	"time"

	"trawl/crawler"
)

// noteSilence remembers since when each fetcher's network has been away, for which it is told a duration once.
func (s *Scheduler) noteSilence(fetchers []crawler.FetcherStatus) {
	before, now := s.silent.Load(), make(map[string]time.Time)
	for _, f := range fetchers {
		if f.Silent <= 0 {
			continue
		}
		now[f.Name] = time.Now().Add(-f.Silent)
		if before != nil {
			if since, ok := (*before)[f.Name]; ok {
				now[f.Name] = since
			}
		}
	}
	if before == nil || !maps.Equal(*before, now) {
		s.silent.Store(&now)
	}
}

// present are the fetchers that there are. One whose network is away is said to be silent since it was first told.
func (s *Scheduler) present() []crawler.FetcherStatus {
	all := s.fetchers.Load()
	if all == nil {
		return nil
	}
	silent := s.silent.Load()
	if silent == nil || len(*silent) == 0 {
		return *all
	}
	present := slices.Clone(*all)
	for i := range present {
		if since, ok := (*silent)[present[i].Name]; ok && present[i].Silent > 0 {
			present[i].Silent = time.Since(since)
		}
	}
	return present
}
