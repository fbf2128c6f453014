package crawler

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"trawl/crawler/setting"
)

// leaves are the fields of a struct by their address, with those of structs in it in their place.
func leaves(v reflect.Value, path string) map[any]string {
	all := make(map[any]string)
	for i := range v.NumField() {
		f, name := v.Field(i), path+v.Type().Field(i).Name
		if v.Type().Field(i).Tag.Get("json") == "-" {
			continue // made from the others
		}
		if f.Kind() != reflect.Struct {
			all[f.Addr().Interface()] = name
			continue
		}
		maps.Copy(all, leaves(f, name+"."))
	}
	return all
}

func TestEveryFieldOfAJobIsASetting(t *testing.T) {
	var j Job
	fields, names := leaves(reflect.ValueOf(&j).Elem(), ""), map[string]bool{}
	for _, s := range Settings() {
		field, known := fields[s.Field(&j)]
		if !known {
			t.Errorf("%s %q points to no field of the job, or to one that is listed already", field, s.Name)
		}
		if s.Name != "" && names[s.Name] {
			t.Errorf("%s is there twice", s.Name)
		}
		names[s.Name] = true
		delete(fields, s.Field(&j))
	}
	for _, name := range fields {
		t.Errorf("Job.%s is not among the settings: it would not be remembered when a job goes on", name)
	}
	for _, s := range Settings() {
		if s.Follows != "" && !names[s.Follows] {
			t.Errorf("%q follows %q, which is no setting", s.Name, s.Follows)
		}
	}
}

func TestAJobGoesOnWithWhatWasSaidBefore(t *testing.T) {
	last := JobState{Job: NewJob(Crawl), Given: NewJob(Crawl)}
	last.Given.Delay, last.Given.Depth, last.Given.MaxPages = 2*time.Second, 3, 10
	last.Job.Delay, last.Job.Depth, last.Job.MaxPages = 5*time.Second, 3, 10 // the delay was set while it ran
	last.Job.Workers = 7                                                     // and this
	last.Given.Headers = []Header{{Name: "X-Token", Value: "secret"}}
	last.Job.Headers = last.Given.Headers
	last.Given.Fetch.FirstByte, last.Job.Fetch.FirstByte = 20*time.Second, 20*time.Second
	for name, c := range map[string]struct {
		said     Said
		say      func(*Job)
		inForce  func(*Job)
		given    func(*Job)
		asBefore []string
	}{
		"nothing is said": {Said{}, func(*Job) {}, func(*Job) {}, func(*Job) {}, []string{"depth 3", "max-pages 10", "delay 5s", "header X-Token", "first-byte-timeout 20s"}},
		"something new is said": {Said{"delay": true}, func(j *Job) { j.Delay = time.Minute },
			func(j *Job) { j.Delay = time.Minute }, func(j *Job) { j.Delay = time.Minute }, []string{"depth 3", "max-pages 10", "header X-Token", "first-byte-timeout 20s"}},
		"the usual is said, which is new": {Said{"depth": true, "header": true}, func(*Job) {},
			func(j *Job) { j.Depth, j.Headers = -1, nil }, func(j *Job) { j.Depth, j.Headers = -1, nil }, []string{"max-pages 10", "delay 5s", "first-byte-timeout 20s"}},
		"the same is said again, so what was set meanwhile stays": {Said{"delay": true, "max-pages": true}, func(j *Job) { j.Delay, j.MaxPages = 2*time.Second, 10 },
			func(*Job) {}, func(*Job) {}, []string{"depth 3", "delay 5s (set since)", "header X-Token", "first-byte-timeout 20s"}},
		"the job is given whole": {nil, func(j *Job) { j.Delay = 2 * time.Second },
			func(j *Job) { j.Depth, j.MaxPages, j.Headers, j.Fetch.FirstByte = -1, 0, nil, 30*time.Second },
			func(j *Job) { j.Depth, j.MaxPages, j.Headers, j.Fetch.FirstByte = -1, 0, nil, 30*time.Second }, nil},
		"one setting says another": {Said{"timeout": true}, func(j *Job) { j.Fetch.Idle, j.Fetch.FirstByte = time.Hour, time.Hour },
			func(j *Job) { j.Fetch.Idle, j.Fetch.FirstByte = time.Hour, time.Hour }, func(j *Job) { j.Fetch.Idle, j.Fetch.FirstByte = time.Hour, time.Hour },
			[]string{"depth 3", "max-pages 10", "delay 5s", "header X-Token"}},
		"it says the other no more than usual, so that stays": {Said{"timeout": true}, func(j *Job) { j.Fetch.Idle = time.Second },
			func(j *Job) { j.Fetch.Idle = time.Second }, func(j *Job) { j.Fetch.Idle = time.Second }, []string{"depth 3", "max-pages 10", "delay 5s", "header X-Token", "first-byte-timeout 20s"}},
	} {
		t.Run(name, func(t *testing.T) {
			job, wantGiven, wantJob := NewJob(Crawl), last.Given, last.Job
			c.say(&job)
			c.given(&wantGiven)
			c.inForce(&wantJob)
			given, kept := job.Continue(&last, c.said)
			if !reflect.DeepEqual(job, wantJob) {
				t.Errorf("in force\n%+v, want\n%+v", job, wantJob)
			}
			if !reflect.DeepEqual(given, wantGiven) {
				t.Errorf("given\n%+v, want\n%+v", given, wantGiven)
			}
			if !slices.Equal(kept, c.asBefore) {
				t.Errorf("as before: %q, want %q", kept, c.asBefore)
			}
		})
	}
}

func TestADownloadThatGoesOnIsOneThoughNobodySaysSo(t *testing.T) {
	download := NewJob(Download)
	download.Fetch.MaxBody = 3 * MiB
	job := NewJob(Crawl)
	_, kept := job.Continue(&JobState{Job: download, Given: download}, Said{})
	if !reflect.DeepEqual(job, download) {
		t.Errorf("%+v, want %+v", job, download)
	}
	if !slices.Equal(kept, []string{"kind download", "max-body 3MiB"}) {
		t.Errorf("as before: %q", kept)
	}
}

func TestAJobOfAnotherVersionHasTheDefaultsOfWhatItDoesNotSay(t *testing.T) {
	var j Job
	if err := json.Unmarshal([]byte(`{"kind":"download","per_host":7,"fetch":{"idle":5}}`), &j); err != nil {
		t.Fatal(err)
	}
	want := NewJob(Download)
	want.PerHost, want.Fetch.Idle = 7, 5
	if !reflect.DeepEqual(j, want) {
		t.Errorf("%+v, want %+v", j, want)
	}
	want = NewJob(Crawl)
	want.Delay, want.Depth, want.Archive, want.Fetch.MaxBody = 0, 0, "", 0
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &j); err != nil || !reflect.DeepEqual(j, want) {
		t.Errorf("zeroes do not survive: %+v, %v", j, err)
	}
}

func TestHeadersAreNamesAndValues(t *testing.T) {
	var h []Header
	v := headers.Of(&h).(setting.List)
	for _, text := range []string{"A: b", "C:d: e", "Empty:"} {
		if err := v.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	want := []Header{{Name: "A", Value: "b"}, {Name: "C", Value: "d: e"}, {Name: "Empty"}}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("%+v, want %+v", h, want)
	}
	for _, text := range []string{"", "A", ": b", "A B: c", "Host: x", "A: b\nC: d"} {
		if err := v.Set(text); err == nil {
			t.Errorf("%q is taken as a header", text)
		}
	}
	if err := v.Replace([]string{"X: y", "bad"}); err == nil || !reflect.DeepEqual(h, want) {
		t.Errorf("a bad list leaves %+v, %v; want the old one and an error", h, err)
	}
}
