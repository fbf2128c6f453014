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

// silentFor is for how long the fetcher's network has been away, 0 when it is not.
func (s *Scheduler) silentFor(fetcher string) time.Duration {
	if m := s.silent.Load(); m != nil {
		if since, ok := (*m)[fetcher]; ok {
			return time.Since(since)
		}
	}
	return 0
}

// silentFetcher names a fetcher whose network is away, "" when there is none.
func silentFetcher(all []crawler.FetcherStatus) string {
	for i := range all {
		if text := all[i].SilentText(); text != "" {
			return "fetcher " + all[i].Name + " " + text
		}
	}
	return ""
}

// networkAway reports whether no fetcher is there whose network is: then nobody is asked, and no host is to be blamed for the time.
func (s *Scheduler) networkAway() bool {
	f := s.fetchers.Load()
	return f == nil || !slices.ContainsFunc(*f, func(one crawler.FetcherStatus) bool { return one.Slots > 0 && one.Silent <= 0 })
}
