package webfarm

import (
	"bytes"
	"strconv"
	"time"
)

// reply is the decision how to answer a request.
type reply struct {
	status     int
	content    string // type
	body       []byte // where it is not the body of the URL
	page       bool   // the body is that of the URL
	location   string
	retryAfter time.Duration
	validators bool
	gzip       bool
	chunked    bool
	cut        cut
	over       time.Duration // time that the body takes
	hang       time.Duration // no answer: this long, then the connection is closed
	final      bool          // a client has no reason to ask again
}

// cut is how a body ends too early.
type cut uint8

const (
	cutNot cut = iota
	cutReset
	cutClose
)

// lastModified is that of all pages.
const lastModified = "Mon, 01 Jan 2024 00:00:00 GMT"

func plain(status int) reply {
	return reply{status: status, content: "text/html; charset=utf-8", body: errorBody(status), final: true}
}

// decide says how a request is answered. before is how often its URL was asked for already.
func (s *site) decide(host int, a asked, before int) reply {
	switch a.what {
	case whatRobots:
		return s.decideRobots(host, before)
	case whatRobotsHop:
		of, _ := s.robotsOf(a.target)
		return reply{status: 200, content: "text/plain", body: s.robotsBody(of), final: true}
	case whatUnknown:
		return plain(404)
	}
	if to, ok := s.redirect(a.ref); ok {
		r := plain(redirectStatus(a.ref))
		r.location = s.url(to)
		if to.host == host && a.ref.page%2 == 0 {
			r.location = r.location[len(s.faces[host].base):]
		}
		return r
	}
	return s.decidePage(a.ref, before)
}

func (s *site) decideRobots(host, before int) reply {
	o := s.o.Robots
	switch mode := s.robotsMode(host); {
	case mode == robotsMissing:
		return plain(404)
	case mode == robotsError && before < o.Times:
		r := plain(500)
		r.final = false
		return r
	case mode == robotsHang && before < o.Times:
		return reply{hang: o.HangFor}
	case mode == robotsRedirect:
		r := plain(301)
		r.location = s.robotsTarget(host)
		return r
	}
	return reply{status: 200, content: "text/plain", body: s.robotsBody(host), final: true}
}

func (s *site) decidePage(r ref, before int) reply {
	good := reply{status: 200, content: s.contentType(r), page: true, validators: true, final: true}
	h := s.hash(saltDelivery, r.host, r.page)
	good.gzip = s.o.Gzip > 0 && unit(h) < s.o.Gzip
	good.chunked = s.o.Chunked > 0 && unit(scramble(h)) < s.o.Chunked
	f := s.o.Faults
	switch k := s.kind(r.host, r.page); {
	case k == KindNotFound:
		return plain(404)
	case k == KindServerError || k == KindFlaky && before < f.Times:
		bad := plain(500)
		bad.final = false
		return bad
	case k == KindThrottled && before < f.Times:
		bad := plain(503)
		bad.retryAfter, bad.final = f.RetryAfter, false
		return bad
	case k == KindReset:
		good.cut, good.gzip, good.chunked, good.final = cutReset, false, false, false
	case k == KindTruncated:
		good.cut, good.gzip, good.chunked, good.final = cutClose, false, false, false
	case k == KindSlow:
		good.over = f.SlowFor
	}
	return good
}

// etag is the entity tag of a URL.
func (s *site) etag(r ref) string {
	return `"` + strconv.FormatUint(s.hash(saltText, r.host, r.page), 16) + `"`
}

// notModified reports whether a conditional request asks for what the client has.
func (s *site) notModified(q request, r ref) bool {
	if q.etag != nil {
		return bytes.Contains(q.etag, []byte(s.etag(r)))
	}
	return string(q.since) == lastModified
}

// latency is the time to the first byte.
func (s *site) latency(a asked) time.Duration {
	d := s.o.Latency
	if s.o.Jitter > 0 {
		d += time.Duration(unit(s.hash(saltJitter, a.ref.host, a.ref.page)) * float64(s.o.Jitter))
	}
	return d
}
