package trawl

import (
	"fmt"

	"github.com/goccy/go-yaml"

	"trawl/crawler"
)

// JobYAML writes the settings of a job under the names of their flags, in the form that config reads.
// Settings that have no flag are not among them.
func JobYAML(j *Job) ([]byte, error) {
	usual := crawler.NewJob(j.Kind)
	var settings yaml.MapSlice
	for _, s := range crawler.Settings() {
		if value := s.Value(j); value != nil && !s.LiveOnly && !(s.Hidden && s.Equal(j, &usual)) {
			settings = append(settings, yaml.MapItem{Key: s.Name, Value: value.Plain()})
		}
	}
	if len(j.Hosts) > 0 {
		settings = append(settings, yaml.MapItem{Key: "hosts", Value: hostRules(j.Hosts)})
	}
	text, err := yaml.MarshalWithOptions(settings, yaml.UseLiteralStyleIfMultiline(true), yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("write settings: %w", err)
	}
	return text, nil
}

// hostRules are rules for hosts with what each of them says.
func hostRules(rules []crawler.HostRule) []yaml.MapSlice {
	all := make([]yaml.MapSlice, len(rules))
	for i := range rules {
		for _, s := range crawler.HostRuleSettings() {
			if !s.Equal(&rules[i], new(crawler.HostRule)) {
				all[i] = append(all[i], yaml.MapItem{Key: s.Name, Value: s.Value(&rules[i]).Plain()})
			}
		}
	}
	return all
}
