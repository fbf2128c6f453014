package waits

import (
	"math"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

func TestTheWorkOnAWholeLedgerIsSaidOnlyWhileThereIsSome(t *testing.T) {
	v := &View{Work: &crawler.Work{}}
	if w := v.work(); w != "" {
		t.Error(w)
	}
	v.Work.Retry = []crawler.RetryWork{{}}
	if v.work() == "" {
		t.Error("nothing is said of failed URLs that are taken up")
	}
	for from, want := range map[weburl.HostKey]string{0: " 0 %", 1 << 63: " 50 %", math.MaxUint64: " 99 %"} {
		v.Work.Retry[0].From.Host = from
		if w := v.work(); !strings.Contains(w, want) {
			t.Errorf("at %x it says %q", from, w)
		}
	}
}

func TestDurationsAreSaidAsPeopleSayThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.1 s", 940 * time.Millisecond: "0.9 s", 950 * time.Millisecond: "1 s", 119 * time.Second: "119 s", 2 * time.Minute: "2 min",
		119 * time.Minute: "119 min", 2 * time.Hour: "2.0 h", 90 * time.Hour: "90.0 h",
	} {
		if got := waitText(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
