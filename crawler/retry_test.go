package crawler

import (
	"math"
	"math/rand/v2"
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
		{"not 407", failed(ReasonHTTPStatus, 407), 1, false},
		{"not 409", failed(ReasonHTTPStatus, 409), 1, false},
		{"not 428", failed(ReasonHTTPStatus, 428), 1, false},
		{"not 430", failed(ReasonHTTPStatus, 430), 1, false},
		{"not 499", failed(ReasonHTTPStatus, 499), 1, false},
		{"not 600", failed(ReasonHTTPStatus, 600), 1, false},
		{"not 410", failed(ReasonHTTPStatus, 410), 1, false},
		{"not 403", failed(ReasonHTTPStatus, 403), 1, false},
		{"not 304 that nobody asked for", failed(ReasonHTTPStatus, 304), 1, false},
		{"not statuses beyond the classes", failed(ReasonHTTPStatus, 999), 1, false},
		{"not a private address", failed(ReasonPrivateAddress, 0), 1, false},
		{"not a redirect without end", failed(ReasonTooManyRedirects, 302), 1, false},
		{"not a lost URL", failed(ReasonLost, 0), 1, false},
		{"not robots.txt out of reach", failed(ReasonRobotsUnreachable, 503), 1, false},
		{"not a success", &Result{Outcome: Fetched, Status: 200}, 1, false},
		{"not an exclusion", &Result{Outcome: Excluded, Reason: ReasonRobots}, 1, false},
		{"the third retry", failed(ReasonTimeout, 0), 3, true},
		{"not a fourth", failed(ReasonTimeout, 0), 4, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			wait, again := p.Again(c.r, c.attempts, c.attempts, 0)
			if c.r.MayRetry() != (c.want || c.attempts > p.Retries) {
				t.Errorf("its kind is tried again: %v", c.r.MayRetry())
			}
			if again != c.want || again != (wait > 0) {
				t.Errorf("%v after %v, want %v", again, wait, c.want)
			}
		})
	}
	if _, again := (RetryPolicy{}).Again(failed(ReasonTimeout, 0), 1, 1, 0); again {
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
		{"doubled where that is less than the longest", RetryPolicy{100, 1, 5}, 2, 0, 0, 2},
		{"the longest where another doubling would pass it", RetryPolicy{100, 1, 5}, 3, 0, 0, 5},
		{"doubled nineteen times", RetryPolicy{100, 1, time.Hour}, 20, 0, 0, 1 << 19},
		{"and no more", RetryPolicy{100, 1, time.Hour}, 21, 0, 0, time.Hour},
		{"just an hour that the server asks for", p, 1, 0, time.Hour, time.Hour},
		{"before any attempt it is the base", p, 0, 0, 0, 5 * time.Second},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := failed(ReasonTimeout, 0)
			r.RetryAfter = c.retryAfter
			if wait, again := c.p.Again(r, 1, c.attempts, c.spread); !again || wait != c.want {
				t.Errorf("%v %v, want %v", wait, again, c.want)
			}
		})
	}
}

func TestPenalty(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		what       string
		now, delay time.Duration
		status     int
		want       time.Duration
	}{
		{"the first refusal halves the rate", 0, 3 * s, 429, 6 * s},
		{"503 does too", 0, 3 * s, 503, 6 * s},
		{"without a delay it begins at the base", 0, 0, 429, 2 * BackoffBase},
		{"each halves it", 8 * s, s, 503, 16 * s},
		{"up to the longest", 4 * time.Minute, s, 429, BackoffMax},
		{"which is no shorter than what was asked for", 0, 10 * time.Minute, 503, 10 * time.Minute},
		{"an answer adds a twentieth of the asked-for rate", 4 * s, s, 200, 10 * s / 3},
		{"whatever it says", 4 * s, s, 404, 10 * s / 3},
		{"also a long back-off is soon over", 5 * time.Minute, s, 200, 18750 * time.Millisecond},
		{"at the asked-for rate it is over", 1040 * time.Millisecond, s, 200, 0},
		{"just then", 20 * s, 19 * s, 200, 0},
		{"a little before it is not", 21 * s, 19 * s, 200, 19900498 * time.Microsecond},
		{"a host that is well stays so", 0, s, 200, 0},
		{"no answer changes nothing", 8 * s, s, 0, 8 * s},
		{"nor does no answer of a host that is well", 0, s, 0, 0},
		{"a gateway's word for none neither", 8 * s, s, 504, 8 * s},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := &Result{Outcome: Fetched, Status: c.status}
			if c.status >= 400 {
				r = failed(ReasonHTTPStatus, c.status)
			}
			if got := Penalty(c.now, c.delay, r); got.Round(time.Millisecond) != c.want.Round(time.Millisecond) || (got == 0) != (c.want == 0) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestAPaceSettlesAtASiteThatRefusesAThird(t *testing.T) {
	for _, delay := range []time.Duration{0, 100 * time.Millisecond, time.Second, 10 * time.Second} {
		rng := rand.New(rand.NewPCG(1, uint64(delay)))
		var penalty, all, longest time.Duration
		const n = 5000
		for range n {
			r := &Result{Outcome: Fetched, Status: 200}
			if rng.IntN(10) < 3 {
				r = failed(ReasonHTTPStatus, 503)
			}
			penalty = Penalty(penalty, delay, r)
			all += max(penalty, delay)
			longest = max(longest, penalty)
		}
		asked := max(delay, BackoffBase)
		if mean := all / n; mean < 2*asked || mean > 12*asked || longest > 1000*asked {
			t.Errorf("delay %v: settles at %v, at most %v", delay, mean, longest)
		}
	}
}
