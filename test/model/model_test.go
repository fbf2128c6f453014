package main

import (
	"strings"
	"testing"
)

// The protocol holds in every state that can be reached, and the job can end from each of them.
func TestTheProtocolHolds(t *testing.T) {
	for _, p := range protocols() {
		if number, _, _ := strings.Cut(p.name, " "); number != "R0" && number != "R2" {
			continue // minutes, or gigabytes
		}
		t.Run(p.name, func(t *testing.T) {
			if found := p.search(mostStates); found.breach != none || !found.whole || found.stuck > 0 || found.states < 100_000 {
				t.Error(found.text(&p))
			}
		})
	}
}

// Each rule prevents something: without it a trace leads to a breach.
func TestEachRuleTakenAwayBreaksThePromise(t *testing.T) {
	want := map[string]breach{
		"A1": twoAtOnce, "A2": twoAtOnce, "A3": gapTooShort, "A4": gapTooShort, "A5": linksLost, "A6": linksLost, "A7": workLost,
		"A8": twoAtOnce, "A9": twoAtOnce, "A10": twoAtOnce, "A11": twoAtOnce, "A12": twoAtOnce, "A13": twoAtOnce,
		"A14": gapTooShort, "A15": twoAtOnce, "A16": noRight, "A17": notLeased, "A18": rowLost,
	}
	for _, p := range protocols() {
		if !p.breaks() {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			number, _, _ := strings.Cut(p.name, " ")
			if found := p.search(mostStates); found.breach != want[number] || len(found.trace) == 0 {
				t.Errorf("want %v:\n%s", want[number], found.text(&p))
			}
			delete(want, number)
		})
	}
	if len(want) > 0 {
		t.Errorf("not tried: %v", want)
	}
}
