package main

import (
	"slices"
	"time"
)

// What is asked for. Shares are at least, unless it says at most.
const (
	wantPlain   = 0.22 // of the bare loop's pages a second
	wantGzip    = 0.25 // of the loop that decodes
	wantMicros  = 180  // µs of processor time a page, at most
	wantIdle    = 0.10 // of the machine's time in mid-run, at most
	wantRSS     = 300e6
	wantWorkers = 0.85 // of the rate with other numbers of workers
	wantHost    = 0.80 // of the rate with many hosts
	wantWget2   = 1.6
	wantHTTrack = 10
	wantFiles   = 0.90 // of a loop that saves as durably
	wantWARC    = 0.40 // of a loop that appends
	wantLarge   = 0.95 // of curl
	wantLatency = 0.95 // of what latency and connections allow
	wantSteady  = 0.70 // of the median second in the slowest one of mid-run
	wantDelay   = 0.98 // of what the delay allows
	wantCluster = 0.90 // of 4 times one fetcher's rate
)

const (
	start   = 150 * time.Millisecond // of one-page, at most
	latency = 100 * time.Millisecond // of (c)
	delay   = time.Second            // of (d)
	answer  = 50 * time.Millisecond  // time to answer, of (d)
	many    = 4                      // connections to a host in (c-4)
	oneHost = 8                      // connections to the host of a-host
)

// A crawl that nothing but the machine holds back.
var fast = []string{"--delay", "0", "--per-host", "1"}

// scenarios are all that bench can measure, in the order of the report.
func scenarios() []*scenario {
	return slices.Concat(crawlScenarios(), listScenarios(), paceScenarios())
}

// crawlScenarios are (a): crawls as fast as the machine can.
func crawlScenarios() []*scenario {
	return []*scenario{
		{
			name: plainName, title: "crawl, pages sent plain, archived in gzip",
			shape: shape{hosts: 100, pages: 2000}, small: shape{hosts: 100, pages: 200},
			tools: func(k kit) []*tool {
				return append([]*tool{bareTool(k), crawl(k, toolTrawl, "trawl crawl with robots.txt, ledger, WARC (gzip) and a JSONL export", fast...)}, rawTools(k)...)
			},
			ratios: toFirst(map[string]float64{toolTrawl: wantPlain}),
			checks: []check{allByFirst, crawledWhole(1), cpuAtMost(wantMicros), idleAtMost(wantIdle), rssAtMost(wantRSS)},
		},
		{
			name: "a-gzip", title: "crawl, pages sent in gzip",
			shape: shape{hosts: 100, pages: 2000, gzip: true}, small: shape{hosts: 100, pages: 200, gzip: true},
			tools: func(k kit) []*tool {
				return []*tool{decodingTool(k), crawl(k, toolTrawl, "trawl crawl, all as with plain pages", fast...)}
			},
			ratios: toFirst(map[string]float64{toolTrawl: wantGzip}),
			checks: []check{allByFirst, crawledWhole(1), cpuAtMost(wantMicros), idleAtMost(wantIdle)},
		},
		{
			name: "one-page", title: "crawl of one page: start and end of the program",
			shape:  shape{hosts: 1, pages: 1, flat: true},
			tools:  func(k kit) []*tool { return []*tool{crawl(k, toolTrawl, "trawl crawl of one page", fast...)} },
			ratios: ofTime(start, 1),
			checks: []check{crawledWhole(1)},
		},
		{
			name: "a-workers", title: "crawl with few and with many workers",
			shape: shape{hosts: 100, pages: 500},
			tools: func(k kit) []*tool {
				few := append([]string{"--workers", "64"}, fast...)
				return []*tool{crawl(k, toolTrawl, "1,024 workers (the default)", fast...), crawl(k, toolTrawl+"-64", "64 workers", few...)}
			},
			ratios: withinEachOther(wantWorkers),
			checks: []check{crawledWhole(1)},
		},
		{
			name: "a-host", title: "crawl of one host",
			shape: shape{hosts: 1, pages: 20_000}, small: shape{hosts: 1, pages: 10_000},
			tools: func(k kit) []*tool {
				return []*tool{bareTool(k), crawl(k, toolTrawl, "trawl crawl with --per-host 8", "--delay", "0", "--per-host", "8")}
			},
			ratios: toManyHosts(wantHost),
			checks: []check{allByFirst, crawledWhole(oneHost)},
		},
		{
			name: "a-peers", title: "other crawlers, and what they find",
			shape: shape{hosts: 100, pages: 200},
			tools: func(k kit) []*tool {
				return append([]*tool{crawl(k, toolTrawl, "trawl crawl, as in a-plain", fast...)}, crawlers(k)...)
			},
			ratios: ahead(map[string]float64{"wget2": wantWget2, "httrack": wantHTTrack, "scrapy": 0}),
			checks: []check{crawledWhole(1)},
		},
	}
}

// listScenarios are (b): downloads of lists.
func listScenarios() []*scenario {
	small := shape{hosts: 100, pages: 200, bytes: 10_000, flat: true}
	fewer := shape{hosts: 100, pages: 30, bytes: 10_000, flat: true}
	return []*scenario{
		{
			name: "b-files", title: "list of small files", shape: small, small: fewer,
			tools: func(k kit) []*tool {
				return append([]*tool{savingTool(k, "save", "a loop that writes, syncs and renames each file"), download(k, "trawl download", "--archive", "files")}, downloaders(k)...)
			},
			ratios: both(toFirst(map[string]float64{toolTrawl: wantFiles}), ahead(map[string]float64{"curl": 1, "wget2": 1, "aria2c": 1})),
			checks: []check{allByFirst, downloadedWhole},
		},
		{
			name: "b-warc", title: "list of small files into an archive", shape: small, small: fewer,
			tools: func(k kit) []*tool {
				return []*tool{savingTool(k, "append", "a loop that appends all to one file, synced at the end"), download(k, "trawl download --archive warc (gzip)", "--archive", "warc")}
			},
			ratios: toFirst(map[string]float64{toolTrawl: wantWARC}),
			checks: []check{allByFirst, downloadedWhole},
		},
		{
			name: "b-large", title: "list of large files",
			shape: shape{hosts: 10, pages: 20, bytes: 20_000_000, flat: true},
			tools: func(k kit) []*tool {
				first, second := curl(k), download(k, "trawl download", "--archive", "files")
				first.rounds, second.rounds = peerRounds, peerRounds
				return []*tool{second, first}
			},
			ratios: ahead(map[string]float64{"curl": wantLarge}),
			checks: []check{downloadedWhole},
		},
	}
}

// paceScenarios are (c) to (e): crawls that something else than the machine holds back.
func paceScenarios() []*scenario {
	return []*scenario{
		{
			name: "c", title: "crawl of hosts that answer after 100 ms",
			shape: shape{hosts: 500, pages: 100, latency: latency}, small: shape{hosts: 500, pages: 30, latency: latency},
			tools: func(k kit) []*tool {
				return []*tool{crawl(k, toolTrawl, "trawl crawl with --per-host 1", fast...)}
			},
			ratios: ofLatency(1, wantLatency),
			checks: []check{crawledWhole(1), steady(wantSteady)},
		},
		{
			name: "c-4", title: "crawl of hosts that answer after 100 ms, 4 connections to each",
			shape: shape{hosts: 500, pages: 200, latency: latency},
			tools: func(k kit) []*tool {
				return []*tool{crawl(k, toolTrawl, "trawl crawl with --per-host 4", "--delay", "0", "--per-host", "4")}
			},
			ratios: ofLatency(many, wantLatency),
			checks: []check{crawledWhole(many), steady(wantSteady)},
		},
		{
			name: "d", title: "crawl with a delay of 1 s, answers after 50 ms",
			shape: shape{hosts: 1000, pages: 30, latency: answer}, small: shape{hosts: 1000, pages: 8, latency: answer},
			tools: func(k kit) []*tool {
				t := crawl(k, toolTrawl, "trawl crawl with --delay 1s", "--delay", "1s", "--per-host", "1")
				t.rounds = peerRounds
				return []*tool{t}
			},
			ratios: ofDelay(wantDelay),
			checks: []check{crawledWhole(1), gapAtLeast(delay)},
		},
		{
			name: "e", title: "cluster: fetchers of limited bandwidth",
			shape:  shape{hosts: 100, pages: 80},
			tools:  func(k kit) []*tool { return []*tool{fetchers(k, 1), fetchers(k, 2), fetchers(k, 4)} },
			ratios: efficiency(wantCluster),
			checks: []check{crawledWhole(1)},
		},
	}
}
