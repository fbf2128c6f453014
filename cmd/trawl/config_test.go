package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"trawl"
	"trawl/crawler"
)

// outcome is what a command line comes to.
type outcome struct {
	job     crawler.Job
	options trawl.Options
	seeds   []string
	flags   *jobFlags
	command *cobra.Command
}

func commandLine(t *testing.T, kind crawler.Kind, args ...string) (outcome, error) {
	t.Helper()
	f := &jobFlags{}
	c := &cobra.Command{Use: string(kind)}
	(&cobra.Command{Use: "trawl"}).AddCommand(c)
	f.add(c, kind)
	f.addWorkers(c)
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	seeds, bad := f.settings(c, c.Flags().Args())
	job, o, err := f.options(c)
	return outcome{job, o, seeds, f, c}, errors.Join(bad, f.config.locate(err))
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileSaysWhatTheCommandLineSays(t *testing.T) {
	for name, c := range map[string]struct {
		yaml string
		args []string
	}{
		"nothing":                              {"", nil},
		"only a comment":                       {"# later\n", nil},
		"a word":                               {"scope: domain", []string{"--scope", "domain"}},
		"a word in quotes":                     {`scope: "domain"`, []string{"--scope", "domain"}},
		"a number":                             {"depth: 3\nmax-pages: 1_000", []string{"--depth", "3", "--max-pages", "1000"}},
		"a negative number":                    {"depth: -1", []string{"--depth", "-1"}},
		"a number as on the command line":      {`depth: "3"`, []string{"--depth", "3"}},
		"a truth value":                        {"ignore-robots: true", []string{"--ignore-robots"}},
		"a duration":                           {"delay: 1m30s\nmax-time: 2h", []string{"--delay", "90s", "--max-time", "2h"}},
		"a plain zero as duration":             {"delay: 0", []string{"--delay", "0"}},
		"a size":                               {"max-body: 5MiB\nmin-free: 1024", []string{"--max-body", "5MiB", "--min-free", "1KiB"}},
		"a rate":                               {"bandwidth: 500KiB/s", []string{"--bandwidth", "500KiB/s"}},
		"a list":                               {"include:\n  - ^a\n  - b,c", []string{"--include", "^a", "--include", "b,c"}},
		"a flow list":                          {`include: ["^a", "b,c"]`, []string{"--include", "^a", "--include", "b,c"}},
		"one value for a list":                 {"include: ^a", []string{"--include", "^a"}},
		"a list without a value":               {"include:\nexclude:", nil},
		"a list with commas":                   {"accept: text/html,image/*", []string{"--accept", "text/html", "--accept", "image/*"}},
		"the flag alone":                       {"allow-private: true", []string{"--allow-private"}},
		"networks":                             {"allow-private: [10.0.0.0/8]", []string{"--allow-private=10.0.0.0/8"}},
		"headers as texts":                     {`header: ["A: b", "C: d: e"]`, []string{"--header", "A: b", "--header", "C: d: e"}},
		"headers as a list of pairs":           {"header:\n  - A: b\n  - C: 5", []string{"--header", "A: b", "--header", "C: 5"}},
		"headers as pairs":                     {"header:\n  A: b\n  C: d", []string{"--header", "A: b", "--header", "C: d"}},
		"one pair":                             {"header: {A: b}", []string{"--header", "A: b"}},
		"the command line wins":                {"depth: 3\ninclude: [x]", []string{"--depth", "4", "--include", "y"}},
		"the kind":                             {"kind: crawl", nil},
		"JSON":                                 {`{"depth": 3, "include": ["^a"]}`, []string{"--depth", "3", "--include", "^a"}},
		"exports":                              {"export: [a.jsonl, b.csv]", []string{"--export", "a.jsonl", "--export", "b.csv"}},
		"an empty text where there is none":    {`dir: ""`, nil},
		"a value that looks like a truth":      {"dir: yes", []string{"--dir", "yes"}},
		"a value that looks like a number":     {"dir: 007", []string{"--dir", "007"}},
		"a tag and an anchor do no harm":       {"dir: &x !!str d", []string{"--dir", "d"}},
		"a text of several lines as it stands": {"user-agent: >-\n  mine\n  too", []string{"--user-agent", "mine too"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := commandLine(t, crawler.Crawl, append(c.args, "--config", writeFile(t, "job.yaml", c.yaml))...)
			if err != nil {
				t.Fatal(err)
			}
			want, err := commandLine(t, crawler.Crawl, c.args...)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.job, want.job) {
				t.Errorf("job\n%+v, want\n%+v", got.job, want.job)
			}
			if !reflect.DeepEqual(got.options, want.options) {
				t.Errorf("options\n%+v, want\n%+v", got.options, want.options)
			}
		})
	}
}

func TestHostsOfAFileAreRules(t *testing.T) {
	got, err := commandLine(t, crawler.Crawl, "--config", writeFile(t, "job.yaml", `
hosts:
  - match: slow.example
    delay: 5s
    per-host: 2
    max-pages: 100
    ignore-robots: true
    headers: {X-Token: abc, X-Number: 5}
  - match: "*.example.com"
    delay: 0
    headers: ["A: b"]
  - match: nothing.example
`))
	if err != nil {
		t.Fatal(err)
	}
	delay, none, two, hundred, yes := 5*time.Second, time.Duration(0), 2, int64(100), true
	want := []crawler.HostRule{
		{Match: "slow.example", Delay: &delay, PerHost: &two, MaxPages: &hundred, IgnoreRobots: &yes,
			Headers: []crawler.Header{{Name: "X-Token", Value: "abc"}, {Name: "X-Number", Value: "5"}}},
		{Match: "*.example.com", Delay: &none, Headers: []crawler.Header{{Name: "A", Value: "b"}}},
		{Match: "nothing.example"},
	}
	if !reflect.DeepEqual(got.job.Hosts, want) {
		t.Errorf("%+v, want %+v", got.job.Hosts, want)
	}
}

func TestSeedsOfTheCommandLineAreInThePlaceOfTheFiles(t *testing.T) {
	file := writeFile(t, "job.yaml", "seeds:\n  - https://a.example/\n  - list.txt")
	for name, c := range map[string]struct{ args, want []string }{
		"only the file's": {nil, []string{"https://a.example/", "list.txt"}},
		"given":           {[]string{"https://b.example/"}, []string{"https://b.example/"}},
	} {
		got, err := commandLine(t, crawler.Crawl, append(c.args, "--config", file)...)
		if err != nil || !reflect.DeepEqual(got.seeds, c.want) {
			t.Errorf("%s: %q, %v; want %q", name, got.seeds, err, c.want)
		}
	}
}

func TestEveryProblemOfAFileIsToldWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		yaml string
		want []string // lines, without the file
	}{
		"an unknown key near one":                {"depth: 1\ndealy: 2s", []string{`2: unknown key "dealy" for trawl crawl: did you mean delay?`}},
		"a key with underscores":                 {"max_per_host: 2", []string{`1: unknown key "max_per_host" for trawl crawl: did you mean max-per-host?`}},
		"an unknown key far from all":            {"zoology: red", []string{`1: unknown key "zoology" for trawl crawl; see trawl crawl --help`}},
		"an act":                                 {"fresh: true\nretry-failed: dns", []string{"1: fresh: only on the command line", "2: retry-failed: only on the command line"}},
		"a list for one value":                   {"depth: [1, 2]", []string{"1: depth: one value is needed"}},
		"a mapping for one value":                {"scope: {a: b}", []string{"1: scope: one value is needed"}},
		"no value":                               {"scope:", []string{"1: scope: there is no value"}},
		"no number":                              {"depth: deep\nmax-pages: 1.5", []string{`1: depth: "deep" is no whole number`, `2: max-pages: "1.5" is no whole number`}},
		"a number too large":                     {"depth: 99999999999999999999", []string{"1: depth: "}},
		"no truth value":                         {"ignore-robots: yes", []string{`1: ignore-robots: "yes": use true or false`}},
		"no duration":                            {"timeout: 5\ndelay: soon", []string{`1: timeout: "5" is no duration: write 500ms, 2s or 1m`, `2: delay: "soon" is no duration`}},
		"no size":                                {"max-body: big", []string{`1: max-body: "big" is no size`}},
		"no rate":                                {"bandwidth: 5 apples", []string{`1: bandwidth: "5 apples" is no rate: write 500KiB/s or 5MiB/s`}},
		"a value that the job refuses":           {"# why\nscope: galaxy\ninclude: [a, \"(\"]", []string{`2: scope "galaxy": use page, prefix, host, domain or any`, `3: include "(" is not a regular expression`}},
		"a value that the run refuses":           {"# why\nworkers: -1", []string{"2: workers -1: use 1 to "}},
		"a file that cannot be written":          {"export: [a.xls]", []string{"1: export a.xls: "}},
		"a list in a list":                       {"include: [[a]]", []string{"1: include: one value is needed"}},
		"no header":                              {"header: [nothing]", []string{`1: header: "nothing" is no header: write 'Name: value'`}},
		"a header of trawl's own":                {"header: {Host: x}", []string{`1: header: header "Host": trawl sets this one itself`}},
		"an alias":                               {"delay: &d 2s\ntimeout: *d", []string{"2: timeout: aliases (*name) are not read: write the value"}},
		"another kind":                           {"kind: download", []string{"1: kind: these are the settings of a download: use trawl download"}},
		"no kind":                                {"kind: mirror", []string{`1: kind: "mirror": use crawl or download`}},
		"hosts as a mapping":                     {"hosts: {a: b}", []string{"1: hosts: write a list"}},
		"a host that is a word":                  {"hosts: [a]", []string{"1: hosts: write match: HOST"}},
		"a host without match":                   {"hosts:\n  - delay: 1s", []string{"2: hosts: match: HOST is missing"}},
		"an unknown key of a host":               {"hosts:\n  - match: a\n    perhost: 2", []string{`3: hosts: unknown key "perhost": did you mean per-host?`}},
		"a host twice":                           {"hosts:\n  - match: a\n  - match: a", []string{"3: hosts: a stands in line 2 already"}},
		"a bad value of a host":                  {"hosts:\n  - match: a\n    delay: x\n  - match: b\n    per-host: 99", []string{`3: hosts: delay: "x" is no duration`, "4: hosts: b: per-host 99: use 1 to 64"}},
		"a value of a host that the job refuses": {"hosts:\n  - match: b\n    per-host: 99", []string{"2: hosts: b: per-host 99: use 1 to 64"}},
		"no YAML":                                {"a: b\n c: [", []string{"1: mapping value is not allowed in this context"}},
		"a key twice":                            {"depth: 1\ndepth: 2", []string{`2: mapping key "depth" already defined`}},
		"two documents":                          {"depth: 1\n---\ndepth: 2", []string{"3: a second document"}},
		"a text":                                 {"depth", []string{"1: write settings as name: value"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := writeFile(t, "job.yaml", c.yaml)
			_, err := commandLine(t, crawler.Crawl, "--config", file)
			var u usageError
			if !errors.As(err, &u) {
				t.Fatalf("%v; want wrong usage", err)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("%q, want %d lines", lines, len(c.want))
			}
			for i, want := range c.want {
				if !strings.HasPrefix(lines[i], file+":"+want) {
					t.Errorf("%s\nwant %s:%s", lines[i], file, want)
				}
			}
		})
	}
}

func TestProblemsOfFileAndCommandLineAreToldTogether(t *testing.T) {
	file := writeFile(t, "job.yaml", "dealy: 2s\nscope: galaxy")
	_, err := commandLine(t, crawler.Crawl, "--config", file, "--depth", "-2")
	for _, want := range []string{file + `:1: unknown key "dealy"`, file + `:2: scope "galaxy"`, "`depth` -2: use 0 or more"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwithout %s", err, want)
		}
	}
}

func TestAFileThatIsTooLargeIsRefused(t *testing.T) {
	file := writeFile(t, "job.yaml", "# "+strings.Repeat("x", 100))
	if _, err := readLimited(file, 102); err != nil {
		t.Error(err)
	}
	if _, err := readLimited(file, 101); err == nil || !strings.Contains(err.Error(), "larger than 101 bytes") {
		t.Errorf("%v", err)
	}
}

// everything sets each flag of a job to something unusual.
func everything(t *testing.T) []string {
	return []string{
		"--dir", "some where", "--scope", "any", "--include", "^a: b", "--include", "#'\"", "--exclude", "~", "--requisites", "all",
		"--accept", "text/html,*/*", "--depth", "7", "--max-pages", "8", "--max-per-host", "9", "--max-time", "1h1ms", "--delay", "1500ms",
		"--per-host", "3", "--ignore-robots", "--user-agent", "mine/1 (yes: no)", "--header", "A: b: c # d", "--header", "Empty:",
		"--ca-file", writeFile(t, "ca.pem", testCertificate(t)), "--bandwidth", "1MiB/s", "--min-free", "3GiB", "--max-body", "1000", "--timeout", "7s",
		"--retries", "0", "--allow-private=10.0.0.0/8,127.0.0.1/32", "--archive", "files", "--compress", "none", "--export", "a.jsonl",
		"--quiet", "--log-format", "json", "--lease", "3s", "--renew", "1s", "--grace", "2s", "--workers", "17", "--memory", "2GiB", "https://a.example/?q=1#x", "list of.txt",
	}
}

func TestAPrintedConfigurationIsReadBackToTheSameJob(t *testing.T) {
	rules := "hosts:\n  - {match: '*.example.com', delay: 3s, per-host: 4, max-pages: 5, ignore-robots: false, headers: {X: 'y: z'}}\n  - match: '[::1]:8080'\n"
	for name, args := range map[string][]string{
		"the defaults": nil,
		"everything":   append(everything(t), "--config", writeFile(t, "rules.yaml", rules)),
	} {
		for _, kind := range []crawler.Kind{crawler.Crawl, crawler.Download} {
			t.Run(name+" of a "+string(kind), func(t *testing.T) {
				first, err := commandLine(t, kind, args...)
				if err != nil {
					t.Fatal(err)
				}
				var printed bytes.Buffer
				if err := printConfig(&printed, first.command.Flags(), &first.job, first.seeds); err != nil {
					t.Fatal(err)
				}
				second, err := commandLine(t, kind, "--config", writeFile(t, "printed.yaml", printed.String()))
				if err != nil {
					t.Fatalf("%v\n%s", err, &printed)
				}
				second.options.Said = first.options.Said // a printed file says all
				if !reflect.DeepEqual(first.job, second.job) || !reflect.DeepEqual(first.options, second.options) || !reflect.DeepEqual(first.seeds, second.seeds) {
					t.Errorf("read back as\n%+v\n%+v\n%q, printed from\n%+v\n%+v\n%q:\n%s",
						second.job, second.options, second.seeds, first.job, first.options, first.seeds, &printed)
				}
				var keys map[string]any
				if err := yaml.Unmarshal(printed.Bytes(), &keys); err != nil {
					t.Fatal(err)
				}
				first.command.Flags().VisitAll(func(f *pflag.Flag) {
					_, there := keys[f.Name]
					act := f.Hidden || f.Name == "config" || f.Name == "print-config" || f.Name == "fresh" || f.Name == "retry-failed"
					if !there && !act {
						t.Errorf("--%s is not printed", f.Name)
					}
				})
			})
		}
	}
}

func TestTheSettingsInACrawlDirectoryAreAConfiguration(t *testing.T) {
	first, err := commandLine(t, crawler.Download, everything(t)...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := trawl.JobYAML(&first.job)
	if err != nil {
		t.Fatal(err)
	}
	second, err := commandLine(t, crawler.Download, "--config", writeFile(t, "job.yaml", string(text)))
	if err != nil || !reflect.DeepEqual(first.job, second.job) {
		t.Errorf("%v: read back as\n%+v, written from\n%+v:\n%s", err, second.job, first.job, text)
	}
}

func FuzzConfig(f *testing.F) {
	for _, text := range []string{
		"", "depth: 1", "hosts:\n  - match: a\n    headers: {A: b}", "include: [a, b]", "header:\n  - A: b", "a: &x [*x]", "{}", "- a", "? a\n: b", "hosts: [{}]",
		"<<: {a: b}", "!!x a: |\n  b", "a: \"\\u0000\"", "---\n---\n", "kind: [", "seeds: {a: b}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "job.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		one, err := commandLine(t, crawler.Crawl, "--config", file)
		if err != nil {
			return
		}
		var printed bytes.Buffer
		if err := printConfig(&printed, one.command.Flags(), &one.job, one.seeds); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, printed.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		two, err := commandLine(t, crawler.Crawl, "--config", file)
		if err != nil || !reflect.DeepEqual(one.job, two.job) {
			t.Fatalf("%v: %+v\nread back as %+v\nfrom %s", err, one.job, two.job, &printed)
		}
	})
}
