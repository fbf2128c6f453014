package listen

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestTallyLogsTheFirstThenOnceAMinute(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	c := &Tally{log: slog.New(slog.NewTextHandler(&out, nil)), text: "refused", now: func() time.Time { return now }}
	lines := func() []string { return strings.Split(strings.TrimSpace(out.String()), "\n") }

	for range 1000 {
		c.Hit(slog.String("from", "1.2.3.4"))
	}
	if l := lines(); len(l) != 1 || !strings.Contains(l[0], "from=1.2.3.4") || !strings.Contains(l[0], "count=1") {
		t.Fatalf("a thousand at once: %q", l)
	}
	now = now.Add(LogEvery)
	c.Hit()
	if l := lines(); len(l) != 2 || !strings.Contains(l[1], "count=1000") {
		t.Fatalf("one after a minute: %q", l)
	}
	c.Hit()
	c.Flush()
	c.Flush()
	if l := lines(); len(l) != 3 || !strings.Contains(l[2], "count=1") {
		t.Fatalf("the rest: %q", l)
	}
	if c.Count() != 1002 {
		t.Errorf("%d in all", c.Count())
	}
}
