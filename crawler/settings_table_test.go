package crawler_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/crawler/setting"
	"trawl/crawler/settingtest"
)

// named are the settings that have a text, each with a sample.
func named(t *testing.T, each func(t *testing.T, s *crawler.Setting, sample string)) {
	t.Helper()
	job := crawler.NewJob(crawler.Crawl)
	for _, s := range crawler.Settings() {
		if s.Value(&job) == nil {
			if s.Name != "" && s.Name != "hosts" {
				t.Errorf("setting %s has no text", s.Name)
			}
			continue
		}
		t.Run(s.Name, func(t *testing.T) { each(t, &s, settingtest.Sample(t, &s)) })
	}
}

// with is a job of a kind in which a setting is said.
func with(t *testing.T, kind crawler.Kind, s *crawler.Setting, text string) crawler.Job {
	t.Helper()
	job := crawler.NewJob(kind)
	if err := s.Value(&job).Set(text); err != nil {
		t.Fatal(err)
	}
	return job
}

func TestEverySettingIsDescribed(t *testing.T) {
	named(t, func(t *testing.T, s *crawler.Setting, sample string) {
		if s.Help == "" || s.Live && s.LiveHelp == "" {
			t.Error("it has no help")
		}
		for _, kind := range []crawler.Kind{crawler.Crawl, crawler.Download} {
			usual, job := crawler.NewJob(kind), with(t, kind, s, sample)
			if s.Equal(&usual, &job) && s.Name != "archive" && s.Name != "scope" && s.Name != "requisites" && s.Name != "kind" {
				t.Errorf("%s is usual for a %s: the sample says nothing", sample, kind)
			}
			if problems := s.Check(&usual); len(problems) > 0 {
				t.Errorf("the default of a %s is refused: %v", kind, problems)
			}
			s.Reset(&job, kind == crawler.Download)
			if !reflect.DeepEqual(job, usual) {
				t.Errorf("reset to the default of a %s:\n%+v, want\n%+v", kind, job, usual)
			}
		}
	})
}

func TestTheTextOfASettingIsReadBack(t *testing.T) {
	named(t, func(t *testing.T, s *crawler.Setting, sample string) {
		said := with(t, crawler.Crawl, s, sample)
		if read := with(t, crawler.Crawl, s, s.Value(&said).String()); !reflect.DeepEqual(read, said) {
			t.Errorf("%q is written %q and read back as another job", sample, s.Value(&said))
		}
		text, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		var stored crawler.Job
		if err := json.Unmarshal(text, &stored); err != nil || !s.Equal(&stored, &said) {
			t.Errorf("stored and read again it is %v, %v", s.Value(&stored), err)
		}
		list, is := s.Value(&said).(setting.List)
		if !is {
			return
		}
		before := list.GetSlice()
		if err := list.Replace(before); err != nil || !reflect.DeepEqual(list.GetSlice(), before) {
			t.Errorf("the list %q becomes %q, %v", before, list.GetSlice(), err)
		}
		if err := list.Append(before[0]); err != nil || len(list.GetSlice()) != len(before)+1 {
			t.Errorf("one more: %q, %v", list.GetSlice(), err)
		}
	})
}

func TestOnlyLiveSettingsChangeWhileAJobRuns(t *testing.T) {
	before := crawler.JobState{Job: crawler.NewJob(crawler.Crawl)}
	named(t, func(t *testing.T, s *crawler.Setting, sample string) {
		c, got := crawler.Change{Settings: map[string]string{s.Name: sample}}, before
		err := c.Apply(&got)
		if !s.Live {
			var e *setting.Error
			if !errors.As(err, &e) || e.Setting != s.Name || !reflect.DeepEqual(got, before) {
				t.Errorf("%v, and the job is %+v", err, got.Job)
			}
			return
		}
		if _, list := s.Value(&got.Job).(setting.List); list {
			t.Error("a change has one text: lists cannot be changed yet")
		}
		want := crawler.JobState{Job: with(t, crawler.Crawl, s, sample)}
		if err != nil || !reflect.DeepEqual(got, want) || reflect.DeepEqual(got, before) {
			t.Errorf("%v\n%+v, want\n%+v", err, got, want)
		}
	})
}

func TestAChangeMovesWhatItNamesAndNothingElse(t *testing.T) {
	before := crawler.JobState{Job: crawler.NewJob(crawler.Crawl)}
	for name, c := range map[string]struct {
		change crawler.Change
		want   func(*crawler.JobState)
	}{
		"nothing":   {crawler.Change{}, func(*crawler.JobState) {}},
		"pause":     {crawler.Change{Pause: new(true)}, func(s *crawler.JobState) { s.Paused = true }},
		"log level": {crawler.Change{LogLevel: new("debug")}, func(s *crawler.JobState) { s.LogLevel = "debug" }},
	} {
		want, got := before, before
		c.want(&want)
		if err := c.change.Apply(&got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\n%+v, want\n%+v", name, err, got, want)
		}
	}
}

func newState() *crawler.JobState { return &crawler.JobState{Job: crawler.NewJob(crawler.Crawl)} }

func TestWhatCannotBeChangedIsRefused(t *testing.T) {
	for want, settings := range map[string]map[string]string{
		"`dealy` cannot be changed":                   {"dealy": "1s"},
		"`scope` cannot be changed":                   {"scope": "any"},
		"`` cannot be changed":                        {"": "1"},
		`"soon" is no duration`:                       {"delay": "soon"},
		"`per-host` 1000: use 1 to 64":                {"per-host": "1000"},
		"`depth` -2: use 0 or more, or -1":            {"depth": "-2", "delay": "1s"},
		"`referer` \"all\": use none, origin":         {"referer": "all"},
		"`timeout` -1s: must be more than 0":          {"timeout": "-1s"},
		"`max-links` -1: use 0 for no limit, or more": {"max-links": "-1"},
	} {
		c := crawler.Change{Settings: settings}
		if err := c.Apply(newState()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", settings, err, want)
		}
	}
	c := crawler.Change{Settings: map[string]string{"delay": "-1s", "depth": "-2"}}
	if err := c.Apply(newState()); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("not all problems are reported: %v", err)
	}
}

func TestSettingsOfIdentityMakeAnotherJob(t *testing.T) {
	named(t, func(t *testing.T, s *crawler.Setting, sample string) {
		job, other := crawler.NewJob(crawler.Crawl), with(t, crawler.Crawl, s, sample)
		err := job.SameAs(&other)
		if e := (*setting.Error)(nil); s.Identity && (!errors.As(err, &e) || e.Setting != s.Name) || !s.Identity && err != nil {
			t.Errorf("identity %v, and jobs that differ in it: %v", s.Identity, err)
		}
	})
}
