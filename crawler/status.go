package crawler

import (
	"fmt"
	"time"
)

// Status is a snapshot of a running job, the one type that status, logs, the live view and metrics read. A field
// is a figure that somebody reads.
type Status struct {
	Job            string           `json:"job"`
	Kind           Kind             `json:"kind"`
	State          string           `json:"state"` // running, paused, stopping, done
	Elapsed        time.Duration    `json:"elapsed_ns"`
	Finished       time.Time        `json:"finished,omitzero"` // when the job was found done; zero while it goes on
	Seen           int64            `json:"seen"`
	Waiting        int64            `json:"waiting"`
	Leased         int64            `json:"leased"`
	Fetched        int64            `json:"fetched"`
	Redirected     int64            `json:"redirected"`
	Unchanged      int64            `json:"unchanged"`
	Failed         int64            `json:"failed"`
	Excluded       int64            `json:"excluded"`
	Parked         int64            `json:"beyond_limit"` // of waiting
	Reasons        map[Reason]int64 `json:"reasons,omitempty"`
	Dropped        map[string]int64 `json:"not_admitted,omitempty"`
	Bounds         map[string]int64 `json:"limits_hit,omitempty"`
	Bytes          int64            `json:"bytes"`
	Requests       int64            `json:"requests"`
	Hosts          int64            `json:"hosts"`
	HostsHeld      int64            `json:"hosts_held"`       // with a held turn
	HostsOffered   int64            `json:"hosts_offered"`    // with a turn nobody took yet
	HostsDue       int64            `json:"hosts_due"`        // may be asked now, without a turn; of more than 65,536 such hosts, those in memory
	HostsAway      int64            `json:"hosts_away"`       // no connection to them, or no answer: one URL of each probes
	NextDue        time.Duration    `json:"next_due_ns"`      // until the next host is due, 0 when one is or none waits
	PagesPerSecond float64          `json:"pages_per_second"` // fetched, over the last seconds
	BytesPerSecond float64          `json:"bytes_per_second"`
	LateParts      int64            `json:"late_parts"`
	Lapses         int64            `json:"lapsed_turns"`
	Slots          int              `json:"slots"`
	Fetchers       []FetcherStatus  `json:"fetchers,omitempty"`
	WaitsFor       string           `json:"waits_for,omitempty"`      // why it is not faster, one line
	Trouble        string           `json:"trouble,omitempty"`        // what is wrong in it, without times: it changes with its cause
	LastBackup     time.Time        `json:"last_backup,omitzero"`     // the newest timed one that succeeded, since the start
	BackupProblem  string           `json:"backup_problem,omitempty"` // why the newest timed one failed
	QueueReplicas  int              `json:"queue_replicas,omitempty"` // copies that foreign NATS servers keep of each queue; 0 = the queue is our own
}

// StatusOf is what the ledger knows of a job's status; the rest is for whoever runs it. It shares the maps of the tallies.
func StatusOf(j *Job, t *Tallies) Status {
	n := &t.Counts
	return Status{
		Job: j.Name, Kind: j.Kind,
		Seen: t.Seen(), Waiting: n[Waiting], Leased: n[Leased], Fetched: n[Fetched],
		Redirected: n[Redirected], Unchanged: n[Unchanged], Failed: n[Failed], Excluded: n[Excluded],
		Parked: j.Parked(t), Reasons: t.Reasons, Dropped: t.Dropped, Bounds: t.Bounds,
		Bytes: t.Bytes, Requests: t.Requests, Hosts: t.Hosts, HostsAway: t.Away, LateParts: t.LateParts, Lapses: t.Lapses,
	}
}

// SilentText says that a fetcher's network is away, "" when it is not.
func (f *FetcherStatus) SilentText() string {
	if f.Silent <= 0 {
		return ""
	}
	return fmt.Sprintf("hears nothing from outside since %v; it judges nobody and tries one host at a time", f.Silent.Round(time.Second))
}

// FetcherStatus is a fetcher as the scheduler sees it.
type FetcherStatus struct {
	Name  string `json:"name"`
	Slots int    `json:"slots"`
	Turns int    `json:"turns"` // held now
	Pages int64  `json:"pages"` // settled since this scheduler started
	// Silent is for how long nothing has come to the fetcher from outside, while its network counts as away: it then judges
	// nobody and tries one host at a time. 0 while it hears something.
	Silent time.Duration `json:"silent_ns,omitempty"`
}
