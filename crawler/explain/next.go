package explain

import (
	"fmt"
	"time"

	"trawl/crawler"
)

// NextStory says when a URL will be asked for next, or why never.
type NextStory struct {
	Never bool      `json:"never"`       // in this job as it stands
	At    time.Time `json:"at,omitzero"` // not before; zero with Never, and when it may be asked for at once
	Text  string    `json:"text"`
}

func (f *Facts) nextStory() NextStory {
	switch {
	case f.Row == nil:
		return NextStory{Never: true, Text: "never, unless a seed or a page leads to it"}
	case f.Row.Outcome.Final():
		return NextStory{Never: true, Text: "never again in this job: " + f.Row.Outcome.String() + " is final"}
	case f.Row.Outcome == crawler.Leased:
		return f.nextLeased()
	}
	return f.nextWaiting()
}

func (f *Facts) nextLeased() NextStory {
	switch t := f.Turn; {
	case f.resting():
		return NextStory{Text: "when the job goes on"}
	case t == nil || !t.Held:
		return NextStory{Text: "as soon as a fetcher takes the turn"}
	default:
		return NextStory{Text: "in the turn that fetcher " + t.Fetcher + " works on now"}
	}
}

func (f *Facts) nextWaiting() NextStory {
	if len(f.limits()) > 0 {
		return NextStory{Never: true, Text: "not before the limit is raised"}
	}
	h := f.Host
	if h != nil && h.GivenUp != "" {
		return NextStory{Never: true, Text: "never: its host is given up, and it fails with reason " + string(h.GivenUp)}
	}
	n := NextStory{At: f.earliest()}
	switch {
	case f.resting():
		n.Text = "when the job goes on: run the same command"
	case f.Job.Paused || f.State == "paused":
		n.Text = "when the job is resumed"
	case f.State == "stopping":
		n.Text = "when the job goes on: it is stopping"
	case h != nil && h.Gone():
		n.Text = "when its host is back: one URL of it is tried at a time"
	case h != nil && h.RobotsWait:
		n.Text = "when the host that robots.txt was redirected to has answered"
	case f.Turn != nil:
		n.Text = "in a later turn of its host"
	default:
		n.Text = "in the next turn of its host that has room for it"
	}
	if n.At.After(f.Now) {
		n.Text += fmt.Sprintf(", not before %s (in %v)", n.At.UTC().Format(time.RFC3339), n.At.Sub(f.Now).Round(time.Second/10))
	}
	return n
}

// earliest is when row and host may be asked, as far as it is known now.
func (f *Facts) earliest() time.Time {
	at := f.Row.RetryAt
	if f.Host != nil {
		at = crawler.MaxTime(at, f.Host.Next)
	}
	if !at.After(f.Now) {
		return time.Time{}
	}
	return at
}

// whyWaiting names what keeps a URL waiting, the strongest first.
func (f *Facts) whyWaiting() Why {
	if ls := f.limits(); len(ls) > 0 {
		w := Why{Rule: ls[0].rule, Place: ls[0].place}
		for i, l := range ls {
			if i > 0 {
				w.Rule, w.Place = w.Rule+"; "+l.rule, w.Place+"; "+l.place
			}
			w.Change = append(w.Change, l.change+" (the same command, or trawl set while it runs)")
		}
		return w
	}
	switch f.reason() {
	case crawler.ReasonRetry:
		return f.whyRetry()
	case crawler.ReasonPaused:
		return Why{Rule: "the job is paused", Place: "trawl pause", Change: []string{"trawl resume"}}
	case crawler.ReasonCrawlDelay:
		d := f.delay()
		return Why{Rule: fmt.Sprintf("%s: %v between two requests", d.text, d.delay), Place: d.place, Change: []string{d.change}}
	}
	return f.whyHostWaits()
}

func (f *Facts) whyRetry() Why {
	r, retries := f.Row, f.Job.Job.Retry.Retries
	what := crawler.ShortText(r.Detail)
	if r.Status > 0 {
		what = fmt.Sprintf("HTTP %d, %s", r.Status, what)
	}
	return Why{
		Rule:   fmt.Sprintf("`retries` %d: %s (%s); it is tried again from %s on", retries, f.triesText(), what, r.RetryAt.UTC().Format(time.RFC3339)),
		Place:  f.place("`retries`", false),
		Change: []string{"wait, or `retries` 0 with the same command to give up at once"},
	}
}

// triesText says how many of a URL's tries are used up.
func (f *Facts) triesText() string {
	r := f.Row
	if r.Tries == 0 {
		return fmt.Sprintf("fetch %d was not taken, which costs no try", r.Attempts)
	}
	text := fmt.Sprintf("try %d of %d failed", r.Tries, f.Job.Job.Retry.Retries+1)
	if r.Spared > 0 {
		text += fmt.Sprintf("; %d fetches more were refused, or their host was away, and do not count", r.Spared)
	}
	return text
}

// whyAway says why nobody is there.
func (f *Facts) whyAway() Why {
	h := f.Host
	w := Why{
		Rule: fmt.Sprintf("its host is away since %s: %s; attempt %d failed, the next is at %s", h.AwaySince.UTC().Format(time.RFC3339),
			crawler.FaultText(h.Host, h.Away, h.AwayDetail), h.Failed, h.Next.UTC().Format(time.RFC3339)),
		Place:  "host " + string(h.Host),
		Change: []string{"wait: it is probed with one URL at a time, and costs no URL a try"},
	}
	if words, known := reasonWords[h.Away]; known {
		w.Change = append(w.Change, words.change)
	}
	if h.Answered != 0 {
		w.Rule += fmt.Sprintf("; it is given up when it has not answered for %v of the time that the crawl runs", f.Job.Job.HostPatience)
		w.Change = append(w.Change, "another `host-patience` (the same command, or trawl set while it runs)")
	} else {
		w.Rule += fmt.Sprintf("; it never answered, and is given up after %d attempts", crawler.AttemptsNever)
	}
	return w
}

// whyHostWaits names what keeps the host from being asked.
func (f *Facts) whyHostWaits() Why {
	h := f.Host
	place := "host " + string(f.URL.Host())
	switch {
	case h != nil && h.GivenUp != "":
		return Why{Rule: "its host is given up: " + h.GivenUpDetail, Place: place, Change: f.retryFailed(h.GivenUp)}
	case f.resting():
		return Why{Rule: "the job is not running", Place: "the crawl directory", Change: []string{"run the same command to go on"}}
	case h == nil:
		return Why{Rule: "it waits for a turn of its host", Place: place}
	case h.Gone():
		return f.whyAway()
	case h.RobotsWait:
		return Why{Rule: "robots.txt " + f.robotsStory().Text, Place: f.URL.RobotsURL().String()}
	case h.RobotsTries > 0:
		return Why{Rule: "robots.txt " + f.robotsStory().Text, Place: f.URL.RobotsURL().String(), Change: []string{"wait, or `ignore-robots` for sites of your own"}}
	case f.Turn != nil:
		return Why{Rule: fmt.Sprintf("a host has one turn at a time, and %d of its URLs are in it; %d wait", len(f.Turn.URLs), h.Counts[crawler.Waiting]), Place: place, Change: []string{"a shorter `delay` or a higher `per-host`, if the site may be asked faster"}}
	case h.WaitsForClock(f.Now):
		d := f.delay()
		return Why{Rule: fmt.Sprintf("%s: %v between two requests", d.text, d.delay), Place: d.place, Change: []string{d.change}}
	}
	w := Why{Rule: "its host may be asked, and it waits for a free slot of a fetcher", Place: place, Change: []string{"more `workers`, or more fetchers"}}
	if f.WaitsFor != "" {
		w.Rule += ": " + f.WaitsFor
	}
	return w
}
