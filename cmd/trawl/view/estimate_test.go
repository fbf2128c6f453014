package view

import (
	"errors"
	"testing"
	"time"

	"trawl"
	"trawl/crawler"
	"trawl/crawler/weburl"
)

func TestTheEstimateComesFromHostsAndPace(t *testing.T) {
	for name, c := range map[string]struct {
		delay      time.Duration
		perHost    int
		seen, done int64
		hosts      int64
		busiest    int64
		workers    int
		want       string
	}{
		"without delay":                                  {0, 2, 2000, 0, 20, 100, 1024, "2,000 URLs on 20 hosts: about 13 s at this pace (no delay, 2 connections)"},
		"with a delay, the answer comes on top":          {time.Second, 1, 1000, 0, 10, 100, 1024, "1,000 URLs on 10 hosts: about 2 min 5 s at this pace (1s between requests to a host)"},
		"with a delay and connections, it does not":      {time.Second, 2, 1000, 0, 10, 100, 1024, "1,000 URLs on 10 hosts: about 1 min 40 s at this pace (1s between requests to a host, 2 connections)"},
		"a host with most URLs takes as long as it does": {time.Second, 2, 1000, 0, 10, 900, 1024, "1,000 URLs on 10 hosts: about 15 min at this pace (1s between requests to a host, 2 connections)"},
		"few workers":       {0, 1, 1000, 0, 100, 10, 10, "1,000 URLs on 100 hosts: about 25 s at this pace (no delay)"},
		"workers elsewhere": {0, 1, 1000, 0, 100, 10, 0, "1,000 URLs on 100 hosts: about 3 s at this pace (no delay)"},
		"gone on with":      {time.Second, 2, 1000, 500, 10, 100, 1024, "500 of 1,000 URLs left on 10 hosts: about 50 s at this pace (1s between requests to a host, 2 connections)"},
		"a single URL":      {0, 2, 1, 0, 1, 1, 1024, "1 URLs on 1 hosts: about 1 s at this pace (no delay, 2 connections)"},
		"nothing to do":     {0, 2, 10, 10, 1, 1, 1024, ""},
	} {
		job := crawler.NewJob(crawler.Download)
		job.Delay, job.PerHost = c.delay, c.perHost
		s := crawler.Status{Seen: c.seen, Waiting: c.seen - c.done, Fetched: c.done, Hosts: c.hosts}
		if got := estimate(&job, &s, c.busiest, c.workers); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSeedsAreCountedByHostOnTheirWay(t *testing.T) {
	var c SeedCount
	seeds := func(yield func(trawl.Seed, error) bool) {
		for _, text := range []string{"http://a.example/1", "http://b.example/1", "http://a.example/2", "", "http://a.example/3"} {
			u, err := weburl.Parse(text)
			if text == "" {
				err = errors.New("bad line")
			}
			if !yield(trawl.Seed{URL: u}, err) {
				return
			}
		}
	}
	good, bad := 0, 0
	for _, err := range c.Count(seeds) {
		if err != nil {
			bad++
		} else if good++; good == 4 {
			break
		}
	}
	if good != 4 || bad != 1 || c.busiest != 3 || len(c.hosts) != 2 {
		t.Errorf("%d good and %d bad came through, the busiest of %d hosts has %d; want 4, 1, 2, 3", good, bad, len(c.hosts), c.busiest)
	}
}
