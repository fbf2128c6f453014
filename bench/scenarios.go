package main

// What is asked for; see the checks of each scenario.
const (
	wantPlain  = 0.22 // of the bare loop's pages a second
	wantGzip   = 0.25 // of the loop that decodes
	wantMicros = 180  // of processor time a page
	wantIdle   = 0.10 // of the machine's time in mid-run, at most
	wantRSS    = 300e6
)

// flags of a crawl that nothing but the machine holds back.
var fast = []string{"--delay", "0", "--per-host", "1"}

// scenarios are all that bench can measure, in the order of the report.
func scenarios() []*scenario {
	return []*scenario{
		{
			name: "a-plain", title: "crawl, pages sent plain, archived in gzip",
			shape: shape{hosts: 100, pages: 2000}, small: shape{hosts: 100, pages: 200},
			tools: func(k kit) []*tool {
				return append([]*tool{bareTool(k), crawl(k, toolTrawl, "trawl crawl with robots.txt, ledger, WARC (gzip) and a JSONL export", fast...)}, rawTools(k)...)
			},
			checks: []check{allByLoop, crawledWhole, atLeast(wantPlain), cpuAtMost(wantMicros), idleAtMost(wantIdle), rssAtMost(wantRSS)},
		},
		{
			name: "a-gzip", title: "crawl, pages sent in gzip",
			shape: shape{hosts: 100, pages: 2000, gzip: true}, small: shape{hosts: 100, pages: 200, gzip: true},
			tools: func(k kit) []*tool {
				return []*tool{decodingTool(k), crawl(k, toolTrawl, "trawl crawl, all as with plain pages", fast...)}
			},
			checks: []check{allByLoop, crawledWhole, atLeast(wantGzip), cpuAtMost(wantMicros), idleAtMost(wantIdle)},
		},
	}
}
