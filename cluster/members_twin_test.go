package cluster

import (
	"testing"

	"trawl/cluster/clustertest"
	"trawl/crawler"
)

// A killed process stands in the gossip for a while, and another one may listen at its address by then.
func TestOnlyAProcessThatLivesAnswers(t *testing.T) {
	clustertest.NoLeaks(t)
	a := startNode(t, MembersOptions{Name: "a", Keys: Ring(OurSecret)})
	b := startNode(t, MembersOptions{Name: "b", Keys: Ring(OurSecret), Join: []string{a.Addr().String()}})
	clustertest.Within(t, "a sees b", func() bool { return a.sees("a", "b") })
	member := func(name string) (found Member) {
		for _, m := range a.List() {
			if m.Name == name {
				found = m
			}
		}
		return found
	}
	old := member("b")
	if !a.Answers(t.Context(), old) || !a.Answers(t.Context(), member("a")) {
		t.Error("a member that lives does not answer")
	}
	b.killed.Store(true)
	if err := b.end(t); err != nil {
		t.Fatal(err)
	}
	if a.Answers(t.Context(), old) {
		t.Error("a killed member answers")
	}
	ghost := old
	ghost.Name, ghost.Address = "before", a.Addr()
	if a.Answers(t.Context(), ghost) {
		t.Error("a process answers for the one that had its address before")
	}
	c := startNode(t, MembersOptions{Name: "c", Keys: Ring(OurSecret), Join: []string{a.Addr().String()}})
	ghost.Address = c.Addr()
	if a.Answers(t.Context(), ghost) {
		t.Error("another process answers for the one that had its address before")
	}
}

func TestWhichOfTwoMembersGivesWay(t *testing.T) {
	scheduler := func(name string, port int, started int64) Member {
		return Member{Name: name, Meta: Meta{Role: RoleScheduler, Life: crawler.Life{1}, QueuePort: port, Started: started}}
	}
	fetcher := func(name string, life byte, started int64) Member {
		return Member{Name: name, Meta: Meta{Role: RoleFetcher, Life: crawler.Life{life}, Started: started}}
	}
	for name, tt := range map[string]struct{ stays, goes Member }{
		"the one that serves stays, whatever the clocks say": {scheduler("b", 1, 200), scheduler("a", 0, 100)},
		"of two that serve the first one stays":              {scheduler("b", 1, 100), scheduler("a", 1, 200)},
		"of two that do not serve the first one stays":       {scheduler("b", 0, 100), scheduler("a", 0, 200)},
		"in one millisecond the names decide":                {scheduler("a", 1, 100), scheduler("b", 1, 100)},
		"the fetcher that works stays":                       {fetcher("b", 1, 200), fetcher("a", 0, 100)},
		"of two fetchers that work the first one stays":      {fetcher("b", 1, 100), fetcher("a", 1, 200)},
	} {
		if !tt.stays.Precedes(&tt.goes) || tt.goes.Precedes(&tt.stays) {
			t.Errorf("%s: %v, and the other way round %v", name, tt.stays.Precedes(&tt.goes), tt.goes.Precedes(&tt.stays))
		}
	}
}

func TestTwinsHaveOneLife(t *testing.T) {
	m := func(name string, role Role, life byte) Member {
		return Member{Name: name, Meta: Meta{Role: role, Life: crawler.Life{life}}}
	}
	own := m("a", RoleScheduler, 1)
	for name, tt := range map[string]struct {
		other Member
		want  bool
	}{
		"another process":             {m("b", RoleScheduler, 1), true},
		"itself":                      {own, false},
		"another life":                {m("b", RoleScheduler, 2), false},
		"one of no life":              {m("b", RoleScheduler, 0), false},
		"a fetcher that works for it": {m("b", RoleFetcher, 1), false},
	} {
		if got := own.Twin(&tt.other); got != tt.want || tt.other.Twin(&own) != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if nobody := m("b", RoleScheduler, 0); nobody.Twin(new(m("c", RoleScheduler, 0))) {
		t.Error("two that tell no life are no twins")
	}
}
