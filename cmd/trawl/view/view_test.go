package view

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"trawl/crawler"
)

var update = flag.Bool("update", false, "write the golden files anew")

func viewOfACrawl() view {
	return view{Status: crawler.Status{
		Job: "crawl", Kind: crawler.Crawl, State: "running", Elapsed: 72*time.Second + 400*time.Millisecond,
		Seen: 12_345, Waiting: 10_000, Leased: 120, Fetched: 2_000, Redirected: 100, Unchanged: 5, Failed: 70, Excluded: 50,
		Reasons: map[crawler.Reason]int64{"http_status": 50, "timeout": 20, "robots": 50}, Bounds: map[string]int64{"body": 3},
		Bytes: 123_456_789, Requests: 2300, Hosts: 400, HostsHeld: 37, HostsOffered: 2, PagesPerSecond: 45.25, BytesPerSecond: 1_234_567,
		Slots: 1024, WaitsFor: "37 hosts are being asked, each at its own pace",
		Fetchers: []crawler.FetcherStatus{{Name: "local", Slots: 1024, Turns: 37, Pages: 2225}},
	}}
}

func viewOfADownload() view {
	return view{Left: 3*time.Minute + 12*time.Second, Status: crawler.Status{
		Job: "download", Kind: crawler.Download, State: "paused", Elapsed: 26 * time.Hour,
		Seen: 1997, Waiting: 1200, Leased: 97, Fetched: 700, Parked: 10, Bytes: 5_000_000_000, Hosts: 20, NextDue: 1500 * time.Millisecond,
		Fetchers: []crawler.FetcherStatus{
			{Name: "alpha", Slots: 64, Turns: 12, Pages: 400}, {Name: "beta", Slots: 64, Turns: 8, Pages: 250}, {Name: "gamma", Pages: 50},
		},
	}}
}

func TestTheViewIsDrawnForEveryTerminal(t *testing.T) {
	evil := viewOfACrawl()
	evil.Fetchers = []crawler.FetcherStatus{{Name: "a\x1b[2J\nb\tc\u202e", Slots: 1}}
	evil.WaitsFor = "x\x1b]0;title\x07y\r\n"
	for name, c := range map[string]struct {
		view          view
		width, height int
		colour        bool
	}{
		"crawl":           {viewOfACrawl(), 80, 24, false},
		"crawl-colour":    {viewOfACrawl(), 80, 24, true},
		"crawl-narrow":    {viewOfACrawl(), 36, 24, false},
		"crawl-tiny":      {viewOfACrawl(), 12, 24, false},
		"crawl-short":     {viewOfACrawl(), 80, 5, false},
		"crawl-one-line":  {viewOfACrawl(), 80, 2, false},
		"download":        {viewOfADownload(), 100, 24, false},
		"download-short":  {viewOfADownload(), 100, 9, false},
		"start":           {view{Reading: true, Status: crawler.Status{Job: "crawl", Kind: crawler.Crawl, State: "starting"}}, 80, 24, false},
		"what-others-say": {evil, 80, 24, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.view.render(c.width, c.height, c.colour)
			lines := strings.Split(got, "\n")
			if len(lines) > c.height-1 {
				t.Errorf("%d lines on a terminal of %d", len(lines), c.height)
			}
			for _, line := range lines {
				if lipgloss.Width(line) > c.width-1 {
					t.Errorf("%q is %d cells wide on a terminal of %d", line, lipgloss.Width(line), c.width)
				}
			}
			if plain := ansi.Strip(got); (plain != got) != c.colour {
				t.Errorf("colour is %v: %q", c.colour, got)
			}
			golden(t, filepath.Join("testdata", name+".txt"), got+"\n")
		})
	}
}

func TestTheViewFitsATerminalOfAnySize(t *testing.T) {
	v := viewOfACrawl()
	for width := range 100 {
		for height := range 12 {
			for line := range strings.SplitSeq(v.render(width, height, true), "\n") {
				if lipgloss.Width(line) > max(1, width-1) {
					t.Fatalf("%dx%d: %q is too wide", width, height, line)
				}
			}
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("drawn as\n%s\nwant (%s)\n%s", got, file, want)
	}
}

func TestDurationsAreWrittenInTheirTwoLargestUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 1400 * time.Millisecond: "1 s", 59 * time.Second: "59 s", time.Minute: "1 min", 192 * time.Second: "3 min 12 s",
		time.Hour: "1 h", 90*time.Minute + 20*time.Second: "1 h 30 min", 26 * time.Hour: "26 h", 49 * time.Hour: "2 days 1 h", 240 * time.Hour: "10 days",
	} {
		if got := durationText(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
