package webfarm_test

import (
	"bytes"
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"trawl/internal/webfarm"
)

func TestTheLogOfRequestsTellsWhatTheAuditCounts(t *testing.T) {
	var log bytes.Buffer
	o := webfarm.Options{Hosts: 2, PagesPerHost: 60, Requests: &log, Ports: runtime.GOOS != "linux"}
	o.Faults.Throttled, o.Robots.Disallowed, o.Latency = 0.2, 0.2, 2*time.Millisecond
	f, err := webfarm.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	c := client(t, f)
	for _, seed := range f.Seeds() {
		get(t, c, seed+"robots.txt")
		get(t, c, seed+"nothing here"[:7])
	}
	for p := range f.Expect() {
		get(t, c, p.URL)
	}
	stop()
	if err := <-ended; err != nil { // what was written last is in the log when all exchanges are over
		t.Fatal(err)
	}
	audit := f.Audit().Total
	n := map[string]int64{}
	for line := range strings.Lines(log.String()) {
		r, err := webfarm.ParseRequest(line)
		if err != nil {
			t.Fatal(err)
		}
		n[r.What]++
		if r.Disallowed {
			n["disallowed"]++
		}
		if took := r.End.Sub(r.Begin); took < o.Latency || took > time.Minute || r.Source.String() != "127.0.0.1" || !r.Whole {
			t.Errorf("%q took %v", line, took)
		}
		if (r.Status == 503) == r.Final || (r.Status == 503) != (r.RetryAfter == time.Second) {
			t.Errorf("%q: a 503 is not final and has a Retry-After", line)
		}
	}
	got := []int64{n["page"], n["robots"], n["unknown"], n["disallowed"]}
	if want := []int64{audit.Pages, audit.Robots, audit.Unknown, audit.Disallowed}; !slices.Equal(got, want) || audit.Disallowed == 0 {
		t.Errorf("%v in the log, %v counted", got, want)
	}
}

func TestABrokenLineOfTheLogIsRefused(t *testing.T) {
	for _, line := range []string{"", "1 2 3", "1 x 127.0.0.1 h page 200 w 0 /", "1 2 nobody h page 200 w 0 /"} {
		if r, err := webfarm.ParseRequest(line); err == nil {
			t.Errorf("%q is read as %+v", line, r)
		}
	}
}
