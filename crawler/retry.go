package crawler

import "time"

// RetryPolicy says when a fetch that failed is tried again: network errors, 408, 429 and 5xx; 404 and kin
// are final at once.
type RetryPolicy struct {
	Retries int           `json:"retries"` // after the first try
	Base    time.Duration `json:"base"`    // wait before the first retry; doubled each time
	Max     time.Duration `json:"max"`     // longest wait, before what the server asks for
}

// Again decides whether a failed result is tried again after attempts fetches (this one included), and
// how long from now at least. spread in [0,1) is jitter drawn by the caller: up to half of the wait is
// added, so that hosts that failed together do not come back together.
func (p RetryPolicy) Again(r *Result, attempts int, spread float64) (wait time.Duration, again bool) {
	if r.Outcome != Failed || attempts > p.Retries || !retryable(r) {
		return 0, false
	}
	wait = p.Max
	if doublings := max(0, attempts-1); doublings < 20 && p.Base < p.Max>>doublings {
		wait = p.Base << doublings
	}
	wait += time.Duration(float64(wait) / 2 * spread)
	return max(wait, min(r.RetryAfter, MaxRetryAfter)), true
}

func retryable(r *Result) bool {
	switch r.Reason {
	case ReasonDNS, ReasonConnect, ReasonTLS, ReasonTimeout, ReasonReset, ReasonProtocol, ReasonArchive:
		return true
	case ReasonHTTPStatus:
		return r.Status == 408 || r.Status == 429 || r.Status >= 500 && r.Status <= 599
	}
	return false
}

// MaxHostFailures: a host that fails so often in a row, without one success in the job, is given up.
const MaxHostFailures = 20

// HostFault reports whether a result tells against its host rather than against its URL: the host could
// not be reached, or asks for less. Other errors of the server (500) may be the page's own.
func HostFault(r *Result) bool {
	switch {
	case r.Outcome != Failed || r.Reason == ReasonArchive:
		return false
	case r.Reason == ReasonHTTPStatus:
		return r.Status == 429 || r.Status == 503
	}
	return retryable(r)
}

// Backoff bounds of a host that asks for less: the delay is doubled from at least BackoffBase up to
// BackoffMax.
const (
	BackoffBase = time.Second
	BackoffMax  = time.Minute
	// BackoffCalm is how many good answers in a row halve the penalty.
	BackoffCalm = 3
)

// Penalty is the back-off after one more answer: doubled on 429 and 503, halved after each BackoffCalm
// good answers in a row, and 0 once it is below BackoffBase.
func Penalty(now time.Duration, delay time.Duration, r *Result, goodInRow int) time.Duration {
	switch {
	case r.Status == 429 || r.Status == 503:
		return min(max(2*now, 2*delay, BackoffBase), BackoffMax)
	case now > 0 && goodInRow > 0 && goodInRow%BackoffCalm == 0:
		if now /= 2; now < BackoffBase {
			return 0
		}
	}
	return now
}
