package main

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// plainName is the scenario with which others are compared.
const plainName = "a-plain"

type ratios = func(s *study, all []*study) []ratio

// figures are the ratios of a scenario, none where it was not measured.
func (s *study) figures(all []*study) []ratio {
	if !s.measured() {
		return nil
	}
	return s.ratios(s, all)
}

// both joins the ratios of two sorts.
func both(a, b ratios) ratios {
	return func(s *study, all []*study) []ratio { return append(a(s, all), b(s, all)...) }
}

// toFirst compares tools with the first of the scenario; the map has what is wanted of each.
func toFirst(want map[string]float64) ratios {
	return func(s *study, _ []*study) []ratio {
		var out []ratio
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if t := s.tool(name); t != nil {
				out = append(out, ratio{name + "/" + s.tools[0].name, t.ratio(s.tools[0]), want[name]})
			}
		}
		return out
	}
}

// ahead compares trawl with peers; the map has how many times their rate is wanted.
func ahead(want map[string]float64) ratios {
	return func(s *study, _ []*study) []ratio {
		var out []ratio
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if t := s.tool(name); t != nil {
				out = append(out, ratio{toolTrawl + "/" + name, s.tool(toolTrawl).ratio(t), want[name]})
			}
		}
		return out
	}
}

// withinEachOther compares the slower of two settings with the faster one.
func withinEachOther(want float64) ratios {
	return func(s *study, _ []*study) []ratio {
		a, b := s.tools[1], s.tools[0]
		r := a.ratio(b)
		if r.median > 1 {
			a, b = b, a
			r = a.ratio(b)
		}
		return []ratio{{"the slower/the faster of both", r, want}}
	}
}

// toManyHosts compares with the rate of the crawl of many hosts.
func toManyHosts(want float64) ratios {
	return func(s *study, all []*study) []ratio {
		plain := find(all, plainName)
		if plain == nil {
			return nil // -only: there is nothing to compare with
		}
		return []ratio{{toolTrawl + "/" + plainName, s.tool(toolTrawl).ratio(plain.tool(toolTrawl)), want}}
	}
}

// ofTime compares a time with the whole life of the process.
func ofTime(most time.Duration, want float64) ratios {
	return func(s *study, _ []*study) []ratio {
		took := s.tool(toolTrawl).spread(func(o outcome) float64 { return most.Seconds() / o.wall.Seconds() })
		return []ratio{{most.String() + "/" + toolTrawl, took, want}}
	}
}

// share is the spread of an ideal time to the time that the server saw.
func (t *tool) share(ideal time.Duration) spread {
	return t.spread(func(o outcome) float64 { return ideal.Seconds() / o.served().Seconds() })
}

// ofLatency compares with a crawl that keeps all its connections waiting for answers all the time, but for
// robots.txt and the first page of a host, before which there is nothing to ask for. Several connections to
// each host allow more than two processors carry: then the rate of the crawl without latency is what can be
// reached.
func ofLatency(perHost int, want float64) ratios {
	return func(s *study, all []*study) []ratio {
		rest := s.shape.pages - 1
		ideal := time.Duration(2+(rest+perHost-1)/perHost) * s.shape.latency
		r := ratio{name: toolTrawl + "/latency and connections allow", want: want}
		if perHost > 1 {
			plain := find(all, plainName)
			if plain == nil {
				return nil // -only: nobody knows what the machine can do
			}
			rate := plain.tool(toolTrawl).spread(plain.tool(toolTrawl).rate).median
			ideal = max(ideal, time.Duration(float64(s.total)/rate*float64(time.Second)))
			r.name += ", or " + plainName
		}
		r.value = s.tool(toolTrawl).share(ideal)
		return []ratio{r}
	}
}

// ofDelay compares with hosts that are each asked again as soon as delay and answer allow.
func ofDelay(want float64) ratios {
	return func(s *study, _ []*study) []ratio {
		requests := time.Duration(s.shape.pages + 1) // robots.txt is one
		return []ratio{{toolTrawl + "/hosts ÷ (delay + answer)", s.tool(toolTrawl).share(requests*s.shape.latency + (requests-1)*delay), want}}
	}
}

// efficiency compares n fetchers with n times the first tool's one.
func efficiency(want float64) ratios {
	return func(s *study, _ []*study) []ratio {
		one := s.tools[0].spread(func(o outcome) float64 { return o.served().Seconds() }).median
		var out []ratio
		for i, t := range s.tools[1:] {
			n := float64(int(2) << i)
			r := ratio{fmt.Sprintf("%s/(%.0f × %s)", t.name, n, s.tools[0].name), t.spread(func(o outcome) float64 { return one / (n * o.served().Seconds()) }), 0}
			if i == len(s.tools)-2 {
				r.want = want
			}
			out = append(out, r)
		}
		return out
	}
}
