package explain

import (
	"fmt"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// MaxChain is how many pages between a URL and its seed are listed; more are left out.
const MaxChain = 64

// Facts are what the ledger knows of one URL and its host at one moment, and what is known of the job.
type Facts struct {
	URL      weburl.URL
	Now      time.Time
	Job      crawler.JobState
	State    string // of the job: running, paused, stopping, stopped or done
	WaitsFor string // what a running job waits for ([crawler.Status])
	Tallies  crawler.Tallies

	Opened []crawler.ScopeSeed  // those of [crawler.Scope.Openers] that seeds of the job opened
	Row    *crawler.Row         // as people see it: leased when a turn lists it; nil when it was never admitted
	Chain  []*crawler.Row       // the pages that led here, nearest first
	Cut    bool                 // Chain does not reach the seed
	Host   *crawler.HostState   // nil when no URL of it was admitted
	Turn   *crawler.TurnState   // of the host, nil when it is idle
	Robots []crawler.HostRobots // of the host, by scheme
}

// Explanation is the whole story of one URL: what became of it, the rules that decided, what comes next, and
// what the user could change.
type Explanation struct {
	URL   string    `json:"url"`
	State string    `json:"state"` // of the job
	At    time.Time `json:"at"`
	Seen  bool      `json:"seen"` // it was admitted and has a row

	Row    *RowStory   `json:"row"` // null when it was never admitted
	Why    Why         `json:"why"`
	Next   NextStory   `json:"next"`
	Scope  ScopeStory  `json:"scope"`
	Robots RobotsStory `json:"robots"`
	Host   *HostStory  `json:"host"` // null when no URL of it was admitted
}

// Why names the rule that decided, where it stands, and what to change.
type Why struct {
	Rule   string   `json:"rule"`
	Place  string   `json:"place"`
	Change []string `json:"change,omitempty"`
}

// RowStory is the row, with the keys that exports have, one each.
type RowStory struct {
	Outcome     string         `json:"outcome"`
	Reason      crawler.Reason `json:"reason,omitempty"`
	Status      int            `json:"status,omitempty"`
	Detail      string         `json:"detail,omitempty"`
	Bytes       int64          `json:"bytes"`
	Digest      string         `json:"digest,omitempty"`
	Truncated   bool           `json:"truncated"`
	Depth       int            `json:"depth"`
	Seed        string         `json:"seed"`
	Via         string         `json:"via,omitempty"`
	Chain       []string       `json:"chain,omitempty"` // pages that led here, nearest first; the last came from the seed
	ChainCut    bool           `json:"chain_cut,omitempty"`
	IsSeed      bool           `json:"is_seed"` // a seed, or where a seed's redirects led
	Requisite   bool           `json:"requisite,omitempty"`
	Redirects   int            `json:"redirects,omitempty"`
	RedirectTo  string         `json:"redirect_to,omitempty"`
	Attempts    int            `json:"attempts"`
	Lapses      int            `json:"lapsed_turns,omitempty"`
	FirstSeen   time.Time      `json:"first_seen"`
	FetchedAt   time.Time      `json:"fetched_at,omitzero"`
	IP          string         `json:"ip,omitempty"`
	Fetcher     string         `json:"fetcher,omitempty"`
	ArchiveFile string         `json:"archive_file,omitempty"`
	Offset      int64          `json:"archive_offset,omitempty"`
	Length      int64          `json:"archive_length,omitempty"`
}

// Explain works out the story of a URL. It is pure: the same facts give the same story.
func Explain(f *Facts) Explanation {
	e := Explanation{URL: f.URL.String(), State: f.State, At: f.Now, Seen: f.Row != nil}
	e.Scope = f.scopeStory()
	e.Robots = f.robotsStory()
	if f.Host != nil {
		h := f.hostStory()
		e.Host = &h
	}
	if f.Row != nil {
		r := f.rowStory()
		e.Row = &r
	}
	e.Why = f.why(&e)
	e.Next = f.nextStory()
	return e
}

func (f *Facts) rowStory() RowStory {
	r := f.Row
	s := RowStory{
		Outcome: r.Outcome.String(), Reason: f.reason(), Status: r.Status, Detail: r.Detail, Bytes: r.Bytes, Digest: r.Digest.String(),
		Truncated: r.Truncated, Depth: r.Depth, Seed: r.Seed, Via: r.Via, ChainCut: f.Cut, IsSeed: r.IsSeed, Requisite: r.Requisite,
		Redirects: r.Redirects, RedirectTo: r.RedirectTo.String(), Attempts: r.Attempts, Lapses: r.Lapses,
		FirstSeen: r.FirstSeen, FetchedAt: r.FetchedAt, IP: r.IP, Fetcher: r.Fetcher,
		ArchiveFile: r.Archive.File, Offset: r.Archive.Offset, Length: r.Archive.Length,
	}
	for _, page := range f.Chain {
		s.Chain = append(s.Chain, page.URL.String())
	}
	return s
}

// reason is the row's, as of now.
func (f *Facts) reason() crawler.Reason {
	_, why := f.Job.Standing(&f.Tallies, f.host(), f.Row, f.Row.Outcome == crawler.Leased, f.Now)
	return why
}

// host is the host's record, an empty one where there is none.
func (f *Facts) host() *crawler.HostState {
	if f.Host == nil {
		return &crawler.HostState{Host: f.URL.Host()}
	}
	return f.Host
}

// limit is a limit of the user's that keeps the URL waiting.
type limit struct{ rule, place, change string }

func (f *Facts) limits() []limit {
	var found []limit
	j, given := &f.Job.Job, &f.Job.Given
	reached := j.Beyond(&f.Tallies, f.host(), f.Row)
	if reached.Has(crawler.LimitDepth) {
		found = append(found, limit{
			fmt.Sprintf("`depth` %d: it is %d links from its seed", j.Depth, f.Row.Depth),
			f.place("`depth`", given.Depth != j.Depth), fmt.Sprintf("`depth` %d or more, -1 for no limit", f.Row.Depth),
		})
	}
	if reached.Has(crawler.LimitHost) {
		name, place := "`max-per-host`", f.place("`max-per-host`", given.MaxPerHost != j.MaxPerHost)
		if rule := j.RuleOf(f.Host.Host); rule != nil && rule.MaxPages != nil {
			name, place = "max-pages", rulePlace(rule)
		}
		found = append(found, limit{
			fmt.Sprintf("%s %d: so many URLs of %s are fetched", name, j.For(f.Host.Host).MaxPages, f.Host.Host),
			place, "a higher " + name + ", 0 for no limit",
		})
	}
	if reached.Has(crawler.LimitPages) {
		found = append(found, limit{
			fmt.Sprintf("`max-pages` %d: so many URLs are fetched", j.MaxPages),
			f.place("`max-pages`", given.MaxPages != j.MaxPages), "a higher `max-pages`, 0 for no limit",
		})
	}
	if reached.Has(crawler.LimitBytes) {
		found = append(found, limit{
			fmt.Sprintf("`max-bytes` %d: the bodies of the job have %d bytes", j.MaxBytes, f.Tallies.Bytes),
			f.place("`max-bytes`", given.MaxBytes != j.MaxBytes), "a higher `max-bytes`, 0 for no limit",
		})
	}
	return found
}

// place says where a setting stands.
func (f *Facts) place(flag string, changed bool) string {
	if changed && f.Job.Given.Kind != "" {
		return flag + ", changed while the job ran (trawl set)"
	}
	return flag + ", in job.yaml of the crawl directory"
}

// why names the rule to which the URL owes its fate.
func (f *Facts) why(e *Explanation) Why {
	if f.Row == nil {
		return f.whyUnseen(e)
	}
	switch f.Row.Outcome {
	case crawler.Waiting:
		return f.whyWaiting()
	case crawler.Leased:
		return f.whyLeased()
	case crawler.Failed:
		return f.whyFailed()
	case crawler.Excluded:
		return f.whyExcluded()
	}
	return f.whyDone()
}

func (f *Facts) whyUnseen(e *Explanation) Why {
	if !e.Scope.Page.In && !e.Scope.Requisite.In {
		return e.Scope.Page.why(f)
	}
	w := Why{Rule: "it belongs to the job, and nothing led to it: no seed is it, and no page that was read links to it", Place: "the pages that were read"}
	if f.Job.Job.Kind == crawler.Download {
		w = Why{Rule: "it is not on the list, and no redirect of a listed URL leads to it", Place: "the list"}
	}
	if n := f.Tallies.Dropped[crawler.DropTooMany]; n > 0 {
		w.Rule += fmt.Sprintf("; %d links were passed over, since a page may have %d (`max-links`)", n, f.Job.Job.Fetch.Links)
	}
	w.Change = []string{"give it as a seed: the same command with this URL, or trawl add while the job runs"}
	return w
}

func (f *Facts) whyLeased() Why {
	if f.Turn == nil {
		return Why{Rule: "it is in a turn of its host", Place: "host " + string(f.URL.Host())}
	}
	w := Why{Rule: f.Turn.String(), Place: "turn " + f.Turn.ID.String()}
	if f.resting() {
		w.Rule += "; the job is not running"
		w.Change = []string{"run the same command to go on"}
	}
	return w
}

func (f *Facts) resting() bool { return f.State == "stopped" || f.State == "done" }

func (f *Facts) whyDone() Why {
	r := f.Row
	w := Why{Place: f.serverPlace()}
	switch r.Outcome {
	case crawler.Redirected:
		w.Rule = fmt.Sprintf("HTTP %d with a Location: the target %s is a link like any other", r.Status, r.RedirectTo)
		w.Change = []string{"trawl explain with the target says what became of it"}
	case crawler.Unchanged:
		w.Rule = "HTTP 304: it is as it was when it was fetched before"
	default:
		w.Rule = fmt.Sprintf("HTTP %d: an answer with 2xx is fetched", r.Status)
		if r.Truncated {
			w.Rule += "; its body was cut: " + r.Detail
			w.Change = []string{"a higher `max-body`, in another `dir` or with `fresh`: what is fetched stays as it is"}
		}
	}
	return w
}

// serverPlace is the answer of the server.
func (f *Facts) serverPlace() string {
	if f.Row.IP == "" {
		return "the answer of " + string(f.URL.Host())
	}
	return "the answer of " + string(f.URL.Host()) + " at " + f.Row.IP
}
