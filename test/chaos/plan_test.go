//go:build linux

package main

import (
	"reflect"
	"testing"
	"time"
)

const testLease = 3 * time.Second

func TestAPlanIsAFunctionOfItsSeed(t *testing.T) {
	seen := make(map[string]uint64)
	for seed := range uint64(300) {
		p := newPlan(seed, 3, testLease)
		if !reflect.DeepEqual(p, newPlan(seed, 3, testLease)) {
			t.Fatalf("seed %d gives two plans", seed)
		}
		if other, again := seen[p.String()]; again {
			t.Errorf("seeds %d and %d give the same plan", seed, other)
		}
		seen[p.String()] = seed
	}
}

func TestSuccessiveSeedsHaveEveryKind(t *testing.T) {
	missing := make(map[kind]bool)
	for _, k := range kinds {
		missing[k] = true
	}
	for seed := range uint64(len(kinds)) {
		for _, f := range newPlan(100+seed, 3, testLease).faults {
			delete(missing, f.kind)
		}
	}
	if len(missing) > 0 {
		t.Errorf("no plan has %v", missing)
	}
}

func TestFaultsOfAPlanGoTogether(t *testing.T) {
	for seed := range uint64(1000) {
		p := newPlan(seed, 3, testLease)
		for i, f := range p.faults {
			if f.at < firstFault || f.at > lastFault || f.last <= 0 || f.last > 15*time.Second && f.kind != fullFetcher {
				t.Errorf("seed %d: %v", seed, f)
			}
			if (f.kind == stopFetcher || f.kind == stopScheduler) && f.last <= testLease {
				t.Errorf("seed %d: %v is no longer than a lease", seed, f)
			}
			for _, g := range p.faults[:i] {
				if clash(f, g) {
					t.Errorf("seed %d: %v and %v", seed, f, g)
				}
				if f.kind == clockScheduler && g.node == "s" && g.kind.ends() || g.kind == clockScheduler && f.node == "s" && f.kind.ends() {
					t.Errorf("seed %d: the scheduler may be down while its clock goes forward", seed)
				}
			}
		}
	}
}
