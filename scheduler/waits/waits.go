package waits

import (
	"fmt"
	"math"
	"strings"
	"time"

	"trawl/crawler"
	"trawl/crawler/explain"
	"trawl/crawler/weburl"
)

// View is how a running job stands. Hosts are nil when there is none such, or its record is not at hand.
type View struct {
	Status     *crawler.Status // but for what is said here
	Job        *crawler.JobState
	Work       *crawler.Work // on the whole ledger
	Ran        time.Duration // the job's running time
	Quiet      time.Duration // that is left of it, after a restore
	QueueFull  bool          // the task queue does not take the turns that are made
	StreamFull bool          // standard output does not take the rows
	Seeded     bool          // the seeds are all read
	Stay       bool          // it stays for more seeds
	Mute       string        // which fetchers never ask, in words
	OnlyAway   bool          // nothing is left to be asked but hosts that are away

	Next    *crawler.HostState // idle, and to be asked next
	Probe   *crawler.HostState // away and being probed, while nobody else is being asked
	Slowest *crawler.HostState // being asked, and slowed the most
	Away    *crawler.HostState // one of those that are away
}

// Text names the one thing that the job waits for now, and what is wrong, if something is.
func (v *View) Text() (text, trouble string) {
	t := v.Status
	text = v.all()
	switch {
	case text != "" || t.State != "running":
		return text, ""
	case t.HostsHeld > 0:
		return v.asking()
	case t.NextDue > 0:
		return v.resting()
	case t.Waiting+t.Leased == t.Parked && !v.Seeded:
		return "the seeds are not all read yet, and there is nothing else to do", ""
	case t.Waiting+t.Leased == t.Parked && v.Stay:
		return "there is nothing to do; it stays for more seeds (trawl add)", ""
	}
	return "", ""
}

// all names what keeps from asking any host, or more hosts; "" when nothing does.
func (v *View) all() string {
	t := v.Status
	switch {
	case t.State == "paused":
		return "it is paused, and asks for nothing new until trawl resume"
	case t.State != "running":
		return ""
	case v.QueueFull:
		return "the task queue does not take the turns that are made"
	case v.StreamFull:
		return "standard output does not take the rows"
	case v.Quiet > 0:
		return fmt.Sprintf("restored from a backup: the rights of those who worked on end in %v", v.Quiet.Round(100*time.Millisecond))
	case v.Job.Careful > 0 && t.Slots > 0:
		return fmt.Sprintf("one URL is asked for at a time, since the process ended %d times and nothing was settled; %d more", v.Job.Ends, v.Job.Careful)
	case t.Slots == 0:
		return "no fetcher has joined"
	case silentFetcher(t.Fetchers) != "":
		return silentFetcher(t.Fetchers)
	case int(t.HostsHeld+t.HostsOffered) >= t.Slots:
		return fmt.Sprintf("all %d slots of the fetchers are taken", t.Slots)
	case v.Work.Pending() && t.HostsHeld == 0:
		return v.work()
	case t.HostsOffered > 0 && t.HostsHeld == 0:
		if v.Mute != "" {
			return fmt.Sprintf("%d turns are offered, and %s", t.HostsOffered, v.Mute)
		}
		return fmt.Sprintf("%d turns are offered and no fetcher takes them", t.HostsOffered)
	}
	return ""
}

// work says for people what is done to the whole ledger and how far it is, "" for nothing. Keys are hashes, so their
// first bytes tell the share.
func (v *View) work() string {
	share := func(h weburl.HostKey) int { return int(uint64(h) >> 32 * 100 >> 32) }
	switch {
	case v.Work.Recount != nil:
		return fmt.Sprintf("the hosts are counted under the changed limits, %d %% so far", share(v.Work.Recount.From))
	case len(v.Work.Retry) > 0:
		return fmt.Sprintf("failed URLs are taken up again, %d %% of the rows were looked at", share(v.Work.Retry[0].From.Host))
	}
	return ""
}

// hostTrouble says what keeps a host from being asked, or from being asked as fast as the user would like; "" when nothing does. It
// changes only when its cause does: no times are in it.
func (v *View) hostTrouble(h *crawler.HostState) string {
	switch {
	case h.Gone():
		return crawler.FaultText(h.Host, h.Away, h.AwayDetail)
	case h.RobotsTries > 0:
		return fmt.Sprintf("robots.txt of %s cannot be read (%s)", h.Host, h.RobotsDetail)
	case Slowed(h, &v.Job.Job):
		return fmt.Sprintf("%s is slowed by %d", h.Host, h.Refused)
	}
	return ""
}

// Slowed reports whether a host's back-off is what its delay comes from.
func Slowed(h *crawler.HostState, job *crawler.Job) bool {
	return h.Refused > 0 && h.Penalty > 0 && h.Penalty >= h.DelayInForce(job)
}

// asking says what goes on while hosts are being asked.
func (v *View) asking() (text, trouble string) {
	t := v.Status
	if h := v.Probe; h != nil {
		return v.awayText(h, "it is being tried"), v.hostTrouble(h)
	}
	text = fmt.Sprintf("%d hosts are being asked, each at its own pace", t.HostsHeld)
	if t.HostsHeld == 1 {
		text = "one host is being asked, at its own pace"
	}
	if h := v.Slowest; h != nil {
		text += fmt.Sprintf("; %s is slowed to %s by %d", h.Host, waitText(h.Penalty), h.Refused)
		trouble = v.hostTrouble(h)
	}
	if n := t.HostsAway; n > 0 {
		text += fmt.Sprintf("; %s", countAway(n))
		if h := v.Away; h != nil {
			text += ", " + crawler.FaultText(h.Host, h.Away, h.AwayDetail)
			if trouble == "" {
				trouble = v.hostTrouble(h)
			}
		}
	}
	return text, trouble
}

func countAway(n int64) string {
	if n == 1 {
		return "one is away"
	}
	return fmt.Sprintf("%d are away", n)
}

// resting says what is waited for while nobody is being asked.
func (v *View) resting() (text, trouble string) {
	left := waitText(v.Status.NextDue)
	next, h := "may be asked in "+left, v.Next
	if h == nil {
		return "the next host " + next, ""
	}
	trouble = v.hostTrouble(h)
	switch {
	case h.Gone():
		text = v.awayText(h, "next try in "+left)
	case h.RobotsTries > 0:
		text = fmt.Sprintf("%s, try %d of %d failed, next try in %s", trouble, h.RobotsTries, v.Job.Job.Robots.Tries, left)
	case Slowed(h, &v.Job.Job):
		text = fmt.Sprintf("%s is slowed to %s by %d, and %s", h.Host, waitText(h.Penalty), h.Refused, next)
	case h.Ready() <= 0 && h.Errands == 0 && h.Retry > 0:
		text = fmt.Sprintf("a URL of %s that failed is tried again in %s", h.Host, left)
	default:
		text = "the next host, " + string(h.Host) + ", " + next
	}
	return text, trouble
}

// awayText tells of a host that is away, what comes next, and until when it is waited for.
func (v *View) awayText(h *crawler.HostState, next string) string {
	b := strings.Builder{}
	switch n := v.Status.HostsAway; {
	case v.OnlyAway && n > 1:
		fmt.Fprintf(&b, "only hosts that are away are left, %d of them: ", n)
	case v.OnlyAway:
		b.WriteString("only a host that is away is left: ")
	case n > 1:
		fmt.Fprintf(&b, "%d hosts are away: ", n)
	}
	fmt.Fprintf(&b, "%s, %s", crawler.FaultText(h.Host, h.Away, h.AwayDetail), next)
	if h.Answered == 0 {
		fmt.Fprintf(&b, ", attempt %d of %d failed", h.Failed, crawler.AttemptsNever)
		if advice := explain.Advice(h.Away); advice != "" {
			fmt.Fprintf(&b, " (%s)", advice)
		}
		return b.String()
	}
	if left := v.Job.Job.HostPatience - (v.Ran - h.AnsweredAt); left > 0 {
		fmt.Fprintf(&b, ", given up in %s unless it answers", waitText(left))
	} else {
		b.WriteString(", given up if that fails, too")
	}
	return b.String()
}

// waitText writes how long something takes, as people say it.
func waitText(d time.Duration) string {
	switch {
	case d < 950*time.Millisecond:
		return fmt.Sprintf("%.1f s", max(d, 100*time.Millisecond).Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(math.Round(d.Seconds())))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(math.Round(d.Minutes())))
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

// silentFetcher names a fetcher whose network is away, "" when there is none.
func silentFetcher(all []crawler.FetcherStatus) string {
	for i := range all {
		if text := all[i].SilentText(); text != "" {
			return "fetcher " + all[i].Name + " " + text
		}
	}
	return ""
}
