package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"trawl/crawler"
	"trawl/crawler/settingtest"
)

// ofTheRun are the flags of commands that run a job which say nothing of the job itself: the next run does not
// remember them.
var ofTheRun = []string{
	"dir", "export", "max-time", "workers", "memory", "min-free", "quiet", "log-format", "log-level", "retry-failed", "fresh", "config", "print-config",
	"cookies", "auth-file", "nats", "backup-every", "backup-to", "wall-clock", "column",
	"bind", "advertise", "join", "control", "secret-file", "tls-cert", "tls-key", "tls-ca", "stay", "download",
}

// jobCommand is the command of the name with its flags.
func jobCommand(t *testing.T, name string) *cobra.Command {
	t.Helper()
	p := &program{}
	for _, c := range []*cobra.Command{p.crawlCommand(), p.downloadCommand(), p.schedulerCommand()} {
		if c.Name() == name {
			return c
		}
	}
	t.Fatalf("no command %s", name)
	return nil
}

func TestEveryFlagOfAJobIsASettingOrOfTheRun(t *testing.T) {
	names := crawler.SettingNames()
	var keyOnly []string
	for _, s := range crawler.Settings() {
		if s.KeyOnly {
			keyOnly = append(keyOnly, s.Name)
		}
	}
	for _, command := range []string{"crawl", "download", "scheduler"} {
		jobCommand(t, command).Flags().VisitAll(func(fl *pflag.Flag) {
			if slices.Contains(names, fl.Name) == slices.Contains(ofTheRun, fl.Name) {
				t.Errorf("%s --%s: make it a setting of the job, which is remembered (crawler/settings.go), or list it as a flag of the run (here)", command, fl.Name)
			}
		})
	}
	flags := jobCommand(t, "crawl").Flags()
	for _, name := range names {
		if flags.Lookup(name) == nil && !slices.Contains(keyOnly, name) {
			t.Errorf("the setting %s has no flag", name)
		}
	}
}

// TestAFlagSaysItsSetting: what a flag changes of the job is what continues the job when that flag is said, and
// stays as it was when it is not. A configuration file says the same.
func TestAFlagSaysItsSetting(t *testing.T) {
	for _, s := range crawler.Settings() {
		if s.Name == "" || s.KeyOnly || s.LiveOnly {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			usual, err := commandLine(t, crawler.Crawl)
			if err != nil {
				t.Fatal(err)
			}
			name, sample := s.Name, settingtest.Sample(t, &s)
			said, err := commandLine(t, crawler.Crawl, "--"+name+"="+sample)
			if err != nil {
				t.Fatalf("--%s %s: %v", name, sample, err)
			}
			want := crawler.NewJob(crawler.Crawl)
			if err := s.Value(&want).Set(sample); err != nil || !reflect.DeepEqual(said.job, want) {
				t.Errorf("the flag makes another job than the setting: %v\n%+v, want\n%+v", err, said.job, want)
			}
			if !said.options.Said[name] || usual.options.Said[name] {
				t.Errorf("said: %v, not said: %v", said.options.Said[name], usual.options.Said[name])
			}
			text, err := yaml.Marshal(map[string]any{name: s.Value(&said.job).Plain()})
			if err != nil {
				t.Fatal(err)
			}
			if file, err := commandLine(t, crawler.Crawl, "--config", writeFile(t, "job.yaml", string(text))); err != nil || !reflect.DeepEqual(file.job, said.job) || !file.options.Said[name] {
				t.Errorf("a file with %sgives %v\n%+v, want\n%+v", text, err, file.job, said.job)
			}
			last := crawler.JobState{Job: usual.job, Given: usual.job}
			if goesOn := said.job; !sameJob(t, &goesOn, &last, said.options.Said, &said.job) || reflect.DeepEqual(said.job, usual.job) {
				t.Errorf("--%s is said and does not count", name)
			}
			last = crawler.JobState{Job: said.job, Given: said.job}
			if goesOn := usual.job; !sameJob(t, &goesOn, &last, usual.options.Said, &said.job) {
				t.Errorf("--%s is not said and does not stay as it was", name)
			}
		})
	}
}

// sameJob lets a job go on and compares what comes of it.
func sameJob(t *testing.T, job *crawler.Job, last *crawler.JobState, said crawler.Said, want *crawler.Job) bool {
	t.Helper()
	job.Continue(last, said)
	got, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	return string(got) == string(wanted)
}

func TestWhatAFileSaysIsSaid(t *testing.T) {
	file := writeFile(t, "job.yaml", "kind: crawl\ndepth: 3\ninclude: []\nallow-private: false\nhosts: []\ndelay:\n")
	got, err := commandLine(t, crawler.Crawl, "--config", file, "--max-pages", "5")
	if err == nil {
		t.Fatal("a delay without a value is taken")
	}
	for name, want := range map[string]bool{"kind": true, "depth": true, "include": true, "exclude": false, "allow-private": true, "hosts": true, "max-pages": true, "scope": false} {
		if got.flags.said(got.command)[name] != want {
			t.Errorf("%s: said %v, want %v", name, !want, want)
		}
	}
}

func TestASchedulerSaysTheKindOfItsJobOnlyWhenItIsToldTo(t *testing.T) {
	for args, want := range map[string]bool{"": false, "--download": true, "--download=false": true} {
		c, f := jobCommand(t, "scheduler"), &jobFlags{}
		if err := c.ParseFlags(slices.DeleteFunc([]string{args}, func(s string) bool { return s == "" })); err != nil {
			t.Fatal(err)
		}
		if said := f.said(c); said["kind"] != want || said["scope"] || said["delay"] {
			t.Errorf("%q: %v", args, said)
		}
	}
}
