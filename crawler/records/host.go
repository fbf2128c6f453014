package records

import (
	"math"
	"time"

	"trawl/crawler"
	"trawl/crawler/schema"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

type (
	host        = crawler.HostState
	turn        = crawler.TurnState
	credentials = session.Credentials
)

var credentialsTable = schema.Of("Credentials",
	schema.Foreign(1, "http", func(c *credentials) *string { return &c.HTTP }),
	schema.Foreign(2, "https", func(c *credentials) *string { return &c.HTTPS }),
)

// Host is what the ledger keeps of a host.
var Host = schema.Of("HostState",
	schema.Host(1, "host", func(h *host) *weburl.Host { return &h.Host }).Require(),
	schema.Clock(2, "next", func(h *host) *time.Time { return &h.Next }),
	schema.Bool(3, "asked", func(h *host) *bool { return &h.Asked }),
	schema.ID(4, "turn", func(h *host) []byte { return h.Turn[:] }),
	schema.Clock(5, "turned", func(h *host) *time.Time { return &h.Turned }),
	schema.Count(6, "depth", func(h *host) *int { return &h.Depth }),
	schema.Counts(7, "counts", func(h *host) []int64 { return h.Counts[:] }),
	schema.Signed(8, "retry", func(h *host) *int64 { return &h.Retry }),
	schema.Signed(9, "deep", func(h *host) *int64 { return &h.Deep }),
	schema.Signed(10, "parked", func(h *host) *int64 { return &h.Parked }),
	schema.Clock(11, "retry_at", func(h *host) *time.Time { return &h.RetryAt }),
	schema.Duration(12, "answered_at", func(h *host) *time.Duration { return &h.AnsweredAt }),
	schema.Duration(13, "mean_time", func(h *host) *time.Duration { return &h.MeanTime }),
	schema.Texts(14, "addresses", func(h *host) *[]string { return &h.Addresses }),
	schema.Clock(15, "addresses_to", func(h *host) *time.Time { return &h.AddressesTo }),
	schema.Enum(16, "answered", math.MaxUint8, func(h *host) *uint8 { return (*uint8)(&h.Answered) }),
	schema.Enum(17, "seeds", math.MaxUint8, func(h *host) *uint8 { return (*uint8)(&h.Seeds) }),
	schema.Message(18, "credentials", credentialsTable, func(h *host) *credentials { return &h.Credentials }),
	schema.Word(19, "away", func(h *host) *string { return (*string)(&h.Away) }),
	schema.Foreign(20, "away_detail", func(h *host) *string { return &h.AwayDetail }),
	schema.Clock(21, "away_since", func(h *host) *time.Time { return &h.AwaySince }),
	schema.Count(22, "failed", func(h *host) *int { return &h.Failed }),
	schema.Hashes(23, "silent", func(h *host) *[]uint64 { return (*[]uint64)(&h.Silent) }),
	schema.Count(24, "refused", func(h *host) *int { return &h.Refused }),
	schema.Word(25, "given_up", func(h *host) *string { return (*string)(&h.GivenUp) }),
	schema.Foreign(26, "given_up_detail", func(h *host) *string { return &h.GivenUpDetail }),
	schema.Duration(27, "crawl_delay", func(h *host) *time.Duration { return &h.CrawlDelay }),
	schema.Duration(28, "penalty", func(h *host) *time.Duration { return &h.Penalty }),
	schema.Count(29, "robots_tries", func(h *host) *int { return &h.RobotsTries }),
	schema.Foreign(30, "robots_detail", func(h *host) *string { return &h.RobotsDetail }),
	schema.Bool(31, "robots_wait", func(h *host) *bool { return &h.RobotsWait }),
	schema.Count(32, "errands", func(h *host) *int { return &h.Errands }),
	schema.Count(33, "handing", func(h *host) *int { return &h.Handing }),
	schema.Bool(34, "errands_last", func(h *host) *bool { return &h.ErrandsLast }),
)

// Turn is what the ledger keeps of a turn.
var Turn = schema.Of("TurnState",
	schema.ID(1, "id", func(t *turn) []byte { return t.ID[:] }),
	schema.Host(2, "host", func(t *turn) *weburl.Host { return &t.Host }).Require(),
	schema.Hashes(3, "urls", func(t *turn) *[]uint64 { return &t.URLs }),
	schema.List(4, "errands", 0, Hop, func(t *turn) *[]hop { return &t.Errands }),
	schema.Bool(5, "held", func(t *turn) *bool { return &t.Held }),
	schema.ID(6, "holder", func(t *turn) []byte { return t.Holder[:] }),
	schema.Foreign(7, "fetcher", func(t *turn) *string { return &t.Fetcher }),
	schema.Count(8, "part", func(t *turn) *int { return &t.Part }),
	schema.Bool(9, "probe", func(t *turn) *bool { return &t.Probe }),
)
