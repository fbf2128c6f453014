package explain

import (
	"fmt"
	"strconv"
	"strings"

	"trawl/crawler"
	"trawl/crawler/session"
)

// reasonWords say of each reason of failed rows which rule it is, where the rule stands, and what a user could
// change. An empty place is the server's answer. docs/reasons.md has the same for readers.
var reasonWords = map[crawler.Reason]struct{ rule, place, change string }{
	crawler.ReasonDNS:               {"the name of the host could not be resolved", "the resolver that the fetcher uses", "check the name, and the resolver of the fetcher's machine"},
	crawler.ReasonConnect:           {"no connection could be made", "the network between the fetcher and the host", "see whether the server is up, and whether a firewall is in the way"},
	crawler.ReasonTLS:               {"the TLS handshake failed, and certificates are always verified", "the certificate that the host shows", "`ca-file` FILE for an authority of your own, or http:// where the site offers it"},
	crawler.ReasonReset:             {"the connection ended in the middle of the answer", "", "try later; a longer `delay` is often kinder"},
	crawler.ReasonProtocol:          {"what came was not HTTP as it should be, or its header was over the limit", "", "look whether the port serves something else"},
	crawler.ReasonBadRedirect:       {"a redirect must lead to an http or https URL", "the Location of the answer", "nothing: the site must mend it"},
	crawler.ReasonBadEncoding:       {"the body cannot be decoded as its Content-Encoding says, or decodes to more than the ratio allows", "", "nothing: the server must mend it"},
	crawler.ReasonPrivateAddress:    {"addresses that are not public are reached only when a seed spells them, or `allow-private` names them", "the guard at the connection (`allow-private`, in job.yaml)", "`allow-private` NETWORK, if you mean it"},
	crawler.ReasonRobotsUnreachable: {"while robots.txt cannot be read nothing of the host may be asked for (RFC 9309 section 2.3.1.4)", "robots.txt of the host", "try later; `ignore-robots` is for sites of your own"},
	crawler.ReasonLost:              {"a URL that was in 10 turns that lapsed is not tried again: it may be what takes its fetchers down", "a rule of trawl's own", "see the fetchers' logs"},
	crawler.ReasonTrap:              {"it looks like one of endlessly many made-up pages", "a rule of trawl's own", "`exclude` the pattern, or raise the limit that the detail names"},
	crawler.ReasonArchive:           {"the body could not be stored, and what is not kept is not fetched", "the disk of the fetcher", "look for a full or broken disk"},
	crawler.ReasonDigest:            {"the body is not the one whose digest the list has", "the list, or the server", "look at the file; correct the digest or the URL in the list, then `retry-failed` digest"},
	crawler.ReasonExtraction:        {"the page came, and what reads it failed on it", "the extraction rules", "mend the rule that the detail names"},
}

// Advice is what a user could do about a reason of failed rows, in a few words; "" for those of which the answer itself must be
// looked at.
func Advice(why crawler.Reason) string { return reasonWords[why].change }

func (f *Facts) whyFailed() Why {
	w := f.whyReason()
	if w.Place == "" {
		w.Place = f.serverPlace()
	}
	if f.Row.Detail != "" {
		w.Rule += " (" + crawler.ShortText(f.Row.Detail) + ")"
	}
	if n := f.Row.Attempts; n > 1 {
		w.Rule += fmt.Sprintf("; %d fetches were made, %d of them count (`retries` %d)", n, f.Row.Tries, f.Job.Job.Retry.Retries)
	}
	if h := f.Host; h != nil && h.GivenUp == f.Row.Reason && h.GivenUpDetail == f.Row.Detail && h.GivenUp != crawler.ReasonRobotsUnreachable {
		w.Rule = "its host was given up: " + crawler.ShortText(f.Row.Detail)
		w.Place = "host " + string(h.Host)
		if h.Answered != 0 {
			w.Change = append(w.Change, "a longer `host-patience`, if it comes back later")
		}
	}
	w.Change = append(w.Change, f.retryFailed(f.Row.Reason)...)
	return w
}

// retryFailed says how failed URLs are taken up again.
func (f *Facts) retryFailed(r crawler.Reason) []string {
	return []string{"`retry-failed` " + string(r) + " with the same command takes such URLs up again"}
}

func (f *Facts) whyReason() Why {
	limits := &f.Job.Job.Fetch
	switch f.Row.Reason {
	case crawler.ReasonTimeout:
		return Why{
			Rule: fmt.Sprintf("`timeout` %v without a byte; `connect-timeout` %v, `first-byte-timeout` %v, `total-timeout` %v (0s: no limit)",
				limits.Idle, limits.Connect, limits.FirstByte, limits.Total),
			Place:  f.place("`timeout`", limits.Times() != f.Job.Given.Fetch.Times()),
			Change: []string{"a longer `timeout` (no byte), `connect-timeout` (no connection), `first-byte-timeout` (no answer) or `total-timeout` (not done); a longer `delay`, if the server is slow"},
		}
	case crawler.ReasonHTTPStatus:
		return f.whyStatus()
	case crawler.ReasonTooManyRedirects:
		if strings.HasPrefix(f.Row.Detail, session.CameBack) {
			return Why{
				Rule:   "a redirect to a URL that had led here is asked again only when it would be asked with other cookies",
				Place:  "the answers of " + string(f.Row.URL.Host()),
				Change: []string{"`cookies`, if the site wants a login; a loop the site must mend"},
			}
		}
		return Why{
			Rule:   fmt.Sprintf("`max-redirects` %d: a chain has so many at most", limits.Redirects),
			Place:  f.place("`max-redirects`", limits.Redirects != f.Job.Given.Fetch.Redirects),
			Change: []string{"a higher `max-redirects`, unless it is a loop, or a site that wants cookies or a login"},
		}
	}
	words, known := reasonWords[f.Row.Reason]
	if !known {
		return Why{Rule: "it failed with reason " + string(f.Row.Reason), Place: "a rule of another version of trawl"}
	}
	return Why{Rule: words.rule, Place: words.place, Change: []string{words.change}}
}

func (f *Facts) whyStatus() Why {
	w := Why{Rule: "HTTP " + strconv.Itoa(f.Row.Status) + ": an answer that is not 2xx, 304 or a redirect is a failure"}
	switch s := f.Row.Status; {
	case s == 401 || s == 403:
		w.Change = []string{"credentials in the seed's URL or `auth-file`, `cookies`, or `header`; some sites refuse who asks too fast: a longer `delay`"}
	case s == 404 || s == 410:
		w.Change = []string{"nothing: the page is gone; the row's via says who links to it"}
	case s == 429 || s == 503:
		w.Change = []string{"a longer `delay`; more `retries`"}
	case s >= 500 || s == 408:
		w.Change = []string{"try later; more `retries`"}
	default:
		w.Change = []string{"look at the archived body for what the server says"}
	}
	if !crawler.Retryable(&f.Row.Result) {
		w.Rule += ", and this one is final at once"
	}
	return w
}

func (f *Facts) whyExcluded() Why {
	if f.Row.Reason == crawler.ReasonType {
		return Why{
			Rule:   fmt.Sprintf("`accept` %s: the server says %q", strings.Join(f.Job.Job.Accept, ","), f.Row.ContentType),
			Place:  f.place("`accept`", false),
			Change: []string{"`accept` with this type too, in another `dir` or with `fresh`"},
		}
	}
	if f.Row.Reason == crawler.ReasonTrap {
		return Why{
			Rule: "it looks like one of endlessly many made-up pages: " + f.Row.Detail, Place: f.place("`trap-repeat` and `trap-segments`", f.Job.Job.TrapRepeat != f.Job.Given.TrapRepeat || f.Job.Job.TrapSegments != f.Job.Given.TrapSegments),
			Change: append([]string{"raise the limit, with 0 it is off"}, f.retryFailed(crawler.ReasonTrap)...),
		}
	}
	s := f.robotsStory()
	w := Why{Rule: f.Row.Detail, Place: s.URL, Change: []string{
		"ask the owner of the site",
		"`ignore-robots` (or ignore-robots for the host, in `config`) in another `dir`, for sites of your own",
	}}
	if s.Line > 0 && !s.Allowed {
		w.Rule = crawler.ShortText(s.Rule)
		w.Place = fmt.Sprintf("line %d of %s, read %s", s.Line, s.URL, s.Fetched.UTC().Format("2006-01-02 15:04:05"))
	}
	return w
}
