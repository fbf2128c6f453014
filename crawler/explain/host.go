package explain

import (
	"fmt"
	"time"

	"trawl/crawler"
	"trawl/crawler/robots"
	"trawl/crawler/weburl"
)

// ScopeStory is the scope's decision, worked out again: of a link to a page, and of a link to a requisite.
type ScopeStory struct {
	Page      ScopeDecision       `json:"page"`
	Requisite ScopeDecision       `json:"requisite"`
	Opened    []crawler.ScopeSeed `json:"opened_by,omitempty"` // seeds that cover it
	Note      string              `json:"note,omitempty"`
}

// ScopeDecision is a [crawler.Decision], for people.
type ScopeDecision struct {
	In   bool   `json:"in"`
	Drop string `json:"drop,omitempty"` // why not, one of the Drop words
	Rule string `json:"rule"`
}

func (f *Facts) scopeStory() ScopeStory {
	s, err := crawler.NewScope(&f.Job.Job)
	if err != nil {
		return ScopeStory{Note: err.Error()} // of a job that was validated: does not happen
	}
	for _, seed := range f.Opened {
		s.Add(seed)
	}
	page, requisite := s.Decide(f.URL, crawler.LinkPage), s.Decide(f.URL, crawler.LinkRequisite)
	story := ScopeStory{Page: ScopeDecision(page), Requisite: ScopeDecision(requisite), Opened: f.Opened}
	switch {
	case f.Row != nil && f.Row.IsSeed:
		story.Note = "it is a seed or where a seed's redirects lead: seeds belong whatever `scope` and `include` say"
	case f.Row != nil && f.Job.Job.Kind == crawler.Download:
		story.Note = "the job fetches what is listed, and where that redirects to"
	}
	return story
}

// why says why a URL does not belong.
func (d ScopeDecision) why(f *Facts) Why {
	w := Why{Rule: d.Rule, Place: f.place("`scope`", false)}
	const elsewhere = ", in another `dir`: another scope is another job"
	switch d.Drop {
	case crawler.DropScope:
		w.Rule = d.Rule + ": no seed opens it"
		w.Change = []string{"give it as a seed, which opens the scope for it", "`scope` domain or `scope` any" + elsewhere}
	case crawler.DropExclude:
		w.Place, w.Change = f.place("`exclude`", false), []string{"leave out this `exclude`" + elsewhere}
	case crawler.DropInclude:
		w.Place = f.place("`include`", false)
		w.Change = []string{"give it as a seed: `include` does not count for seeds", "another `include`" + elsewhere}
	case crawler.DropRequisite:
		w.Place, w.Change = f.place("`requisites`", false), []string{"`requisites` scope or all" + elsewhere}
	case crawler.DropTooLong:
		w.Place = "a limit of trawl's own"
	}
	return w
}

// RobotsStory is what the host's robots.txt says of the URL.
type RobotsStory struct {
	URL     string    `json:"url"`
	Status  string    `json:"status"` // ignored, unread, rules, unavailable, unreachable or elsewhere
	Allowed bool      `json:"allowed"`
	Line    int       `json:"line,omitempty"` // of the rule that decided, 0 when none matched
	Rule    string    `json:"rule,omitempty"` // the line as written
	HTTP    int       `json:"http,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	Fetched time.Time `json:"fetched,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	Tries   int       `json:"tries,omitempty"` // of an unreachable one, in a row
	Text    string    `json:"text"`            // all of it in a line
}

func (f *Facts) robotsStory() RobotsStory {
	s := RobotsStory{URL: f.URL.RobotsURL().String()}
	settings := f.Job.Job.For(f.URL.Host())
	if settings.IgnoreRobots {
		s.Status, s.Allowed, s.Text = "ignored", true, "is not asked for: "+f.ignoreRobots()
		return s
	}
	file := f.robotsFile()
	if file == nil {
		s.Status, s.Allowed, s.Text = "unread", true, "was not read yet; it is, before the first request"
		return s
	}
	s.HTTP, s.Detail, s.Fetched, s.Expires = file.HTTP, file.Detail, file.Fetched, file.Expires
	switch file.Status {
	case crawler.RobotsRules:
		f.robotsRules(&s, file)
	case crawler.RobotsUnavailable:
		s.Status, s.Allowed = "unavailable", true
		s.Text = "there is none (" + answerOf(file) + "), so everything is allowed (RFC 9309 section 2.3.1.3)"
	case crawler.RobotsUnreachable:
		s.Status = "unreachable"
		if f.Host != nil {
			s.Tries = f.Host.RobotsTries
		}
		s.Text = fmt.Sprintf("could not be read (%s), so nothing may be asked for (RFC 9309 section 2.3.1.4); try %d of %d failed", answerOf(file), s.Tries, f.Job.Job.Robots.Tries)
	case crawler.RobotsElsewhere:
		s.Status = "elsewhere"
		s.Text = fmt.Sprintf("was redirected to %s, which is asked first", file.Hop.URL)
	}
	if file.UsedOn != "" {
		s.Text += "; it ran out, and is used on while it cannot be read again (" + crawler.ShortText(file.UsedOn) + "; RFC 9309 section 2.4)"
	}
	if !s.Expires.IsZero() && s.Allowed && !f.Now.Before(s.Expires) {
		s.Text += "; it has expired and is read again before the next request"
	}
	return s
}

func (f *Facts) robotsRules(s *RobotsStory, file *crawler.HostRobots) {
	rule := robots.Parse(file.Body, crawler.ProductToken(f.Job.Job.UserAgent)).Allowed(f.URL.RequestURI())
	s.Status, s.Allowed, s.Line, s.Rule = "rules", rule.Allowed, rule.Line, rule.Text
	word := "allows"
	if !rule.Allowed {
		word = "disallows"
	}
	switch {
	case rule.Line > 0:
		s.Text = fmt.Sprintf("%s it, line %d: %s", word, rule.Line, crawler.ShortText(rule.Text))
	default:
		s.Text = word + " it: no rule matches"
	}
	if file.Truncated {
		s.Text += fmt.Sprintf("; the file was read up to %d bytes", f.Job.Job.Fetch.Robots)
	}
}

func answerOf(file *crawler.HostRobots) string {
	switch {
	case file.HTTP == 0 || file.HTTP < 300:
		return crawler.ShortText(file.Detail)
	case file.Detail == "":
		return fmt.Sprintf("HTTP %d", file.HTTP)
	}
	return fmt.Sprintf("HTTP %d, %s", file.HTTP, crawler.ShortText(file.Detail))
}

// robotsFile is the file for the URL's scheme, nil when there is none.
func (f *Facts) robotsFile() *crawler.HostRobots {
	for i := range f.Robots {
		if f.Robots[i].Scheme == f.URL.Scheme() && f.Robots[i].Status != crawler.RobotsNone {
			return &f.Robots[i]
		}
	}
	return nil
}

func (f *Facts) ignoreRobots() string {
	if r := f.Job.Job.RuleOf(f.URL.Host()); r != nil && r.IgnoreRobots != nil {
		return "ignore-robots in " + rulePlace(r)
	}
	return "`ignore-robots`"
}

// HostStory is the state of the URL's host.
type HostStory struct {
	Host          weburl.Host      `json:"host"`
	Counts        map[string]int64 `json:"counts"` // its URLs by outcome
	Retry         int64            `json:"wait_for_retry"`
	Parked        int64            `json:"beyond_limit"`
	Next          time.Time        `json:"next,omitzero"` // may not be asked before; zero: at once
	Delay         time.Duration    `json:"delay_ns"`      // between two requests
	DelayBecause  string           `json:"delay_because"`
	CrawlDelay    time.Duration    `json:"crawl_delay_ns,omitempty"` // as robots.txt says
	CrawlCapped   bool             `json:"crawl_delay_capped,omitempty"`
	Penalty       time.Duration    `json:"back_off_ns,omitempty"`
	Rule          string           `json:"host_rule,omitempty"` // entry of the configuration that covers it
	Turn          *TurnStory       `json:"turn"`                // null when the host is idle
	Away          crawler.Reason   `json:"away,omitempty"`
	AwayDetail    string           `json:"away_detail,omitempty"`
	AwaySince     time.Time        `json:"away_since,omitzero"`
	Failed        int              `json:"attempts_failed,omitempty"` // in a row, while it is away
	GivenUp       crawler.Reason   `json:"given_up,omitempty"`
	GivenUpDetail string           `json:"given_up_detail,omitempty"`
}

// TurnStory is the current turn at the host.
type TurnStory struct {
	ID      string `json:"id"`
	State   string `json:"state"` // offered or held
	Fetcher string `json:"fetcher,omitempty"`
	URLs    int    `json:"urls"`          // still leased
	Part    int    `json:"parts_settled"` // of its report
}

func (f *Facts) hostStory() HostStory {
	h, d := f.Host, f.delay()
	s := HostStory{
		Host: h.Host, Counts: make(map[string]int64), Retry: h.Retry, Parked: h.Parked, Next: h.Next,
		Delay: d.delay, DelayBecause: d.text, CrawlDelay: h.CrawlDelay, CrawlCapped: h.CrawlDelay > f.Job.Job.MaxCrawl,
		Penalty: h.Penalty, Away: h.Away, AwayDetail: h.AwayDetail, AwaySince: h.AwaySince, Failed: h.Failed, GivenUp: h.GivenUp, GivenUpDetail: h.GivenUpDetail,
	}
	for o, n := range h.Counts {
		if n > 0 {
			s.Counts[crawler.Outcome(o).String()] = n
		}
	}
	if r := f.Job.Job.RuleOf(h.Host); r != nil {
		s.Rule = r.Match
	}
	if t := f.Turn; t != nil {
		s.Turn = &TurnStory{ID: t.ID.String(), State: "offered", Fetcher: t.Fetcher, URLs: len(t.URLs), Part: t.Part}
		if t.Held {
			s.Turn.State = "held"
		}
	}
	return s
}

// delayStory is the current delay with what it comes from.
type delayStory struct {
	delay               time.Duration
	text, place, change string
}

func (f *Facts) delay() delayStory {
	j, h := &f.Job.Job, f.host()
	delay, why := h.Delay(j)
	switch why {
	case crawler.DelayRobots:
		text := "Crawl-delay of robots.txt"
		if h.CrawlDelay > j.MaxCrawl {
			text = fmt.Sprintf("Crawl-delay of robots.txt, which asks for %v; it counts up to %v", h.CrawlDelay, j.MaxCrawl)
		}
		return delayStory{delay, text, f.URL.RobotsURL().String(), "`ignore-robots`, for sites of your own"}
	case crawler.DelayBackOff:
		return delayStory{delay, backoffText(h), "the answers of " + string(h.Host), "a longer `delay`, so that the server need not ask for it"}
	}
	d := delayStory{delay, "`delay`", f.place("`delay`", f.Job.Given.Delay != j.Delay), "a shorter `delay`"}
	if rule := j.RuleOf(h.Host); rule != nil && rule.Delay != nil {
		d.text, d.place = "delay of the host rule "+rule.Match, rulePlace(rule)
	}
	return d
}

func backoffText(h *crawler.HostState) string {
	if h.Refused == 0 {
		return "back-off after answers of 429 or 503"
	}
	return fmt.Sprintf("back-off after answers of %d", h.Refused)
}

func rulePlace(r *crawler.HostRule) string {
	return "hosts: " + r.Match + ", in the configuration (`config`)"
}
