package trawl

import (
	"fmt"

	"github.com/goccy/go-yaml"

	"trawl/storage/warc"
)

// jobText writes the settings of a job under the names of their flags.
func jobText(j *Job) ([]byte, error) {
	text, err := yaml.Marshal(yaml.MapSlice{
		{Key: "kind", Value: string(j.Kind)},
		{Key: "scope", Value: string(j.Scope)},
		{Key: "include", Value: j.Include},
		{Key: "exclude", Value: j.Exclude},
		{Key: "requisites", Value: string(j.Requisites)},
		{Key: "depth", Value: j.Depth},
		{Key: "max-pages", Value: j.MaxPages},
		{Key: "max-per-host", Value: j.MaxPerHost},
		{Key: "delay", Value: j.Delay.String()},
		{Key: "per-host", Value: j.PerHost},
		{Key: "ignore-robots", Value: j.IgnoreRobots},
		{Key: "user-agent", Value: j.UserAgent},
		{Key: "max-body", Value: j.Fetch.MaxBody},
		{Key: "timeout", Value: j.Fetch.Idle.String()},
		{Key: "retries", Value: j.Retry.Retries},
		{Key: "allow-private", Value: j.AllowPrivate},
		{Key: "archive", Value: string(j.Archive)},
		{Key: "compress", Value: string(j.Compress)},
	})
	if err != nil {
		return nil, fmt.Errorf("write settings: %w", err)
	}
	return text, nil
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
