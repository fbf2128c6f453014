package crawler

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// short writes a duration as the guide does.
func short(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = strings.TrimSuffix(s, zero[1:])
		}
	}
	return s
}

func TestTheGuideHasTheNumbersThatAreInForce(t *testing.T) {
	text, err := os.ReadFile("../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	guide := strings.Join(strings.Fields(string(text)), " ")
	parts := map[int]string{10: "tenth", 20: "twentieth"}
	job := NewJob(Crawl)
	for _, want := range []string{
		"halve the rate at which a host is asked; the longest back-off is " + short(BackoffMax),
		"Each answer adds a " + parts[BackoffSteps] + " of the rate",
		fmt.Sprintf("(%d a second at most) back", time.Second/BackoffBase),
		fmt.Sprintf("`--retries %d` times", job.Retry.Retries),
		fmt.Sprintf("the first %d of a URL cost it none", MaxSpared),
		fmt.Sprintf("one that left %d requests in a row", MaxNoAnswers),
		fmt.Sprintf("after %s, %s, %s and so on, up to %s", short(ProbeWait(1, 0.5)), short(ProbeWait(2, 0.5)), short(ProbeWait(3, 0.5)), short(ProbeLongest)),
		fmt.Sprintf("away for `--host-patience` (%s)", short(job.HostPatience)),
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
