package main

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage/ledger"
)

const (
	// rounds is in how many pieces the rows of a host come: its URLs are found little by little, so tables overlap and are
	// merged as in a crawl.
	rounds = 2
	// newLinks is how many new URLs a page leads to.
	newLinks = 15
	// fillHosts is how many hosts a commit of the filling has.
	fillHosts = 200
)

// filler writes rows into a ledger without asking whether they are there, in the state that a crawl leaves them.
type filler struct {
	web     *web
	fetched int // in a hundred
	now     time.Time
	total   crawler.Tallies
	number  uint64
}

// fill adds the URLs of the hosts from one number up to another. While one commit is written the next is made.
func (f *filler) fill(l *ledger.Ledger, from, to int) error {
	made := make(chan *crawler.Changes, 1)
	stop := make(chan struct{})
	go func() {
		defer close(made)
		f.make(from, to, func(c *crawler.Changes) bool {
			select {
			case made <- c:
				return true
			case <-stop:
				return false
			}
		})
	}()
	var err error
	for c := range made {
		if err == nil {
			if err = l.Commit(c); err != nil {
				close(stop)
			}
		}
	}
	return err
}

// make makes commits until one is not wanted. Hosts come in the order of their keys, which spares the store most of its work.
func (f *filler) make(from, to int, wanted func(*crawler.Changes) bool) {
	hosts := make([]filled, to-from)
	for i := range hosts {
		hosts[i].number, hosts[i].key = from+i, f.web.url(from+i, 0).Key().Host
	}
	slices.SortFunc(hosts, func(a, b filled) int { return cmp.Compare(a.key, b.key) })
	for round := range rounds {
		for part := range slices.Chunk(hosts, fillHosts) {
			c := &crawler.Changes{Now: f.now}
			for i := range part {
				f.host(c, part[i].number, round, &part[i].counts)
			}
			tallies := f.total.Clone()
			c.Tallies, c.Sequence = &tallies, f.number
			if !wanted(c) {
				return
			}
		}
	}
}

// filled is what is kept of a host while it is filled.
type filled struct {
	number int
	key    weburl.HostKey
	counts [2]int32 // waiting and fetched
}

// host adds a host's rows of a round.
func (f *filler) host(c *crawler.Changes, host, round int, counts *[2]int32) {
	n := f.web.size(host)
	low, high := n*round/rounds, n*(round+1)/rounds
	if low == high {
		return
	}
	home := f.web.url(host, 0)
	var old *crawler.HostState
	if counts[0]+counts[1] > 0 {
		old = f.state(home.Host(), host, counts)
	} else {
		f.total.Hosts++
	}
	block := make([]crawler.Row, high-low) // one allocation for all
	seed := f.web.url(seedOf(host), 0).String()
	for number := low; number < high; number++ {
		r := &block[number-low]
		f.row(r, host, number, seed)
		f.total.Counts[r.Outcome]++
		counts[0]++
		if r.Outcome == crawler.Fetched {
			counts[0]--
			counts[1]++
			f.total.Bytes += r.Bytes
			f.total.Requests++
		}
		c.Rows = append(c.Rows, crawler.RowChange{New: r})
	}
	c.Hosts = append(c.Hosts, crawler.HostChange{Old: old, New: f.state(home.Host(), host, counts)})
}

func (f *filler) state(h weburl.Host, host int, counts *[2]int32) *crawler.HostState {
	s := &crawler.HostState{Host: h, Asked: true, Answered: 2, MeanTime: 100 * time.Millisecond}
	s.Next = f.now.Add(-time.Duration(host%3600) * time.Second)
	s.Counts[crawler.Waiting], s.Counts[crawler.Fetched] = int64(counts[0]), int64(counts[1])
	return s
}

func (f *filler) row(r *crawler.Row, host, number int, seed string) {
	f.number++
	r.URL, r.Seed, r.Sequence, r.Depth = f.web.url(host, number), seed, f.number, 1+min(number/10, 8)
	// The page that led here: most of the time one of the same host, each for ten others.
	if number%5 > 0 {
		r.Via = f.web.url(host, number/10).String()
	} else {
		r.Via = f.web.url((host*7919+number)%f.web.hosts, 0).String()
	}
	// The new links of a page are admitted in one step, at one time.
	r.FirstSeen = f.now.Add(-24*time.Hour + time.Duration(f.number/newLinks)*97*time.Microsecond)
	rng := random(uint64(host), uint64(number)|1<<63)
	if rng.IntN(100) < f.fetched {
		fetch(&r.Result, rng, f.number, f.now)
		r.Fetcher, r.Attempts = "fetcher-1", 1
	}
}

// fetch fills in what an answer says.
func fetch(r *crawler.Result, rng *rand.Rand, number uint64, now time.Time) {
	r.Outcome, r.Status, r.ContentType = crawler.Fetched, 200, "text/html; charset=utf-8"
	r.Bytes, r.Links = int64(4_000+rng.IntN(100_000)), rng.IntN(200)
	for i := 0; i < len(r.Digest); i += 8 {
		binary.LittleEndian.PutUint64(r.Digest[i:], rng.Uint64())
	}
	var title []byte
	for range 3 + rng.IntN(6) {
		title = append(appendWord(title, slugWord(rng)), ' ')
	}
	r.Title = string(title)
	if rng.IntN(2) == 0 { // half of the pages have validators
		r.ETag = `"` + hex.EncodeToString(fmt.Append(nil, rng.Uint32())) + `"`
		r.LastModified = now.Add(-time.Duration(rng.IntN(1e9)) * time.Second).Format(time.RFC1123)
	}
	r.FetchedAt, r.Duration = now.Add(-time.Duration(rng.IntN(1e7))*time.Millisecond), time.Duration(5+rng.IntN(900))*time.Millisecond
	r.IP = fmt.Sprintf("192.0.2.%d", rng.IntN(250))
	r.Archive = crawler.Locator{File: fmt.Sprintf("archive/fetcher-1-20260301110000-%05d.warc.gz", number/100_000), Offset: int64(number%100_000) * 9_211, Length: int64(2_000 + rng.IntN(18_000))}
}
