package crawler

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Said names the settings that a command says, as [SettingNames] has them; nil = it says all.
type Said map[string]bool

// says reports whether a setting is among them; usual is a job with its default.
func (s Said) says(one *Setting, job, usual *Job) bool {
	return s == nil || s[one.Name] || s[one.Follows] && !one.Equal(job, usual)
}

// SettingNames are the names under which commands and configuration files say something of a job.
func SettingNames() []string {
	var names []string
	for _, s := range jobSettings {
		if s.Name != "" && !s.LiveOnly {
			names = append(names, s.Name)
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

// Follow gives settings that follow another one what that says, where they are not said themselves.
func (j *Job) Follow(said Said) {
	for i := range jobSettings {
		s := &jobSettings[i]
		if s.Follows == "" || said[s.Name] || !said[s.Follows] {
			continue
		}
		to, least := s.Field(j).(*time.Duration), settingOf(s.Follows).Field(j).(*time.Duration)
		*to = max(*to, *least)
	}
}

// Continue completes a job that continues what the last run left. What is not said stays as it was. What is said counts,
// but where the last command said the same and it was changed while the job ran (see [Change]): then the change stays.
// given is what was said last, without the changes; the next run compares with it. kept lists what stays and is not as
// usual, each as "delay 10s", for people; values that may be secret are left out.
func (j *Job) Continue(last *JobState, said Said) (given Job, kept []string) {
	given = *j
	usual := NewJob(j.Kind)
	added := make([]string, len(jobSettings)) // what is to be added for people
	stays := make([]bool, len(jobSettings))
	for i := range jobSettings {
		s := &jobSettings[i]
		switch {
		case !said.says(s, j, &usual):
			s.Copy(&given, &last.Given)
			s.Copy(j, &last.Job)
			stays[i] = true
		case s.Equal(j, &last.Given):
			s.Copy(j, &last.Job)
			if said != nil && !s.Equal(j, &last.Given) {
				stays[i], added[i] = true, " (set since)"
			}
		}
	}
	usual = NewJob(j.Kind) // now that of the job that goes on
	usual.Kind = Crawl     // a download is told
	for i := range jobSettings {
		if s := &jobSettings[i]; stays[i] && s.Name != "" && !s.LiveOnly && !s.Equal(j, &usual) {
			kept = append(kept, strings.TrimSpace(s.Name+" "+keptText(s, j))+added[i])
		}
	}
	return given, kept
}

// mostKept is the longest text that is shown of a setting, in bytes.
const mostKept = 60

// keptText is a setting's value in short, "" where it is secret or long.
func keptText(s *Setting, j *Job) (text string) {
	switch v := s.Field(j).(type) {
	case *[]Header:
		for _, h := range *v {
			text += " " + h.Name
		}
		text = strings.TrimSpace(text)
	case *[]string:
		text = strings.Join(*v, " ")
	case *[]HostRule:
		text = fmt.Sprintf("(%d)", len(*v))
	case *time.Duration:
		text = shortDuration(*v)
	default:
		text = s.Value(j).String()
	}
	if s.Secret || len(text) > mostKept {
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
