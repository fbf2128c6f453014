package crawler

import "time"

// RetryPolicy says when a fetch that failed is tried again: network errors, 408, 429 and 5xx; 404 and kin
// are final at once.
type RetryPolicy struct {
	Retries int           `json:"retries"` // after the first try; tries that were not the URL's own are not counted
	Base    time.Duration `json:"base"`    // wait before the first retry; doubled each time
	Max     time.Duration `json:"max"`     // longest wait, before what the server asks for
}

// Again decides whether a failed result is tried again, and how long from now at least. tries are the URL's own so far, this
// one included; waits is how many waits it had, which counts those that were not its own, too. spread in [0,1) is jitter drawn by
// the caller: up to half of the wait is added, so that hosts that failed together do not come back together.
func (p RetryPolicy) Again(r *Result, tries, waits int, spread float64) (wait time.Duration, again bool) {
	if !Retryable(r) || tries > p.Retries {
		return 0, false
	}
	wait = p.Max
	if doublings := max(0, waits-1); doublings < 20 && p.Base < p.Max>>doublings {
		wait = p.Base << doublings
	}
	wait += time.Duration(float64(wait) / 2 * spread)
	return max(wait, min(r.RetryAfter, MaxRetryAfter)), true
}

func Retryable(r *Result) bool {
	if r.Outcome != Failed {
		return false
	}
	switch r.Reason {
	case ReasonDNS, ReasonConnect, ReasonTLS, ReasonTimeout, ReasonReset, ReasonProtocol, ReasonArchive:
		return true
	case ReasonHTTPStatus:
		return r.Status == 408 || r.Status == 429 || r.Status >= 500 && r.Status <= 599
	}
	return false
}

// MayRetry reports whether a result is of a kind that is tried again.
func (r *Result) MayRetry() bool { return Retryable(r) }

// Back-off of a host that asks for less.
const (
	// BackoffBase is taken for the asked-for delay of a host that may be asked without one, or with a shorter one.
	BackoffBase = 100 * time.Millisecond
	// BackoffMax is the longest back-off.
	BackoffMax = 5 * time.Minute
	// BackoffDivisor: a refusal divides the host's rate by it.
	BackoffDivisor = 2
	// BackoffSteps: each answer adds this part of the asked-for rate back. A refusal in three then settles at about a fifth of
	// that rate; steps that multiplied would have no such point.
	BackoffSteps = 20
)

// Penalty is the back-off after one more answer; delay is the asked-for delay, by user and robots.txt. The back-off is over, 0,
// once the rate is the asked-for one again.
func Penalty(now, delay time.Duration, r *Result) time.Duration {
	delay = max(delay, BackoffBase)
	switch {
	case StatusFault(r.Status) == FaultRefusal:
		return max(delay, min(BackoffDivisor*max(now, delay), BackoffMax))
	case !r.Answered():
		return now
	}
	// 1/now + 1/(steps × delay), turned over.
	full := float64(BackoffSteps) * float64(delay)
	now = time.Duration(float64(now) * full / (full + float64(now)))
	if now <= delay {
		return 0
	}
	return now
}
