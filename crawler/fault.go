package crawler

import (
	"strings"
	"time"

	"trawl/crawler/weburl"
)

// Fault says whether a result tells against its host, and how. Fetcher and scheduler both decide by it: the
// fetcher when its turn is to end, the scheduler whether the host is away and whose try it was.
type Fault uint8

const (
	// FaultNone: the host answered, or it was not asked. What failed, if anything, is the URL's own.
	FaultNone Fault = iota
	// FaultNoConnection: the name could not be resolved, nobody listens, the handshake failed. The host is away.
	FaultNoConnection
	// FaultNoAnswer: there was a connection and no answer on it, or a gateway says that there is nobody behind it. It is a
	// try of the URL; several in a row are the host's (see [Streak]).
	FaultNoAnswer
	// FaultRefusal: the host asks for less (429, 503): see [Penalty].
	FaultRefusal
)

// Fault classifies a result.
func (r *Result) Fault() Fault {
	if r.Outcome != Failed {
		return FaultNone
	}
	switch r.Reason {
	case ReasonDNS, ReasonConnect, ReasonTLS:
		return FaultNoConnection
	case ReasonTimeout, ReasonReset, ReasonProtocol:
		switch {
		case r.Unsent:
			return FaultNoConnection
		case r.Status == 0 || r.Bytes == 0: // once some of a body came the host is there, and the rest is this URL's trouble
			return FaultNoAnswer
		}
	case ReasonHTTPStatus:
		return StatusFault(r.Status)
	}
	return FaultNone
}

// StatusFault classifies an answer by its status. 500 and 408 may be the page's own.
func StatusFault(status int) Fault {
	switch {
	case status == 429 || status == 503:
		return FaultRefusal
	case status == 502 || status == 504 || status >= 520 && status <= 527: // 52x: gateways' words for no connection behind them
		return FaultNoAnswer
	}
	return FaultNone
}

// Answered reports whether the host itself said something, be it a refusal.
func (r *Result) Answered() bool {
	f := r.Fault()
	return r.Status > 0 && f != FaultNoConnection && f != FaultNoAnswer
}

// Limits of what is forgiven to a host, and to its URLs because of it.
const (
	// MaxNoAnswers tries in a row without an answer, of at least two URLs, make a host away.
	MaxNoAnswers = 3
	// MaxSpared is how many tries of one URL are not counted as its own: refusals, and tries given back because the host was
	// away. Then each uses up one of retries, as the URL itself may be what the host does not answer to.
	MaxSpared = 9
	// AttemptsNever: a host that never answered is given up after so many attempts to connect in a row.
	AttemptsNever = 4
	// ProbesAtLeast: a host that has answered is not given up before so many probes in a row have failed, however long ago it
	// answered: time may have passed in which nobody looked.
	ProbesAtLeast = 5
	// ProbeFirst and ProbeLongest bound the wait between two probes of a host that is away; it doubles.
	ProbeFirst   = time.Second
	ProbeLongest = 10 * time.Minute
	// DefaultHostPatience is how long a host that has answered may be away.
	DefaultHostPatience = time.Hour
)

// Streak is the URLs (by [weburl.URLKey].URL) of the newest tries of a host without an answer, with no other answer between them;
// at most [MaxNoAnswers].
type Streak []uint64

// Add notes one more, and reports whether the host is away by it. One URL alone never says so: it may be its own fault.
func (s Streak) Add(url uint64) (longer Streak, away bool) {
	if len(s) >= MaxNoAnswers-1 && !s.other(url) {
		return s, false
	}
	longer = append(s[:len(s):len(s)], url)
	if over := len(longer) - MaxNoAnswers; over > 0 {
		longer = longer[over:]
	}
	return longer, len(longer) == MaxNoAnswers && longer.other(longer[0])
}

// other reports whether a URL other than this one is in the streak.
func (s Streak) other(url uint64) bool {
	for _, u := range s {
		if u != url {
			return true
		}
	}
	return false
}

// ProbeWait is the wait after so many attempts in a row have failed, 1 or more. spread in [0,1) is drawn by the caller: a
// tenth more or less, so that hosts that went away together are not probed together for ever.
func ProbeWait(failed int, spread float64) time.Duration {
	wait := ProbeFirst
	for i := 1; i < failed && wait < ProbeLongest; i++ {
		wait *= 2
	}
	wait = min(wait, ProbeLongest)
	return wait + time.Duration(float64(wait)/10*(2*spread-1))
}

// FaultText says in a few words what keeps from a host, as its newest failure tells it.
func FaultText(h weburl.Host, why Reason, detail string) string {
	switch low := strings.ToLower(detail); {
	case strings.Contains(low, "connection refused"):
		return "connection refused by " + string(h)
	case why == ReasonDNS && strings.Contains(low, "no such host"):
		return "the name " + h.Name() + " does not exist"
	case why == ReasonDNS:
		return "the name " + h.Name() + " cannot be resolved (" + ShortText(detail) + ")"
	case why == ReasonTLS:
		return "no TLS with " + string(h) + " (" + ShortText(detail) + ")"
	case why == ReasonConnect:
		return "no connection to " + string(h) + " (" + ShortText(detail) + ")"
	}
	return "no answer of " + string(h) + " (" + ShortText(detail) + ")"
}

// ShortText cuts a text for people, on one line.
func ShortText(s string) string {
	const most = 200
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
