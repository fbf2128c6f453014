//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"trawl/internal/webfarm"
)

// turnEvent is what the scheduler's log tells of a turn.
type turnEvent struct {
	At      time.Time     `json:"time"`
	Word    string        `json:"event"` // grant, renew, end, lapse, or held at a start
	Host    string        `json:"host"`
	Turn    turnID        `json:"turn"`
	Fetcher string        `json:"fetcher"`
	Lease   time.Duration `json:"lease"`
}

// turnID is a turn as the log writes it.
type turnID string

// UnmarshalJSON takes any value.
func (t *turnID) UnmarshalJSON(b []byte) error {
	*t = turnID(b)
	return nil
}

// happened is a fault that was done.
type happened struct {
	kind       kind
	node       string
	begin, end time.Time // end is when it was undone: for a node that was killed, when it was started again
	leased     int       // URLs that were leased then, by anybody
}

// evidence is what an audit judges.
type evidence struct {
	requests []webfarm.Request // in the order of their begins
	turns    []turnEvent       // in the order of the log
	names    map[netip.Addr]string
	faults   []happened

	stalls []span

	delay, lease, grace time.Duration
	loopback            bool // the nodes share addresses, so a request does not tell its sender

	rights map[string][]*right // by host; see judge
	sender []*right            // of each request
}

// right is a fetcher's right to ask a host: from the grant to the end of the lease that it was told last.
type right struct {
	turn    turnID
	fetcher string
	from    time.Time
	until   time.Time // by the scheduler's own reckoning, which a start of it prolongs
	told    []time.Time
	lease   time.Duration
	over    time.Time // when its end was settled or it lapsed; zero while it is in force
	lost    bool      // it did not come to its end: it lapsed, or nothing more was heard of it
}

// known is the end of the right as its fetcher may know it at a time.
func (r *right) known(t time.Time) time.Time {
	end := r.from
	for _, told := range r.told {
		if !told.After(t) && told.Add(r.lease).After(end) {
			end = told.Add(r.lease)
		}
	}
	if !r.over.IsZero() && r.over.Before(end) {
		return r.over
	}
	return end
}

// rightsOf follows the turns through the log.
func rightsOf(events []turnEvent) map[string][]*right {
	rights := make(map[string][]*right)
	for _, e := range events {
		var r *right
		for _, one := range rights[e.Host] {
			if one.turn == e.Turn {
				r = one
			}
		}
		if r == nil {
			r = &right{turn: e.Turn, fetcher: e.Fetcher, from: e.At, lease: e.Lease, lost: true}
			rights[e.Host] = append(rights[e.Host], r)
		}
		switch e.Word {
		case "grant", "renew":
			r.told = append(r.told, e.At)
			r.until = e.At.Add(e.Lease)
		case "held":
			r.until = e.At.Add(e.Lease)
		case "end":
			r.over, r.lost = e.At, false
		case "lapse":
			r.over = e.At
		}
	}
	return rights
}

// at finds the right that a fetcher's request falls into, or else the last one it had before.
func (e *evidence) at(q *webfarm.Request, slack time.Duration) (in, before *right) {
	name := e.names[q.Source]
	for _, r := range e.rights[q.Host] {
		if !e.loopback && r.fetcher != name || q.Begin.Before(r.from) {
			continue
		}
		before = r
		if !q.Begin.After(r.known(q.Begin).Add(slack)) {
			in = r
		}
	}
	return in, before
}

// readTurns reads what a scheduler's processes told on standard error, in the order of their starts.
func readTurns(files []string) ([]turnEvent, error) {
	var all []turnEvent
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read turns: %w", err)
		}
		for line := range bytes.Lines(text) {
			if !bytes.Contains(line, []byte(`"msg":"turn"`)) {
				continue
			}
			var e turnEvent
			if err := json.Unmarshal(line, &e); err != nil {
				continue // the line that a killed process was writing
			}
			all = append(all, e)
		}
	}
	return all, nil
}

// readRequests reads the farm's log.
func readRequests(name string) ([]webfarm.Request, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read requests: %w", err)
	}
	var all []webfarm.Request
	for line := range strings.Lines(string(text)) {
		r, err := webfarm.ParseRequest(line)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b webfarm.Request) int { return a.Begin.Compare(b.Begin) })
	return all, nil
}

// during reports whether a time lies in a fault of one of the kinds on a node ("" for any), or shortly after.
func (e *evidence) during(t time.Time, node string, after time.Duration, of ...kind) bool {
	return slices.ContainsFunc(e.faults, func(h happened) bool {
		return slices.Contains(of, h.kind) && (node == "" || node == h.node) && !t.Before(h.begin) && t.Before(h.end.Add(after))
	})
}
