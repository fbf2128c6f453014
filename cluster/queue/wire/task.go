package wire

import (
	"trawl/crawler"
	"trawl/crawler/weburl"
)

// EncodeTask writes a turn for the task queue. It fails when the turn is over
// [crawler.MaxTaskBytes] or [crawler.MaxTurnURLs].
func EncodeTask(t *crawler.Task) ([]byte, error) {
	m := &Task{
		Version: Version, Turn: t.Turn[:], Host: string(t.Host),
		Urls: encodeTaskURLs(t.URLs), Errands: encodeHops(t.Errands),
	}
	if len(t.URLs) > crawler.MaxTurnURLs {
		return nil, ErrTooLarge
	}
	return marshal("task", m, crawler.MaxTaskBytes)
}

// DecodeTask reads a turn.
func DecodeTask(b []byte) (crawler.Task, error) {
	var m Task
	if err := unmarshal("task", b, &m, crawler.MaxTaskBytes); err != nil {
		return crawler.Task{}, err
	}
	r := reader{what: "task"}
	t := crawler.Task{Turn: r.id("turn", m.Turn), Host: r.host("host", m.Host)}
	t.URLs = r.taskURLs(m.Urls, t.Host)
	for _, h := range m.Errands {
		t.Errands = append(t.Errands, r.hop(h, t.Host))
	}
	if r.err != nil {
		return crawler.Task{}, r.err
	}
	return t, nil
}

func encodeTaskURLs(us []crawler.TaskURL) []*TaskURL {
	out := make([]*TaskURL, len(us))
	for i := range us {
		u := &us[i]
		out[i] = &TaskURL{
			Url: u.URL.String(), Depth: encodeCount(u.Depth), Redirects: encodeCount(u.Redirects),
			Name: []byte(u.Name), Requisite: u.Requisite, Via: u.Via.String(),
		}
	}
	return out
}

// taskURLs reads URLs at the host, "" for a host that is not known here.
func (r *reader) taskURLs(ms []*TaskURL, h weburl.Host) []crawler.TaskURL {
	if len(ms) > crawler.MaxTurnURLs {
		r.fail("urls", "%d of them, at most %d", len(ms), crawler.MaxTurnURLs)
		return nil
	}
	var out []crawler.TaskURL
	for _, m := range ms {
		if r.err != nil {
			return nil
		}
		out = append(out, crawler.TaskURL{
			URL: r.urlAt("url", m.GetUrl(), h), Depth: r.count("depth", m.GetDepth()),
			Redirects: r.count("redirects", m.GetRedirects()), Name: string(m.GetName()), Requisite: m.GetRequisite(),
			Via: r.urlOrNone("via", m.GetVia()),
		})
	}
	return out
}

func encodeHops(hs []crawler.RobotsHop) []*RobotsHop {
	out := make([]*RobotsHop, len(hs))
	for i, h := range hs {
		out[i] = encodeHop(h)
	}
	return out
}

func encodeHop(h crawler.RobotsHop) *RobotsHop {
	if h == (crawler.RobotsHop{}) {
		return nil
	}
	return &RobotsHop{For: string(h.For), Scheme: h.Scheme, Url: h.URL.String(), Count: encodeCount(h.Count)}
}

// hop reads an errand; at is the host that its URL must be at, "" for any.
func (r *reader) hop(m *RobotsHop, at weburl.Host) crawler.RobotsHop {
	return crawler.RobotsHop{
		For: r.host("errand host", m.GetFor()), Scheme: r.scheme("errand scheme", m.GetScheme()),
		URL: r.urlAt("errand url", m.GetUrl(), at), Count: r.count("errand count", m.GetCount()),
	}
}

func encodeRobots(fs []crawler.RobotsFile) []*RobotsFile {
	out := make([]*RobotsFile, len(fs))
	for i := range fs {
		out[i] = encodeRobotsFile(&fs[i])
	}
	return out
}

func encodeRobotsFile(f *crawler.RobotsFile) *RobotsFile {
	return &RobotsFile{
		Scheme: f.Scheme, Status: uint32(f.Status), Http: encodeCount(f.HTTP), Body: f.Body, Truncated: f.Truncated,
		Ttl: encodeDuration(f.TTL), Detail: []byte(f.Detail), Archive: encodeLocator(f.Archive), Hop: encodeHop(f.Hop),
		Fault: string(f.Fault),
	}
}

func (r *reader) robots(ms []*RobotsFile) []crawler.RobotsFile {
	var out []crawler.RobotsFile
	for _, m := range ms {
		out = append(out, r.robotsFile(m))
	}
	return out
}

func (r *reader) robotsFile(m *RobotsFile) crawler.RobotsFile {
	f := crawler.RobotsFile{
		Scheme: r.scheme("robots scheme", m.GetScheme()),
		Status: crawler.RobotsStatus(r.upTo("robots status", m.GetStatus(), uint8(crawler.RobotsElsewhere))),
		HTTP:   r.count("robots http", m.GetHttp()), Body: m.GetBody(), Truncated: m.GetTruncated(),
		TTL: r.duration("robots ttl", m.GetTtl()), Detail: string(m.GetDetail()), Archive: r.locator(m.GetArchive()),
		Fault: r.reason(m.GetFault()),
	}
	if m.GetHop() != nil {
		f.Hop = r.hop(m.Hop, "")
	}
	return f
}
