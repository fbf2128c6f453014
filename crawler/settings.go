package crawler

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// setting is a field of a [Job] that is remembered from one run to the next.
type setting struct {
	name  string // of the flag, and of the key in configuration files; "" = no command says it
	field any    // points to it
	with  string // another setting that says this one, too, where it gives it an unusual value; "" = none
	bytes bool   // it is a number of bytes
}

// settings lists every field of the job. A field that is missing here would be lost when a job goes on; a test
// compares.
func (j *Job) settings() []setting {
	f, r := &j.Fetch, &j.Robots
	return []setting{
		{name: "kind", field: &j.Kind},
		{name: "scope", field: &j.Scope},
		{name: "include", field: &j.Include},
		{name: "exclude", field: &j.Exclude},
		{name: "requisites", field: &j.Requisites},
		{name: "lazy-images", field: &j.LazyImages},
		{name: "accept", field: &j.Accept},
		{name: "depth", field: &j.Depth},
		{name: "trap-repeat", field: &j.TrapRepeat},
		{name: "trap-segments", field: &j.TrapSegments},
		{name: "max-pages", field: &j.MaxPages},
		{name: "max-bytes", field: &j.MaxBytes, bytes: true},
		{name: "max-per-host", field: &j.MaxPerHost},
		{name: "delay", field: &j.Delay},
		{name: "per-host", field: &j.PerHost},
		{name: "ignore-robots", field: &j.IgnoreRobots},
		{name: "user-agent", field: &j.UserAgent},
		{name: "header", field: &j.Headers},
		{name: "referer", field: &j.Referer},
		{name: "ca-file", field: &j.CA},
		{name: "bandwidth", field: &j.Bandwidth, bytes: true},
		{name: "max-body", field: &f.MaxBody, bytes: true},
		{name: "max-links", field: &f.Links},
		{name: "timeout", field: &f.Idle},
		{name: "connect-timeout", field: &f.Connect},
		{name: "first-byte-timeout", field: &f.FirstByte, with: "timeout"},
		{name: "total-timeout", field: &f.Total},
		{name: "max-redirects", field: &f.Redirects},
		{name: "retries", field: &j.Retry.Retries},
		{name: "host-patience", field: &j.HostPatience},
		{name: "allow-private", field: &j.AllowPrivate},
		{name: "archive", field: &j.Archive},
		{name: "compress", field: &j.Compress},
		{name: "hosts", field: &j.Hosts},
		{name: "lease", field: &j.Lease},
		{name: "renew", field: &j.Renew},
		{name: "grace", field: &j.Grace},

		// Said by programs only, or set while the job runs.
		{field: &j.Name}, {field: &j.MaxCrawl}, {field: &j.SeedPrivate}, {field: &j.Workers}, {field: &j.TurnTime},
		{field: &f.HeaderBytes}, {field: &f.Ratio}, {field: &f.RatioAfter}, {field: &f.URLBytes}, {field: &f.Robots},
		{field: &j.Retry.Base}, {field: &j.Retry.Max},
		{field: &r.TTL}, {field: &r.Tries}, {field: &r.Backoff},
	}
}

// Said names the settings that a command says, as [SettingNames] has them; nil = it says all.
type Said map[string]bool

// says reports whether a setting is among them; usual is the same one with its default.
func (s Said) says(one, usual *setting) bool {
	return s == nil || s[one.name] || s[one.with] && !one.equal(usual)
}

// SettingNames are the names under which commands and configuration files say something of a job.
func SettingNames() []string {
	var names []string
	for _, s := range new(Job).settings() {
		if s.name != "" {
			names = append(names, s.name)
		}
	}
	return names
}

// Validate refuses names of nothing.
func (s Said) Validate() error {
	names := SettingNames()
	for name := range s {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no setting %q of a job", name)
		}
	}
	return nil
}

// Continue completes a job that goes on with what the last run left. What is not said stays as it was. What is said counts,
// but where the last command said the same and it was changed while the job ran (see [Change]): then the change stays.
// given is what was said last, without the changes; the next run compares with it. kept lists what stays and is not as
// usual, each as "delay 10s", for people; values that may be secret are left out.
func (j *Job) Continue(last *JobState, said Said) (given Job, kept []string) {
	given = *j
	standard := NewJob(j.Kind)
	usual, to, spoken, before, inForce := standard.settings(), j.settings(), given.settings(), last.Given.settings(), last.Job.settings()
	stays := make(map[string]string) // with what is to be added for people
	for i := range to {
		switch {
		case !said.says(&to[i], &usual[i]):
			spoken[i].set(&before[i])
			to[i].set(&inForce[i])
			stays[to[i].name] = ""
		case to[i].equal(&before[i]):
			to[i].set(&inForce[i])
			if said != nil && !to[i].equal(&before[i]) {
				stays[to[i].name] = " (set since)"
			}
		}
	}
	standard = NewJob(j.Kind) // now that of the job that goes on
	standard.Kind = Crawl     // a download is told
	for i, s := range to {
		if added, is := stays[s.name]; is && s.name != "" && !s.equal(&usual[i]) {
			kept = append(kept, strings.TrimSpace(s.name+" "+s.text())+added)
		}
	}
	return given, kept
}

func (s *setting) value() reflect.Value { return reflect.ValueOf(s.field).Elem() }
func (s *setting) set(o *setting)       { s.value().Set(o.value()) }

// equal takes no list and an empty one for the same.
func (s *setting) equal(o *setting) bool {
	a, b := s.value(), o.value()
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// mostKept is the longest text that is shown of a setting, in bytes.
const mostKept = 60

func (s *setting) text() string {
	text := ""
	switch v := s.value(); v.Kind() {
	case reflect.Slice:
		switch list := v.Interface().(type) {
		case []string:
			text = strings.Join(list, " ")
		case []Header:
			for _, h := range list {
				text += " " + h.Name
			}
			text = strings.TrimSpace(text)
		default:
			text = fmt.Sprintf("(%d)", v.Len())
		}
	default:
		text = fmt.Sprint(v.Interface())
		if n, ok := v.Interface().(int64); ok && s.bytes {
			text = sizeText(n)
		}
		if d, ok := v.Interface().(time.Duration); ok {
			text = shortDuration(d)
		}
	}
	if s.name == "ca-file" || len(text) > mostKept {
		return ""
	}
	return text
}

// shortDuration leaves away parts that are zero: 1m, not 1m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func sizeText(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {MiB, "MiB"}, {KiB, "KiB"}} {
		if n != 0 && n%u.size == 0 {
			return fmt.Sprintf("%d%s", n/u.size, u.name)
		}
	}
	return fmt.Sprint(n)
}

// UnmarshalJSON reads a job that another version may have written: fields that it does not have get their defaults.
func (j *Job) UnmarshalJSON(b []byte) error {
	type plain Job
	var kind struct{ Kind Kind }
	if err := json.Unmarshal(b, &kind); err != nil {
		return err
	}
	*j = Job{}
	if kind.Kind != "" {
		*j = NewJob(kind.Kind)
	}
	return json.Unmarshal(b, (*plain)(j))
}
