package trawl

import (
	"context"
	"fmt"
	"time"

	"github.com/goccy/go-yaml"

	"trawl/crawler"
	"trawl/storage/archive/warc"
)

// JobYAML writes the settings of a job under the names of their flags, in the form that --config reads.
// Settings that have no flag are not among them.
func JobYAML(j *Job) ([]byte, error) {
	settings := yaml.MapSlice{
		{Key: "kind", Value: string(j.Kind)},
		{Key: "scope", Value: string(j.Scope)},
		{Key: "include", Value: j.Include},
		{Key: "exclude", Value: j.Exclude},
		{Key: "requisites", Value: string(j.Requisites)},
		{Key: "lazy-images", Value: j.LazyImages},
		{Key: "accept", Value: j.Accept},
		{Key: "depth", Value: j.Depth},
		{Key: "trap-repeat", Value: j.TrapRepeat},
		{Key: "trap-segments", Value: j.TrapSegments},
		{Key: "max-pages", Value: j.MaxPages},
		{Key: "max-bytes", Value: j.MaxBytes},
		{Key: "max-per-host", Value: j.MaxPerHost},
		{Key: "delay", Value: j.Delay.String()},
		{Key: "per-host", Value: j.PerHost},
		{Key: "ignore-robots", Value: j.IgnoreRobots},
		{Key: "user-agent", Value: j.UserAgent},
		{Key: "header", Value: headerLines(j.Headers)},
		{Key: "referer", Value: string(j.Referer)},
		{Key: "ca-file", Value: j.CA},
		{Key: "bandwidth", Value: j.Bandwidth},
		{Key: "max-body", Value: j.Fetch.MaxBody},
		{Key: "max-links", Value: j.Fetch.Links},
		{Key: "timeout", Value: j.Fetch.Idle.String()},
		{Key: "connect-timeout", Value: j.Fetch.Connect.String()},
		{Key: "first-byte-timeout", Value: j.Fetch.FirstByte.String()},
		{Key: "total-timeout", Value: j.Fetch.Total.String()},
		{Key: "max-redirects", Value: j.Fetch.Redirects},
		{Key: "retries", Value: j.Retry.Retries},
		{Key: "host-patience", Value: j.HostPatience.String()},
		{Key: "allow-private", Value: j.AllowPrivate},
		{Key: "archive", Value: string(j.Archive)},
		{Key: "compress", Value: string(j.Compress)},
	}
	// The times of the protocol are not for users; they are written where they are not the usual ones.
	usual := crawler.NewJob(j.Kind)
	for _, d := range []struct {
		key         string
		value, want time.Duration
	}{{"lease", j.Lease, usual.Lease}, {"renew", j.Renew, usual.Renew}, {"grace", j.Grace, usual.Grace}} {
		if d.value != d.want {
			settings = append(settings, yaml.MapItem{Key: d.key, Value: d.value.String()})
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

func headerLines(headers []crawler.Header) []string {
	lines := make([]string, len(headers))
	for i, h := range headers {
		lines[i] = h.Name + ": " + h.Value
	}
	return lines
}

func hostRules(rules []crawler.HostRule) []yaml.MapSlice {
	all := make([]yaml.MapSlice, len(rules))
	for i, r := range rules {
		one := yaml.MapSlice{{Key: "match", Value: r.Match}}
		put := func(key string, value any) { one = append(one, yaml.MapItem{Key: key, Value: value}) }
		if r.Delay != nil {
			put("delay", r.Delay.String())
		}
		if r.PerHost != nil {
			put("per-host", *r.PerHost)
		}
		if r.MaxPages != nil {
			put("max-pages", *r.MaxPages)
		}
		if r.IgnoreRobots != nil {
			put("ignore-robots", *r.IgnoreRobots)
		}
		if len(r.Headers) > 0 {
			put("headers", headerLines(r.Headers)) // a list, since a name may come twice
		}
		all[i] = one
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
