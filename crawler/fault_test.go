package crawler

import (
	"testing"
	"time"
)

func TestFaultsAreOfThreeClasses(t *testing.T) {
	unsent := failed(ReasonTimeout, 0)
	unsent.Unsent = true
	begun := failed(ReasonReset, 200)
	begun.Bytes = 1
	for _, c := range []struct {
		what     string
		r        *Result
		want     Fault
		answered bool
	}{
		{"a refused connection", failed(ReasonConnect, 0), FaultNoConnection, false},
		{"a name unknown", failed(ReasonDNS, 0), FaultNoConnection, false},
		{"a handshake that failed", failed(ReasonTLS, 0), FaultNoConnection, false},
		{"no connection in time", unsent, FaultNoConnection, false},
		{"no answer in time", failed(ReasonTimeout, 0), FaultNoAnswer, false},
		{"a connection that ended", failed(ReasonReset, 0), FaultNoAnswer, false},
		{"something that is not HTTP", failed(ReasonProtocol, 0), FaultNoAnswer, false},
		{"a head and nothing after it", failed(ReasonReset, 200), FaultNoAnswer, false},
		{"a body that was cut is the URL's own", begun, FaultNone, true},
		{"a bad gateway", failed(ReasonHTTPStatus, 502), FaultNoAnswer, false},
		{"a gateway's time-out", failed(ReasonHTTPStatus, 504), FaultNoAnswer, false},
		{"520", failed(ReasonHTTPStatus, 520), FaultNoAnswer, false},
		{"527", failed(ReasonHTTPStatus, 527), FaultNoAnswer, false},
		{"not 528", failed(ReasonHTTPStatus, 528), FaultNone, true},
		{"not a broken page", failed(ReasonHTTPStatus, 500), FaultNone, true},
		{"not a slow request", failed(ReasonHTTPStatus, 408), FaultNone, true},
		{"not a missing page", failed(ReasonHTTPStatus, 404), FaultNone, true},
		{"too many requests", failed(ReasonHTTPStatus, 429), FaultRefusal, true},
		{"no service", failed(ReasonHTTPStatus, 503), FaultRefusal, true},
		{"not our full disk", failed(ReasonArchive, 200), FaultNone, true},
		{"not a private address", failed(ReasonPrivateAddress, 0), FaultNone, false},
		{"not an exclusion", &Result{Outcome: Excluded, Reason: ReasonRobots}, FaultNone, false},
		{"a success", &Result{Outcome: Fetched, Status: 200}, FaultNone, true},
		{"a redirect", &Result{Outcome: Redirected, Status: 301}, FaultNone, true},
	} {
		if got := c.r.Fault(); got != c.want || c.r.Answered() != c.answered {
			t.Errorf("%s: class %d, answered %v", c.what, got, c.r.Answered())
		}
	}
}

func TestAStreakNeedsThreeTriesOfTwoURLs(t *testing.T) {
	for _, c := range []struct {
		what string
		urls []uint64
		away bool
	}{
		{"two are too few", []uint64{1, 2}, false},
		{"three are enough", []uint64{1, 2, 3}, true},
		{"of two URLs, too", []uint64{1, 1, 2}, true},
		{"in any order", []uint64{1, 2, 1}, true},
		{"one URL alone says nothing of its host", []uint64{1, 1, 1, 1, 1, 1}, false},
		{"until another one says the same", []uint64{1, 1, 1, 1, 2}, true},
	} {
		var s Streak
		away := false
		for _, u := range c.urls {
			s, away = s.Add(u)
		}
		if away != c.away || len(s) > MaxNoAnswers {
			t.Errorf("%s: %v, %v", c.what, away, s)
		}
	}
}

func TestProbesWaitTwiceAsLongEachTimeUpToTenMinutes(t *testing.T) {
	for failed, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 10: 512 * time.Second, 11: 10 * time.Minute, 1000: 10 * time.Minute} {
		if got := ProbeWait(failed, 0.5); got != want {
			t.Errorf("after %d failures %v, want %v", failed, got, want)
		}
		if low, high := ProbeWait(failed, 0), ProbeWait(failed, 1); low != want*9/10 || high != want*11/10 {
			t.Errorf("after %d failures from %v to %v, want a tenth around %v", failed, low, high, want)
		}
	}
}

func TestFaultTextNamesTheCauseInAFewWords(t *testing.T) {
	for _, c := range []struct {
		why          Reason
		detail, want string
	}{
		{ReasonConnect, "dial tcp 127.0.0.1:9: connect: connection refused", "connection refused by a.test:9"},
		{ReasonDNS, "lookup a.test: no such host", "the name a.test does not exist"},
		{ReasonDNS, "lookup a.test: i/o timeout", "the name a.test cannot be resolved (lookup a.test: i/o timeout)"},
		{ReasonTLS, "x509: unknown authority", "no TLS with a.test:9 (x509: unknown authority)"},
		{ReasonTimeout, "no connection within 10s", "no answer of a.test:9 (no connection within 10s)"},
	} {
		if got := FaultText("a.test:9", c.why, c.detail); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
