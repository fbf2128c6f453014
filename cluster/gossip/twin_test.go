package gossip

import (
	"testing"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/trust/trusttest"
	"trawl/crawler"
)

// A killed process stands in the gossip for a while, and another one may listen at its address by then.
func TestOnlyAProcessThatLivesAnswers(t *testing.T) {
	clustertest.NoLeaks(t)
	a := startNode(t, Options{Name: "a", Keys: trusttest.Ring(trusttest.OurSecret)})
	b := startNode(t, Options{Name: "b", Keys: trusttest.Ring(trusttest.OurSecret), Join: []string{a.Addr().String()}})
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
	c := startNode(t, Options{Name: "c", Keys: trusttest.Ring(trusttest.OurSecret), Join: []string{a.Addr().String()}})
	ghost.Address = c.Addr()
	if a.Answers(t.Context(), ghost) {
		t.Error("another process answers for the one that had its address before")
	}
}

func TestWhichOfTwoMembersGivesWay(t *testing.T) {
	scheduler := func(name string, port int, started int64) Member {
		return Member{Name: name, Meta: Meta{Role: cluster.RoleScheduler, Life: crawler.Life{1}, QueuePort: port, Started: started}}
	}
	fetcher := func(name string, life byte, started int64) Member {
		return Member{Name: name, Meta: Meta{Role: cluster.RoleFetcher, Life: crawler.Life{life}, Started: started}}
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
	m := func(name string, role cluster.Role, life byte) Member {
		return Member{Name: name, Meta: Meta{Role: role, Life: crawler.Life{life}}}
	}
	own := m("a", cluster.RoleScheduler, 1)
	for name, tt := range map[string]struct {
		other Member
		want  bool
	}{
		"another process":             {m("b", cluster.RoleScheduler, 1), true},
		"itself":                      {own, false},
		"another life":                {m("b", cluster.RoleScheduler, 2), false},
		"one of no life":              {m("b", cluster.RoleScheduler, 0), false},
		"a fetcher that works for it": {m("b", cluster.RoleFetcher, 1), false},
	} {
		if got := own.Twin(&tt.other); got != tt.want || tt.other.Twin(&own) != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if nobody := m("b", cluster.RoleScheduler, 0); nobody.Twin(new(m("c", cluster.RoleScheduler, 0))) {
		t.Error("two that tell no life are no twins")
	}
}
