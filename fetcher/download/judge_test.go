package download

import (
	"net/http"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/fetchertest"
)

func TestJudge(t *testing.T) {
	cut := cutting{reason: crawler.ReasonReset, mark: "disconnect", detail: "cut after 5 bytes"}
	ours := cutting{mark: "length", detail: "cut at the limit"}
	long := "/" + strings.Repeat("a", weburl.MaxBytes)
	for _, c := range []struct {
		name      string
		status    int
		location  string
		redirects int
		asksFor   bool
		cut       cutting
		outcome   crawler.Outcome
		reason    crawler.Reason
		to        string
	}{
		{"200 is fetched", 200, "", 0, false, cutting{}, crawler.Fetched, "", ""},
		{"203 is fetched", 203, "", 0, false, cutting{}, crawler.Fetched, "", ""},
		{"204 is fetched", 204, "", 0, false, cutting{}, crawler.Fetched, "", ""},
		{"a Location of a 201 is no redirect", 201, "/new", 0, false, cutting{}, crawler.Fetched, "", ""},
		{"a body cut by us is fetched", 200, "", 0, false, ours, crawler.Fetched, "", ""},
		{"a body cut by the server is failed", 200, "", 0, false, cut, crawler.Failed, crawler.ReasonReset, ""},
		{"a redirect", 301, "/new", 0, false, cutting{}, crawler.Redirected, "", "http://a.test/new"},
		{"a redirect to another host and scheme", 307, "https://B.test:443/x#y", 0, false, cutting{}, crawler.Redirected, "", "https://b.test/x"},
		{"a relative redirect", 302, "c?d", 0, false, cutting{}, crawler.Redirected, "", "http://a.test/dir/c?d"},
		{"a redirect with a cut body is a redirect", 302, "/new", 0, false, cut, crawler.Redirected, "", "http://a.test/new"},
		{"300 with a Location is a redirect", 300, "/new", 0, false, cutting{}, crawler.Redirected, "", "http://a.test/new"},
		{"300 without one is not", 300, "", 0, false, cutting{}, crawler.Failed, crawler.ReasonHTTPStatus, ""},
		{"a Location with a bad escape is a redirect", 302, "/100%", 0, false, cutting{}, crawler.Redirected, "", "http://a.test/100%"},
		{"a Location that is no URL", 302, "http://[::bad/", 0, false, cutting{}, crawler.Failed, crawler.ReasonBadRedirect, ""},
		{"a Location of another scheme", 302, "mailto:a@b", 0, false, cutting{}, crawler.Failed, crawler.ReasonBadRedirect, ""},
		{"a Location that is too long", 302, long, 0, false, cutting{}, crawler.Failed, crawler.ReasonBadRedirect, ""},
		{"an empty Location", 302, " ", 0, false, cutting{}, crawler.Failed, crawler.ReasonBadRedirect, ""},
		{"the tenth redirect of a chain", 302, "/new", 9, false, cutting{}, crawler.Redirected, "", "http://a.test/new"},
		{"the eleventh redirect of a chain", 302, "/new", 10, false, cutting{}, crawler.Failed, crawler.ReasonTooManyRedirects, ""},
		{"304 to our validators", 304, "", 0, true, cutting{}, crawler.Unchanged, "", ""},
		{"304 that nobody asked for", 304, "", 0, false, cutting{}, crawler.Failed, crawler.ReasonHTTPStatus, ""},
		{"a Location of a 304 is no redirect", 304, "/new", 0, true, cutting{}, crawler.Unchanged, "", ""},
		{"404", 404, "", 0, false, cutting{}, crawler.Failed, crawler.ReasonHTTPStatus, ""},
		{"503 with a cut body is told by its status", 503, "", 0, false, cut, crawler.Failed, crawler.ReasonHTTPStatus, ""},
		{"an unknown status", 999, "", 0, false, cutting{}, crawler.Failed, crawler.ReasonHTTPStatus, ""},
		{"101 that nobody asked for", 101, "", 0, false, cutting{}, crawler.Failed, crawler.ReasonProtocol, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := testExchange(t, "http://a.test/dir/b")
			x.redirects, x.conditional, x.cut, x.header = c.redirects, c.asksFor, c.cut, http.Header{}
			x.result.Status, x.found, x.result.Links = c.status, make([]crawler.Link, 1), 1
			x.status = http.StatusText(c.status)
			if c.location != "" {
				x.header.Set("Location", c.location)
			}
			x.judge()
			wantOutcome(t, x, c.outcome, c.reason)
			r := x.result
			if r.RedirectTo.String() != c.to || r.Truncated != (c.cut != cutting{}) || len(r.Detail) > maxDetail {
				t.Errorf("redirect to %q, truncated %v, detail of %d bytes", r.RedirectTo, r.Truncated, len(r.Detail))
			}
			if kept := c.outcome == crawler.Fetched; (x.found != nil) != kept || (r.Links == 1) != kept {
				t.Errorf("links %v, count %d", x.found, r.Links)
			}
		})
	}
}

// net/http's client fails on a Location that net/url cannot read; the exchange has the facts.
func TestRedirectThatTheClientCannotRead(t *testing.T) {
	for _, c := range []struct {
		location string
		outcome  crawler.Outcome
		reason   crawler.Reason
	}{
		{"/100%zz", crawler.Redirected, ""},
		{"http://a b/", crawler.Failed, crawler.ReasonBadRedirect},
	} {
		s := fetchertest.ServeRaw(t, fetchertest.AnswerRaw("HTTP/1.1 302 Found\r\nLocation: "+c.location+"\r\nContent-Length: 0\r\n\r\n"))
		x := testExchange(t, s.URL)
		ask(t, testTransport(t, nil), x)
		wantOutcome(t, x, c.outcome, c.reason)
		if x.result.Status != 302 {
			t.Errorf("%q: status %d", c.location, x.result.Status)
		}
	}
}

func TestValidatorsAreNoticed(t *testing.T) {
	s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
		}
	})
	tr := testTransport(t, nil)
	x := testExchange(t, s.URL)
	askWith(t, t.Context(), tr, x, http.Header{"If-None-Match": {`"v1"`}})
	wantOutcome(t, x, crawler.Unchanged, "")
	x = testExchange(t, s.URL)
	ask(t, tr, x)
	wantOutcome(t, x, crawler.Fetched, "")
}

func TestSwitchedProtocolIsNotListenedTo(t *testing.T) {
	x := testExchange(t, fetchertest.ServeRaw(t, fetchertest.AnswerRaw("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nand so on")).URL)
	ask(t, testTransport(t, nil), x)
	wantOutcome(t, x, crawler.Failed, crawler.ReasonProtocol)
}

// RFC 9110 section 15.3.7: a 206 that was not asked for is no whole body.
func TestAPartThatNobodyAskedForIsNotTheFile(t *testing.T) {
	for _, c := range []struct {
		name, span string
		own        bool // the user's header asks for a part
		fetched    bool
	}{
		{"a part", "bytes 0-9/100", false, false},
		{"the end", "bytes 90-99/100", false, false},
		{"of unknown length", "bytes 0-9/*", false, false},
		{"without a range", "", false, false},
		{"all of it", "bytes 0-9/10", false, true},
		{"a part that the user asked for", "bytes 0-9/100", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := fetchertest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				if c.span != "" {
					w.Header().Set("Content-Range", c.span)
				}
				w.WriteHeader(http.StatusPartialContent)
				w.Write([]byte("<a href=x>"))
			})
			x, header := testExchange(t, s.URL), http.Header{}
			if c.own {
				header.Set("Range", "bytes=0-9")
			}
			askWith(t, t.Context(), testTransport(t, nil), x, header)
			if c.fetched {
				wantOutcome(t, x, crawler.Fetched, "")
			} else {
				wantOutcome(t, x, crawler.Failed, crawler.ReasonHTTPStatus)
			}
			if x.result.Truncated == c.fetched || (len(x.found) == 0) == c.fetched {
				t.Errorf("truncated %v, links %v", x.result.Truncated, x.found)
			}
		})
	}
}
