package records

import (
	"math"
	"time"

	"trawl/crawler"
	"trawl/crawler/schema"
	"trawl/crawler/weburl"
)

// Version of the messages. It goes up when an older reader would misread one; readers refuse what is above their own, and what is
// below the oldest that they know.
const (
	Version = 2
	oldest  = 2
)

type (
	task      = crawler.Task
	taskURL   = crawler.TaskURL
	ask       = crawler.Ask
	answer    = crawler.Answer
	notice    = crawler.JobNotice
	part      = crawler.Part
	report    = crawler.HostReport
	validator = crawler.Validator
)

// maxTallies is how many words a part may count.
const maxTallies = 64

func version[T any]() schema.Field[T] {
	return schema.Version[T](1, oldest, Version)
}

var taskURLs = schema.Of("TaskURL",
	schema.URL(1, "url", func(u *taskURL) *weburl.URL { return &u.URL }).Require(),
	schema.Count(2, "depth", func(u *taskURL) *int { return &u.Depth }),
	schema.Count(3, "redirects", func(u *taskURL) *int { return &u.Redirects }),
	schema.Foreign(4, "name", func(u *taskURL) *string { return &u.Name }),
	schema.Bool(5, "requisite", func(u *taskURL) *bool { return &u.Requisite }),
	schema.URL(6, "via", func(u *taskURL) *weburl.URL { return &u.Via }),
)

// Task is a turn on the task queue.
var Task = schema.Of("Task",
	version[task](),
	schema.ID(2, "turn", func(t *task) []byte { return t.Turn[:] }).Require(),
	schema.Host(3, "host", func(t *task) *weburl.Host { return &t.Host }).Require(),
	schema.List(4, "urls", crawler.MaxTurnURLs, taskURLs, func(t *task) *[]taskURL { return &t.URLs }),
	schema.List(5, "errands", 0, Hop, func(t *task) *[]hop { return &t.Errands }),
).Check(checkTask)

// Ask is a fetcher's question for a turn.
var Ask = schema.Of("Ask",
	version[ask](),
	schema.ID(2, "turn", func(a *ask) []byte { return a.Turn[:] }).Require(),
	schema.ID(3, "holder", func(a *ask) []byte { return a.Holder[:] }).Require(),
	schema.Host(4, "host", func(a *ask) *weburl.Host { return &a.Host }).Require(),
	schema.Foreign(5, "fetcher", func(a *ask) *string { return &a.Fetcher }),
	schema.Bool(6, "renewal", func(a *ask) *bool { return &a.Renewal }),
	schema.Bool(7, "more", func(a *ask) *bool { return &a.More }),
	schema.Count(8, "part", func(a *ask) *int { return &a.Part }),
)

var validators = schema.Of("Validator",
	schema.URL(1, "url", func(v *validator) *weburl.URL { return &v.URL }).Require(),
	schema.Foreign(2, "etag", func(v *validator) *string { return &v.ETag }),
	schema.Foreign(3, "last_modified", func(v *validator) *string { return &v.LastModified }),
)

// Answer is the scheduler's reply to an ask; [CheckAnswer] is asked beside it.
var Answer = schema.Of("Answer",
	version[answer](),
	schema.Enum(2, "verdict", uint8(crawler.Over), func(a *answer) *uint8 { return (*uint8)(&a.Verdict) }),
	schema.ID(3, "life", func(a *answer) []byte { return a.Life[:] }),
	schema.Duration(4, "lease", func(a *answer) *time.Duration { return &a.Lease }),
	schema.Duration(5, "wait", func(a *answer) *time.Duration { return &a.Wait }),
	schema.Duration(6, "delay", func(a *answer) *time.Duration { return &a.Delay }),
	schema.Duration(7, "penalty", func(a *answer) *time.Duration { return &a.Penalty }),
	schema.Count(8, "connections", func(a *answer) *int { return &a.Connections }),
	schema.Bool(9, "stop", func(a *answer) *bool { return &a.Stop }),
	schema.Count(10, "settled", func(a *answer) *int { return &a.Settled }),
	schema.Uint(11, "scope_epoch", func(a *answer) *uint64 { return &a.ScopeEpoch }),
	schema.List(12, "robots", 0, RobotsFile, func(a *answer) *[]robotsFile { return &a.Robots }),
	schema.List(13, "validators", 0, validators, func(a *answer) *[]validator { return &a.Validators }),
	schema.List(14, "cookies", 0, CookieChange, func(a *answer) *[]cookieChange { return &a.Cookies }),
	schema.Texts(15, "addresses", func(a *answer) *[]string { return &a.Addresses }),
	schema.Message(16, "credentials", credentialsTable, func(a *answer) *credentials { return &a.Credentials }),
	schema.List(17, "more", crawler.MaxTurnURLs, taskURLs, func(a *answer) *[]taskURL { return &a.More }),
	schema.Enum(18, "seeds", math.MaxUint8, func(a *answer) *uint8 { return (*uint8)(&a.Seeds) }),
	schema.Bool(19, "tops", func(a *answer) *bool { return &a.Tops }),
	schema.Bool(20, "rest", func(a *answer) *bool { return &a.Rest }),
)

// Notice gives a fetcher the job, which is not validated.
var Notice = schema.Of("Notice",
	version[notice](),
	schema.JSON(2, "job", func(n *notice) *crawler.Job { return &n.Job }),
	schema.ID(3, "life", func(n *notice) []byte { return n.Life[:] }),
	schema.Bool(4, "done", func(n *notice) *bool { return &n.Done }),
	schema.Uint(5, "scope_epoch", func(n *notice) *uint64 { return &n.ScopeEpoch }),
	schema.Hashes(6, "scope_keys", func(n *notice) *[]uint64 { return &n.ScopeKeys }),
	schema.Bool(7, "scope_whole", func(n *notice) *bool { return &n.ScopeWhole }),
)

// Part is one part of a turn's report.
var Part = schema.Of("Part",
	version[part](),
	schema.ID(2, "turn", func(p *part) []byte { return p.Turn[:] }).Require(),
	schema.ID(3, "holder", func(p *part) []byte { return p.Holder[:] }).Require(),
	schema.Host(4, "host", func(p *part) *weburl.Host { return &p.Host }).Require(),
	schema.ID(5, "life", func(p *part) []byte { return p.Life[:] }),
	schema.Foreign(6, "fetcher", func(p *part) *string { return &p.Fetcher }),
	schema.Count(7, "number", func(p *part) *int { return &p.Number }).AtLeast(1).Require(),
	schema.Bool(8, "end", func(p *part) *bool { return &p.End }),
	schema.List(9, "results", 0, Result, func(p *part) *[]result { return &p.Results }),
	schema.List(10, "links", 0, pageLinks, func(p *part) *[]crawler.PageLinks { return &p.Links }),
	schema.Message(11, "state", reports, func(p *part) *report { return &p.State }),
	schema.Duration(12, "wait", func(p *part) *time.Duration { return &p.Wait }),
).Check(checkPart)

var reports = schema.Of("HostReport",
	schema.List(1, "robots", 0, RobotsFile, func(r *report) *[]robotsFile { return &r.Robots }),
	schema.List(2, "hops", 0, RobotsAnswer, func(r *report) *[]robotsAnswer { return &r.Hops }),
	schema.Count(3, "requests", func(r *report) *int { return &r.Requests }),
	schema.Bool(4, "penalty_set", func(r *report) *bool { return &r.PenaltySet }),
	schema.Duration(5, "penalty", func(r *report) *time.Duration { return &r.Penalty }),
	schema.Duration(6, "mean_time", func(r *report) *time.Duration { return &r.MeanTime }),
	schema.Texts(7, "addresses", func(r *report) *[]string { return &r.Addresses }),
	schema.List(8, "cookies", 0, CookieChange, func(r *report) *[]cookieChange { return &r.Cookies }),
	schema.Tallies(9, "dropped", maxTallies, func(r *report) *map[string]int64 { return &r.Dropped }),
	schema.Tallies(10, "bounds", maxTallies, func(r *report) *map[string]int64 { return &r.Bounds }),
)
