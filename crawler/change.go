package crawler

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"trawl/crawler/setting"
)

// Change is what a user changes of a running job. Fields that are nil stay as they are. It is recorded in the
// ledger and stays set over restarts, until another change, or until the command itself says something new.
type Change struct {
	Pause    *bool             `json:"pause,omitempty"`
	LogLevel *string           `json:"log_level,omitempty"` // debug, info, warn or error
	Settings map[string]string `json:"settings,omitempty"`  // those that may change, by their names, as flags have them: "delay": "5s"
}

// Apply changes the state and reports every setting that cannot be changed, or not to that value, as a [setting.Error]. The job that comes out is to be validated: settings may
// refuse one another.
func (c *Change) Apply(s *JobState) error {
	set(&s.Paused, c.Pause)
	set(&s.LogLevel, c.LogLevel)
	var problems []error
	said := Said{}
	for _, name := range slices.Sorted(maps.Keys(c.Settings)) {
		said[name] = true
		if err := s.Job.change(name, c.Settings[name]); err != nil {
			problems = append(problems, err)
		}
	}
	s.Job.Follow(said)
	return errors.Join(problems...)
}

func (j *Job) change(name, text string) error {
	s := settingOf(name)
	if s == nil || !s.Live {
		return &setting.Error{Setting: name, Problem: "cannot be changed while a job runs"}
	}
	if err := s.Value(j).Set(text); err != nil {
		return &setting.Error{Setting: name, Problem: fmt.Sprintf("cannot be set: %v", err)}
	}
	for _, problem := range s.Check(j) {
		return problem
	}
	return nil
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// Added is what came of seeds that were given to a running job.
type Added struct {
	Seeds   int64    `json:"seeds"`           // read
	Bad     int64    `json:"bad"`             // lines that could not be read
	Lines   []string `json:"lines,omitempty"` // the first of them, with place and reason
	New     int64    `json:"new"`             // of Seeds
	Known   int64    `json:"known"`           // of Seeds: were there before
	Refused int64    `json:"refused"`         // of Seeds: exclude, or too long
}
