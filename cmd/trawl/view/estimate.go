package view

import (
	"cmp"
	"fmt"
	"iter"
	"sync"
	"time"

	"trawl"
	"trawl/crawler"
	"trawl/crawler/weburl"
)

const (
	// maxCountedHosts bounds the hosts whose seeds are counted for the estimate, about 100 bytes each.
	maxCountedHosts = 1 << 16
	// assumedAnswer is how long an answer is taken to need before one was seen.
	assumedAnswer = 250 * time.Millisecond
)

// SeedCount counts seeds by host while they are read. Its methods are safe for concurrent use.
type SeedCount struct {
	mu      sync.Mutex
	hosts   map[weburl.Host]int64
	busiest int64 // seeds of the host with the most
}

// Count passes the seeds on and counts them.
func (c *SeedCount) Count(seeds iter.Seq2[trawl.Seed, error]) iter.Seq2[trawl.Seed, error] {
	return func(yield func(trawl.Seed, error) bool) {
		for s, err := range seeds {
			if err == nil {
				c.add(s.URL.Host())
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

func (c *SeedCount) add(h weburl.Host) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hosts == nil {
		c.hosts = make(map[weburl.Host]int64)
	}
	if _, known := c.hosts[h]; known || len(c.hosts) < maxCountedHosts {
		c.hosts[h]++
		c.busiest = max(c.busiest, c.hosts[h])
	}
}

// estimate is the line about the time that a download will take, as far as hosts and pace tell it.
func estimate(job *crawler.Job, s *crawler.Status, busiest int64, workers int) string {
	open := s.Waiting + s.Leased
	if open == 0 || s.Hosts == 0 {
		return ""
	}
	urls := Count(open) + " URLs"
	if done := s.Seen - open; done > 0 {
		urls = Count(open) + " of " + Count(s.Seen) + " URLs left"
	}
	each := max(job.Delay, assumedAnswer/time.Duration(job.PerHost)) // from start to start
	if job.PerHost == 1 {
		each = job.Delay + assumedAnswer // from the end of an answer
	}
	atOnce := min(s.Hosts, int64(cmp.Or(workers, trawl.MaxWorkers)))
	even := (open + atOnce - 1) / atOnce
	left := (busiest*open + s.Seen - 1) / s.Seen // of the busiest host, if it is as far as the others
	took := time.Duration(max(even, left)) * each
	pace := "no delay"
	if job.Delay > 0 {
		pace = job.Delay.String() + " between requests to a host"
	}
	if job.PerHost > 1 {
		pace += fmt.Sprintf(", %d connections", job.PerHost)
	}
	return fmt.Sprintf("%s on %s hosts: about %s at this pace (%s)", urls, Count(s.Hosts), durationText(max(took, time.Second)), pace)
}
