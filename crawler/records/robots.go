package records

import (
	"time"

	"trawl/crawler"
	"trawl/crawler/schema"
	"trawl/crawler/weburl"
)

type (
	hop          = crawler.RobotsHop
	robotsFile   = crawler.RobotsFile
	hostRobots   = crawler.HostRobots
	robotsAnswer = crawler.RobotsAnswer
	hopAnswer    = crawler.HopAnswer
)

// Hop is an errand: the next hop of another host's robots.txt.
var Hop = schema.Of("RobotsHop",
	schema.Host(1, "for", func(h *hop) *weburl.Host { return &h.For }),
	schema.Scheme(2, "scheme", func(h *hop) *string { return &h.Scheme }),
	schema.URL(3, "url", func(h *hop) *weburl.URL { return &h.URL }),
	schema.Count(4, "count", func(h *hop) *int { return &h.Count }),
)

// RobotsFile is a host's robots.txt for one scheme.
var RobotsFile = schema.Of("RobotsFile",
	schema.Scheme(1, "scheme", func(f *robotsFile) *string { return &f.Scheme }),
	schema.Enum(2, "status", uint8(crawler.RobotsElsewhere), func(f *robotsFile) *uint8 { return (*uint8)(&f.Status) }),
	schema.Count(3, "http", func(f *robotsFile) *int { return &f.HTTP }),
	schema.Bytes(4, "body", func(f *robotsFile) *[]byte { return &f.Body }),
	schema.Bool(5, "truncated", func(f *robotsFile) *bool { return &f.Truncated }),
	schema.Duration(6, "ttl", func(f *robotsFile) *time.Duration { return &f.TTL }),
	schema.Foreign(7, "detail", func(f *robotsFile) *string { return &f.Detail }),
	schema.Message(8, "archive", locators, func(f *robotsFile) *locator { return &f.Archive }),
	schema.Message(9, "hop", Hop, func(f *robotsFile) *hop { return &f.Hop }),
	schema.Word(10, "fault", func(f *robotsFile) *string { return (*string)(&f.Fault) }),
)

// HostRobots is a robots file in the ledger.
var HostRobots = schema.Of("HostRobots",
	schema.Message(1, "file", RobotsFile, func(r *hostRobots) *robotsFile { return &r.RobotsFile }),
	schema.Clock(2, "fetched", func(r *hostRobots) *time.Time { return &r.Fetched }),
	schema.Clock(3, "expires", func(r *hostRobots) *time.Time { return &r.Expires }),
	schema.Foreign(4, "used_on", func(r *hostRobots) *string { return &r.UsedOn }),
)

// RobotsAnswer is how an errand ended, in a part: a file, or the next hop.
var RobotsAnswer = schema.Of("RobotsAnswer",
	schema.Message(1, "hop", Hop, func(a *robotsAnswer) *hop { return &a.Hop }).Require(),
	schema.Message(2, "file", RobotsFile, func(a *robotsAnswer) *robotsFile { return &a.File }),
	schema.URL(3, "next", func(a *robotsAnswer) *weburl.URL { return &a.Next }),
)

// HopAnswer is an answer that several hosts share, in the ledger. Whether it is being handed on is said by its key.
var HopAnswer = schema.Of("HopAnswer",
	schema.URL(1, "url", func(a *hopAnswer) *weburl.URL { return &a.URL }).Require(),
	schema.Message(2, "file", RobotsFile, func(a *hopAnswer) *robotsFile { return &a.File }),
	schema.URL(3, "next", func(a *hopAnswer) *weburl.URL { return &a.Next }),
	schema.Clock(4, "until", func(a *hopAnswer) *time.Time { return &a.Until }),
)
