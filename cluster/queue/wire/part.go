package wire

import (
	"maps"
	"slices"
	"strings"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// EncodePart writes a part of a report for the result log. It fails with [ErrTooLarge] when the part is
// over [crawler.MaxPartBytes].
func EncodePart(p *crawler.Part) ([]byte, error) {
	m := &Part{
		Version: Version, Turn: p.Turn[:], Holder: p.Holder[:], Host: string(p.Host), Fetcher: []byte(p.Fetcher),
		Number: encodeCount(p.Number), End: p.End, State: encodeState(&p.State), Wait: encodeDuration(p.Wait),
	}
	if p.Life != (crawler.Life{}) {
		m.Life = p.Life[:]
	}
	m.Results = make([]*Result, len(p.Results))
	for i := range p.Results {
		m.Results[i] = encodeResult(&p.Results[i])
	}
	text := 0
	m.Links = make([]*PageLinks, len(p.Links))
	for i := range p.Links {
		m.Links[i] = encodeLinks(&p.Links[i])
		for _, l := range p.Links[i].Links {
			text += len(l.URL.String())
		}
	}
	if text > MaxLinkText {
		return nil, ErrTooLarge
	}
	return marshal("part", m, crawler.MaxPartBytes)
}

// DecodePart reads a part.
func DecodePart(b []byte) (crawler.Part, error) {
	var m Part
	if err := unmarshal("part", b, &m, crawler.MaxPartBytes); err != nil {
		return crawler.Part{}, err
	}
	r := reader{what: "part"}
	p := crawler.Part{
		Turn: r.id("turn", m.Turn), Holder: r.id("holder", m.Holder), Host: r.host("host", m.Host), Life: r.life(m.Life),
		Fetcher: string(m.Fetcher), Number: r.count("number", m.Number), End: m.End, Wait: r.duration("wait", m.Wait),
	}
	if p.Number < 1 {
		r.fail("number", "must be 1 or more")
	}
	for _, m := range m.Results {
		if r.err != nil {
			break
		}
		p.Results = append(p.Results, r.result(m, p.Host))
	}
	p.Links = r.pages(m.Links, p.Host)
	p.State = r.state(m.State, p.Host)
	if r.err != nil {
		return crawler.Part{}, r.err
	}
	return p, nil
}

func encodeResult(r *crawler.Result) *Result {
	m := &Result{
		Url: r.URL.String(), Outcome: uint32(r.Outcome), Reason: string(r.Reason), Status: encodeCount(r.Status),
		ContentType: []byte(r.ContentType), Bytes: max(r.Bytes, 0), Truncated: r.Truncated, Title: []byte(r.Title),
		RedirectTo: r.RedirectTo.String(), Links: encodeCount(r.Links), Duration: encodeDuration(r.Duration), Ip: r.IP,
		Archive: encodeLocator(r.Archive), Etag: []byte(r.ETag), LastModified: []byte(r.LastModified),
		Detail: []byte(r.Detail), RetryAfter: encodeDuration(r.RetryAfter), Asked: r.Asked, Unsent: r.Unsent, Progress: r.Progress,
	}
	if !r.Digest.IsZero() {
		m.Digest = r.Digest[:]
	}
	if !r.FetchedAt.IsZero() {
		m.FetchedAtMs = r.FetchedAt.UnixMilli()
	}
	return m
}

func (r *reader) result(m *Result, h weburl.Host) crawler.Result {
	out := crawler.Result{
		URL: r.urlAt("result url", m.GetUrl(), h), Outcome: r.outcome(m.GetOutcome()), Reason: r.reason(m.GetReason()),
		Status: r.count("status", m.GetStatus()), ContentType: string(m.GetContentType()), Bytes: r.size("bytes", m.GetBytes()),
		Digest: r.digest(m.GetDigest()), Truncated: m.GetTruncated(), Title: string(m.GetTitle()),
		RedirectTo: r.urlOrNone("redirect_to", m.GetRedirectTo()), Links: r.count("links", m.GetLinks()),
		FetchedAt: r.fetchedAt(m.GetFetchedAtMs()), Duration: r.duration("duration", m.GetDuration()), IP: m.GetIp(),
		Archive: r.locator(m.GetArchive()), ETag: string(m.GetEtag()), LastModified: string(m.GetLastModified()),
		Detail: string(m.GetDetail()), RetryAfter: r.duration("retry_after", m.GetRetryAfter()), Asked: m.GetAsked(), Unsent: m.GetUnsent(), Progress: m.GetProgress(),
	}
	if out.RetryAfter > crawler.MaxRetryAfter {
		r.fail("retry_after", "is over %v", crawler.MaxRetryAfter)
	}
	return out
}

// outcome reads the outcome of a fetch: never waiting or leased.
func (r *reader) outcome(n uint32) crawler.Outcome {
	o := crawler.Outcome(r.upTo("outcome", n, uint8(crawler.Excluded)))
	if !o.Final() {
		r.fail("outcome", "%v is none of a fetch", o)
	}
	return o
}

func (r *reader) digest(b []byte) (d crawler.Digest) {
	if copy(d[:], b); len(b) != 0 && len(b) != len(d) {
		r.fail("digest", "has %d bytes", len(b))
	}
	return d
}

// maxFetchedAt is the end of the year 9999, the last one that RFC 3339 can write.
const maxFetchedAt = 253402300799999

func (r *reader) fetchedAt(ms int64) time.Time {
	switch {
	case ms == 0:
		return time.Time{}
	case ms < 0 || ms > maxFetchedAt:
		r.fail("fetched_at", "is out of range")
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// origin is scheme://host[:port] of a URL.
func origin(u weburl.URL) string {
	return strings.TrimSuffix(u.String(), u.RequestURI())
}

func encodeLinks(p *crawler.PageLinks) *PageLinks {
	m := &PageLinks{Page: p.Page.String(), Urls: make([]string, len(p.Links))}
	if p.Page.IsZero() {
		return m // refused where it is read
	}
	from := origin(p.Page)
	kinds := make([]byte, len(p.Links))
	for i, l := range p.Links {
		m.Urls[i], kinds[i] = l.URL.String(), byte(l.Kind)
		if rest, ok := strings.CutPrefix(m.Urls[i], from); ok && strings.HasPrefix(rest, "/") {
			m.Urls[i] = rest
		}
	}
	if slices.ContainsFunc(kinds, func(k byte) bool { return k != byte(crawler.LinkPage) }) {
		m.Kinds = kinds
	}
	return m
}

func (r *reader) pages(ms []*PageLinks, h weburl.Host) []crawler.PageLinks {
	var out []crawler.PageLinks
	room := MaxLinkText
	for _, m := range ms {
		if r.err != nil {
			return nil
		}
		out = append(out, r.links(m, h, &room))
	}
	return out
}

// links reads the links of one page; room is what is left of [MaxLinkText].
func (r *reader) links(m *PageLinks, h weburl.Host, room *int) crawler.PageLinks {
	p := crawler.PageLinks{Page: r.urlAt("page", m.GetPage(), h)}
	if n := len(m.GetKinds()); n != 0 && n != len(m.GetUrls()) {
		r.fail("kinds", "%d for %d links", n, len(m.GetUrls()))
	}
	if r.err != nil {
		return p
	}
	from := origin(p.Page)
	p.Links = make([]crawler.Link, 0, len(m.GetUrls()))
	for i, s := range m.GetUrls() {
		if strings.HasPrefix(s, "/") {
			s = from + s
		}
		if *room -= len(s); *room < 0 {
			r.fail("links", "are over %d bytes", MaxLinkText)
		}
		l := crawler.Link{URL: r.url("link", s)}
		if len(m.GetKinds()) > 0 {
			l.Kind = crawler.LinkKind(r.upTo("link kind", uint32(m.Kinds[i]), uint8(crawler.LinkRedirect)))
		}
		if r.err != nil {
			return p
		}
		p.Links = append(p.Links, l)
	}
	return p
}

func encodeState(s *crawler.HostReport) *HostReport {
	m := &HostReport{
		Robots: encodeRobots(s.Robots), Requests: encodeCount(s.Requests), PenaltySet: s.PenaltySet,
		Penalty: encodeDuration(s.Penalty), MeanTime: encodeDuration(s.MeanTime), Addresses: s.Addresses,
		Cookies: encodeCookies(s.Cookies), Dropped: encodeTallies(s.Dropped), Bounds: encodeTallies(s.Bounds),
	}
	for i := range s.Hops {
		h := &s.Hops[i]
		m.Hops = append(m.Hops, &RobotsAnswer{Hop: encodeHop(h.Hop), File: encodeHopFile(h), Next: h.Next.String()})
	}
	return m
}

// encodeHopFile leaves the file out where the errand ended in a next hop.
func encodeHopFile(a *crawler.RobotsAnswer) *RobotsFile {
	if !a.Next.IsZero() {
		return nil
	}
	return encodeRobotsFile(&a.File)
}

func (r *reader) state(m *HostReport, h weburl.Host) crawler.HostReport {
	s := crawler.HostReport{
		Robots: r.robots(m.GetRobots()), Requests: r.count("requests", m.GetRequests()), PenaltySet: m.GetPenaltySet(),
		Penalty: r.duration("penalty", m.GetPenalty()), MeanTime: r.duration("mean_time", m.GetMeanTime()),
		Addresses: slices.Clone(m.GetAddresses()), Cookies: r.cookies(m.GetCookies(), h),
		Dropped: r.tallies("dropped", m.GetDropped()), Bounds: r.tallies("bounds", m.GetBounds()),
	}
	for _, a := range m.GetHops() {
		out := crawler.RobotsAnswer{Hop: r.hop(a.GetHop(), h), Next: r.urlOrNone("next hop", a.GetNext())}
		if out.Next.IsZero() {
			out.File = r.robotsFile(a.GetFile())
		}
		s.Hops = append(s.Hops, out)
	}
	return s
}

const (
	// maxTallies is how many words a part may count.
	maxTallies = 64
	// maxTallyWord is the longest of them, in bytes.
	maxTallyWord = 64
)

func encodeTallies(counts map[string]int64) []*Tally {
	var out []*Tally
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, &Tally{Word: word, Count: counts[word]})
	}
	return out
}

func (r *reader) tallies(what string, in []*Tally) map[string]int64 {
	if len(in) > maxTallies {
		r.fail(what, "%d words, at most %d", len(in), maxTallies)
		return nil
	}
	var out map[string]int64
	for _, t := range in {
		if t.GetCount() < 0 || len(t.GetWord()) > maxTallyWord || t.GetWord() == "" {
			r.fail(what, "%q counted %d times", t.GetWord(), t.GetCount())
			return nil
		}
		if out == nil {
			out = make(map[string]int64, len(in))
		}
		out[t.GetWord()] += t.GetCount()
	}
	return out
}
