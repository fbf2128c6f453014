package crawler

import (
	"math"
	"testing"
	"time"
)

func failed(reason Reason, status int) *Result {
	return &Result{Outcome: Failed, Reason: reason, Status: status}
}

func TestAgainTellsWhatIsTriedAgain(t *testing.T) {
	p := RetryPolicy{Retries: 3, Base: time.Second, Max: time.Minute}
	for _, c := range []struct {
		what     string
		r        *Result
		attempts int
		want     bool
	}{
		{"a name that could not be resolved", failed(ReasonDNS, 0), 1, true},
		{"a refused connection", failed(ReasonConnect, 0), 1, true},
		{"a failed handshake", failed(ReasonTLS, 0), 1, true},
		{"a timeout", failed(ReasonTimeout, 0), 1, true},
		{"a reset", failed(ReasonReset, 200), 1, true},
		{"a broken answer", failed(ReasonProtocol, 0), 1, true},
		{"a full disk", failed(ReasonArchive, 200), 1, true},
		{"408", failed(ReasonHTTPStatus, 408), 1, true},
		{"429", failed(ReasonHTTPStatus, 429), 1, true},
		{"500", failed(ReasonHTTPStatus, 500), 1, true},
		{"599", failed(ReasonHTTPStatus, 599), 1, true},
		{"not 404", failed(ReasonHTTPStatus, 404), 1, false},
		{"not 410", failed(ReasonHTTPStatus, 410), 1, false},
		{"not 403", failed(ReasonHTTPStatus, 403), 1, false},
		{"not 304 that nobody asked for", failed(ReasonHTTPStatus, 304), 1, false},
		{"not statuses beyond the classes", failed(ReasonHTTPStatus, 999), 1, false},
		{"not a private address", failed(ReasonPrivateAddress, 0), 1, false},
		{"not a redirect without end", failed(ReasonTooManyRedirects, 302), 1, false},
		{"not a body too large", failed(ReasonTooLarge, 200), 1, false},
		{"not a lost URL", failed(ReasonLost, 0), 1, false},
		{"not robots.txt out of reach", failed(ReasonRobotsUnreachable, 503), 1, false},
		{"not a success", &Result{Outcome: Fetched, Status: 200}, 1, false},
		{"not an exclusion", &Result{Outcome: Excluded, Reason: ReasonRobots}, 1, false},
		{"the third retry", failed(ReasonTimeout, 0), 3, true},
		{"not a fourth", failed(ReasonTimeout, 0), 4, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			wait, again := p.Again(c.r, c.attempts, 0)
			if again != c.want || again != (wait > 0) {
				t.Errorf("%v after %v, want %v", again, wait, c.want)
			}
		})
	}
	if _, again := (RetryPolicy{}).Again(failed(ReasonTimeout, 0), 1, 0); again {
		t.Error("without retries something is tried again")
	}
}

func TestAgainTellsHowLongToWait(t *testing.T) {
	p := RetryPolicy{Retries: 100, Base: 5 * time.Second, Max: 10 * time.Minute}
	for _, c := range []struct {
		what       string
		p          RetryPolicy
		attempts   int
		spread     float64
		retryAfter time.Duration
		want       time.Duration
	}{
		{"the base at first", p, 1, 0, 0, 5 * time.Second},
		{"twice as long then", p, 2, 0, 0, 10 * time.Second},
		{"doubled each time", p, 7, 0, 0, 320 * time.Second},
		{"up to the longest", p, 8, 0, 0, 10 * time.Minute},
		{"however often", p, 100, 0, 0, 10 * time.Minute},
		{"jitter adds to it", p, 1, 0.5, 0, 6250 * time.Millisecond},
		{"also to the longest", p, 50, 0.5, 0, 12*time.Minute + 30*time.Second},
		{"the server may ask for longer", p, 1, 0, time.Minute, time.Minute},
		{"not for shorter", p, 1, 0, time.Second, 5 * time.Second},
		{"up to an hour", p, 1, 0, 48 * time.Hour, time.Hour},
		{"a base that large is not doubled", RetryPolicy{100, 100 * 24 * time.Hour, 200 * 24 * time.Hour}, 40, 0, 0, 200 * 24 * time.Hour},
		{"no longest overflows", RetryPolicy{100, time.Hour, math.MaxInt64}, 22, 0, 0, math.MaxInt64},
		{"before any attempt it is the base", p, 0, 0, 0, 5 * time.Second},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := failed(ReasonTimeout, 0)
			r.RetryAfter = c.retryAfter
			if wait, again := c.p.Again(r, c.attempts, c.spread); !again || wait != c.want {
				t.Errorf("%v %v, want %v", wait, again, c.want)
			}
		})
	}
}

func TestHostFault(t *testing.T) {
	for _, c := range []struct {
		what string
		r    *Result
		want bool
	}{
		{"out of reach", failed(ReasonConnect, 0), true},
		{"a name unknown", failed(ReasonDNS, 0), true},
		{"no service", failed(ReasonHTTPStatus, 503), true},
		{"too many requests", failed(ReasonHTTPStatus, 429), true},
		{"not a missing page", failed(ReasonHTTPStatus, 404), false},
		{"not a broken page", failed(ReasonHTTPStatus, 500), false},
		{"not our full disk", failed(ReasonArchive, 200), false},
		{"not a private address", failed(ReasonPrivateAddress, 0), false},
		{"not a success", &Result{Outcome: Fetched, Status: 200}, false},
	} {
		if got := HostFault(c.r); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

func TestPenalty(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		what       string
		now, delay time.Duration
		status     int
		good       int
		want       time.Duration
	}{
		{"the first refusal doubles the delay", 0, 3 * s, 429, 0, 6 * s},
		{"503 does too", 0, 3 * s, 503, 0, 6 * s},
		{"without delay it begins at the base", 0, 0, 429, 0, BackoffBase},
		{"each doubles", 8 * s, s, 503, 0, 16 * s},
		{"up to the longest", 4 * time.Minute, s, 429, 0, BackoffMax},
		{"other errors change nothing", 8 * s, s, 500, 0, 8 * s},
		{"a good answer changes nothing yet", 8 * s, s, 200, 1, 8 * s},
		{"nine neither", 8 * s, s, 200, BackoffCalm - 1, 8 * s},
		{"ten halve it", 8 * s, s, 200, BackoffCalm, 4 * s},
		{"the eleventh changes nothing", 4 * s, s, 200, BackoffCalm + 1, 4 * s},
		{"twenty halve it again", 4 * s, s, 200, 2 * BackoffCalm, 2 * s},
		{"below the base it is over", BackoffBase, s, 200, BackoffCalm, 0},
		{"a host that is well stays so", 0, s, 200, BackoffCalm, 0},
		{"no answer at all changes nothing", 8 * s, s, 0, 0, 8 * s},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := Penalty(c.now, c.delay, &Result{Status: c.status}, c.good); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
