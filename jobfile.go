package trawl

import (
	"context"
	"fmt"

	"github.com/goccy/go-yaml"

	"trawl/crawler"
	"trawl/storage/archive/warc"
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

// writeJob writes job.yaml: the settings in force, as the command gave them or as they were changed since.
func (r *run) writeJob(ctx context.Context) error {
	r.jobFile.Lock()
	defer r.jobFile.Unlock()
	notice, err := r.sched.Notice(ctx)
	if err != nil {
		return err
	}
	text, err := JobYAML(&notice.Job)
	if err != nil {
		return err
	}
	return r.dir.WriteJob(text)
}

// warcInfo is what each WARC file says of the crawl that it is of (ISO 28500, warcinfo).
func warcInfo(j *Job) []warc.Field {
	robots := "obey"
	if j.IgnoreRobots {
		robots = "ignore"
	}
	return []warc.Field{
		{Name: "software", Value: "trawl/" + Version()},
		{Name: "format", Value: "WARC File Format 1.1"},
		{Name: "robots", Value: robots},
		{Name: "http-header-user-agent", Value: j.UserAgent},
		{Name: "isPartOf", Value: j.Name},
	}
}
