package main

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// maker makes rows. Its methods are safe for concurrent use.
type maker struct {
	port, rows int
	now        time.Time
}

// chunk is one commit, with what it adds to the tallies.
type chunk struct {
	changes crawler.Changes
	tallies crawler.Tallies
}

func (c *chunk) addTo(t *crawler.Tallies) {
	for o, n := range c.tallies.Counts {
		t.Counts[o] += n
	}
	for r, n := range c.tallies.Reasons {
		t.Reasons[r] += n
	}
	t.Bytes += c.tallies.Bytes
	t.Hosts += c.tallies.Hosts
	t.Requests += c.tallies.Requests
}

// host is the name of host i, an address in 127.64.0.0/10.
func (m *maker) host(i int) string {
	b := append(make([]byte, 0, 24), "127."...)
	b = append(strconv.AppendInt(b, int64(64+i>>16), 10), '.')
	b = append(strconv.AppendInt(b, int64(i>>8&0xff), 10), '.')
	b = strconv.AppendInt(b, int64(i&0xff), 10)
	if m.port == 80 {
		return string(b)
	}
	return string(strconv.AppendInt(append(b, ':'), int64(m.port), 10))
}

func (m *maker) chunk(hosts []int) *chunk {
	c := &chunk{}
	c.changes.Now = m.now
	c.changes.Rows = make([]crawler.RowChange, 0, len(hosts)*m.rows)
	c.tallies.Reasons = make(map[crawler.Reason]int64)
	for _, i := range hosts {
		m.addHost(c, i)
	}
	return c
}

// addHost adds a host with its rows: one host in ten is done, the others have a fifth of their rows waiting.
func (m *maker) addHost(c *chunk, i int) {
	name := m.host(i)
	rng := rand.New(rand.NewPCG(uint64(i), 1))
	h := &crawler.HostState{Host: weburl.Host(name), Asked: true, Answered: 1, MeanTime: 40 * time.Millisecond}
	h.Next = m.now.Add(-time.Duration(rng.IntN(3600)) * time.Second)
	block := make([]crawler.Row, m.rows) // one allocation for all
	var seed, via string
	for n := range block {
		r := &block[n]
		r.URL = address(name, i, n, rng)
		if n == 0 {
			seed = r.URL.String()
			via = seed
		}
		r.Depth, r.Seed, r.Via, r.IsSeed = n%6, seed, via, n == 0
		if n == 0 {
			r.Via, r.Seed = "", seed
		} else if n%7 == 0 {
			via = r.URL.String()
		}
		r.FirstSeen = m.now.Add(-time.Duration(3600*24-n) * time.Second)
		r.Sequence = uint64(i*m.rows + n + 1)
		m.fate(r, i, rng)
		count(c, h, r)
		c.changes.Rows = append(c.changes.Rows, crawler.RowChange{New: r})
	}
	c.tallies.Hosts++
	c.changes.Hosts = append(c.changes.Hosts, crawler.HostChange{New: h})
	c.changes.Scope = append(c.changes.Scope, crawler.ScopeSeed("host "+name))
	c.changes.Robots = append(c.changes.Robots, crawler.RobotsChange{Host: h.Host, File: m.robots(i)})
}

var words = [...]string{
	"annual", "report", "of", "the", "northern", "harbour", "museum", "and", "its", "gardens", "with", "notes", "on", "river", "trade", "winter",
}

// address is a URL of 80 to 120 bytes.
func address(host string, i, n int, rng *rand.Rand) weburl.URL {
	b := append(make([]byte, 0, 128), "http://"...)
	b = append(b, host...)
	if n > 0 {
		b = append(b, "/catalogue/section-"...)
		b = strconv.AppendInt(b, int64(n%12), 10)
		b = append(b, '/')
		for range 3 + rng.IntN(3) {
			b = append(append(b, words[rng.IntN(len(words))]...), '-')
		}
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, '-')
		b = strconv.AppendInt(b, int64(n), 10)
		b = append(b, ".html?page="...)
		b = strconv.AppendInt(b, int64(rng.IntN(9)), 10)
	} else {
		b = append(b, '/')
	}
	u, err := weburl.Parse(string(b))
	if err != nil {
		panic(err) // these are URLs
	}
	return u
}

// fate gives a row what became of it.
func (m *maker) fate(r *crawler.Row, i int, rng *rand.Rand) {
	kind := rng.IntN(100)
	switch done := i%10 == 0; {
	case kind < 62 || done && kind >= 80:
		m.answered(r, rng)
		r.Outcome, r.Status = crawler.Fetched, 200
	case kind < 70:
		m.answered(r, rng)
		r.Outcome, r.Reason, r.Status, r.Detail = crawler.Failed, crawler.ReasonHTTPStatus, 404, "404 Not Found"
	case kind < 76:
		m.answered(r, rng)
		r.Outcome, r.Status, r.RedirectTo = crawler.Redirected, 301, r.URL
	case kind < 80:
		r.Outcome, r.Reason, r.Detail = crawler.Excluded, crawler.ReasonRobots, "Disallow: /private/"
	case kind < 82:
		m.answered(r, rng)
		r.Outcome, r.Reason, r.Status, r.RetryAt = crawler.Waiting, crawler.ReasonRetry, 503, m.now.Add(time.Duration(rng.IntN(60))*time.Second)
	default:
		r.Outcome = crawler.Waiting
	}
}

// answered fills in what an answer says.
func (m *maker) answered(r *crawler.Row, rng *rand.Rand) {
	r.ContentType, r.Bytes, r.Links = "text/html; charset=utf-8", int64(4_000+rng.IntN(60_000)), rng.IntN(80)
	for k := 0; k < len(r.Digest); k += 8 {
		x := rng.Uint64()
		for s := range 8 {
			r.Digest[k+s] = byte(x >> (8 * s))
		}
	}
	var tag [18]byte
	tag[0], tag[17] = '"', '"'
	hex.Encode(tag[1:17], r.Digest[:8])
	title := make([]byte, 0, 64)
	for range 4 + rng.IntN(4) {
		title = append(append(title, words[rng.IntN(len(words))]...), ' ')
	}
	r.Title, r.ETag = string(title[:len(title)-1]), string(tag[:])
	if rng.IntN(2) == 0 {
		r.LastModified = "Sun, 01 Mar 2026 11:00:00 GMT"
	}
	r.FetchedAt, r.Duration = m.now.Add(-time.Duration(rng.IntN(3600*1000))*time.Millisecond), time.Duration(5+rng.IntN(90))*time.Millisecond
	r.IP, r.Fetcher, r.Attempts = "127.64.0.1", "fetcher-1", 1
	r.Archive = crawler.Locator{File: "archive/fetcher-1-20260301110000-00017.warc.gz", Offset: int64(r.Sequence) * 4_211, Length: int64(900 + rng.IntN(9_000))}
}

// robots is the file that the host's turns go by.
func (m *maker) robots(i int) crawler.HostRobots {
	return crawler.HostRobots{
		RobotsFile: crawler.RobotsFile{Scheme: "http", Status: crawler.RobotsRules, HTTP: 200,
			Body: fmt.Appendf(nil, "User-agent: *\nDisallow: /private/\nDisallow: /cart/%d\nSitemap: /sitemap.xml\n", i)},
		Fetched: m.now.Add(-time.Hour), Expires: m.now.Add(23 * time.Hour),
	}
}

// count keeps host and tallies in step with a new row.
func count(c *chunk, h *crawler.HostState, r *crawler.Row) {
	h.Counts[r.Outcome]++
	c.tallies.Counts[r.Outcome]++
	switch {
	case r.Outcome.Final():
		c.tallies.Bytes += r.Bytes
		if r.Outcome == crawler.Failed || r.Outcome == crawler.Excluded {
			c.tallies.Reasons[r.Reason]++
		}
	case r.Retrying():
		h.Retry++
		if h.RetryAt.IsZero() || r.RetryAt.Before(h.RetryAt) {
			h.RetryAt = r.RetryAt
		}
	}
	c.tallies.Requests += int64(r.Attempts)
}
