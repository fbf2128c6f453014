package crawler

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the table of settings into docs/guide.md")

const guideFile = "../docs/guide.md"

func TestTheGuideHasTheNumbersThatAreInForce(t *testing.T) {
	text, err := os.ReadFile(guideFile)
	if err != nil {
		t.Fatal(err)
	}
	guide := strings.Join(strings.Fields(string(text)), " ")
	parts := map[int]string{10: "tenth", 20: "twentieth"}
	job := NewJob(Crawl)
	for _, want := range []string{
		"halve the rate at which a host is asked; the longest back-off is " + shortDuration(BackoffMax),
		"Each answer adds a " + parts[BackoffSteps] + " of the rate",
		fmt.Sprintf("(%d a second at most) back", time.Second/BackoffBase),
		fmt.Sprintf("`--retries %d` times", job.Retry.Retries),
		fmt.Sprintf("the first %d of a URL cost it none", MaxSpared),
		fmt.Sprintf("one that left %d requests in a row", MaxNoAnswers),
		fmt.Sprintf("after %s, %s, %s and so on, up to %s", shortDuration(ProbeWait(1, 0.5)), shortDuration(ProbeWait(2, 0.5)), shortDuration(ProbeWait(3, 0.5)), shortDuration(ProbeLongest)),
		fmt.Sprintf("away for `--host-patience` (%s)", shortDuration(job.HostPatience)),
		fmt.Sprintf("after %d probes at least", ProbesAtLeast),
		fmt.Sprintf("one that never answered after %d attempts", AttemptsNever),
		fmt.Sprintf("after %d tries in about 15 minutes", job.Robots.Tries),
	} {
		if !strings.Contains(guide, want) {
			t.Errorf("docs/guide.md lacks %q", want)
		}
	}
	if BackoffDivisor != 2 {
		t.Errorf("docs/guide.md says that a refusal halves the rate")
	}
}

// guideTable is the guide's table of settings.
func guideTable() string {
	var b strings.Builder
	b.WriteString("| setting | default | what it says | may change |\n|---|---|---|---|\n")
	crawl, download := NewJob(Crawl), NewJob(Download)
	for i := range jobSettings {
		s := &jobSettings[i]
		if s.Name == "" || s.Hidden {
			continue
		}
		usual := guideDefault(s, &crawl)
		if other := guideDefault(s, &download); other != usual {
			usual += ", for downloads " + other
		}
		help, when := s.Help, "between runs"
		switch {
		case s.Identity:
			when = "never"
		case s.LiveOnly:
			when = "while it runs"
		case s.Live:
			when = "at any time"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, usual, strings.ReplaceAll(help, "|", "\\|"), when)
	}
	return b.String()
}

func guideDefault(s *Setting, j *Job) string {
	value := s.Value(j)
	if value == nil || value.String() == "" {
		return "none"
	}
	if d, is := s.Field(j).(*time.Duration); is {
		return shortDuration(*d)
	}
	return value.String()
}

// The table stands between marks. Run this test with -update when a setting has changed.
func TestTheGuideHasEverySetting(t *testing.T) {
	text, err := os.ReadFile(guideFile)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- settings: made by go test ./crawler -run Guide -update -->\n\n", "\n<!-- end of settings -->"
	before, rest, begun := strings.Cut(string(text), begin)
	table, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		t.Fatal("docs/guide.md has no marks around its table of settings")
	}
	want := guideTable()
	if *update {
		if err := os.WriteFile(guideFile, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if table != want {
		t.Errorf("the table of settings in docs/guide.md is not that of crawler/settings.go: go test ./crawler -run Guide -update writes it\n%s", want)
	}
}
