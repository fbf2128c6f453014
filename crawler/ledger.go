package crawler

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// HostState is what the ledger keeps of a host. Robots files and the active turn are records of their
// own, so that this one stays small: it is written whenever a part of the host is settled. It is one record, read and written whole.
type HostState struct {
	Host weburl.Host

	Next  time.Time // may next be asked at
	Asked bool      // a turn of it was ever granted
	// Turned is when it was due for its newest turn, and Depth the least depth that waits, as far as is known: what its
	// place among the hosts that are due is made from, see Rank.
	Turned time.Time
	Depth  int
	Turn   TurnID // in force, zero when idle

	Counts  [outcomes]int64 // its URLs by outcome; Waiting and Leased apart
	Retry   int64           // rows that wait for another try (leased ones too: a lease does not change its row)
	Deep    int64           // waiting rows deeper than the job's limit; they are never leased
	Parked  int64           // of Waiting, those beyond a limit of the user's
	RetryAt time.Time       // no retry is due earlier

	Away       Reason        // set while the host is away: why there is no connection, or no answer; "" = it is there
	AwayDetail string        // of the newest failure
	AwaySince  time.Time     // the failure that made it away
	Failed     int           // attempts to reach it in a row that failed, while it is away
	Silent     Streak        // tries without an answer since the last other answer, while it is not away
	Answered   SchemeSet     // that it has answered by in this job
	AnsweredAt time.Duration // the job's running time ([LedgerState.Ran]) when it answered last
	Refused    int           // status of the newest answer that asked for less, while there is a back-off

	GivenUp       Reason // set when the host is given up: its waiting URLs fail with it
	GivenUpDetail string

	CrawlDelay time.Duration // as robots.txt says, before the cap
	Penalty    time.Duration // current back-off
	MeanTime   time.Duration // of an exchange

	RobotsTries  int    // of an unreachable robots.txt, in a row
	RobotsDetail string // why the newest of them failed
	RobotsWait   bool   // waits for an errand at another host
	Errands      int    // of other hosts, waiting here: one for each host and scheme that waits
	Handing      int    // robots answers that not all hosts were given that waited for them
	ErrandsLast  bool   // the newest turn was one of errands: the next is for its own URLs, where some are ready

	Addresses   []string
	AddressesTo time.Time
	Seeds       session.Schemes     // by which seeds spell the host; where redirects led does not count
	Credentials session.Credentials // of its seeds
}

// Ready is the number of URLs of an idle host that may be asked for now, as far as its clock allows.
func (h *HostState) Ready() int64 { return h.Counts[Waiting] - h.Retry - h.Parked }

// SchemeSet is a set of http (1) and https (2).
type SchemeSet uint8

// Has reports whether the scheme is in the set.
func (s SchemeSet) Has(scheme string) bool { return s&schemeBit(scheme) != 0 }

// With is the set with the scheme.
func (s SchemeSet) With(scheme string) SchemeSet { return s | schemeBit(scheme) }

func schemeBit(scheme string) SchemeSet {
	if scheme == "https" {
		return 2
	}
	return 1
}

// Gone reports whether the host is away and not given up: its URLs wait, and one of them probes.
func (h *HostState) Gone() bool { return h.Away != "" && h.GivenUp == "" }

// Back forgets that the host was away.
func (h *HostState) Back() {
	h.Away, h.AwayDetail, h.AwaySince, h.Failed, h.Silent = "", "", time.Time{}, 0, nil
}

// Idle reports whether nothing of the host is left to be done.
func (h *HostState) Idle() bool { return h.Counts[Waiting]+h.Counts[Leased] == 0 && h.Errands == 0 }

// Park recomputes Parked under the job's limits: all that wait when the host has its share of pages, else
// those that are too deep.
func (h *HostState) Park(j *Job) {
	h.Parked = h.Deep
	if j.FullAt(h) {
		h.Parked = h.Counts[Waiting]
	}
}

// Due reports when the frontier should look at the host, false when there is nothing to do for it: it is
// held, waits for another host, or has no URL that may be asked for.
func (h *HostState) Due() (time.Time, bool) {
	switch {
	case !h.Turn.IsZero():
		return time.Time{}, false
	case h.Handing > 0:
		return time.Time{}, true // at once: nobody is asked for it
	case h.GivenUp != "":
		return time.Time{}, h.Counts[Waiting] > 0 || h.Errands > 0 // at once: they are to fail
	case h.Errands > 0: // served also while its own robots.txt waits for another host: two may wait for each other
		return h.Next, true
	case h.RobotsWait:
		return time.Time{}, false
	case h.Ready() > 0:
		return h.Next, true
	case h.Counts[Waiting] > h.Parked: // a retry waits, since nothing else is ready
		return MaxTime(h.Next, h.RetryAt), true
	}
	return time.Time{}, false
}

func MaxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// TurnState is an active turn: offered, or held by a holder. URLs lists those that are leased to it.
type TurnState struct {
	ID      TurnID
	Host    weburl.Host
	URLs    []uint64 // URL hashes (URLKey.URL), in the order offered
	Errands []RobotsHop
	Probe   bool // of a host that was away: one URL, and no more
	Held    bool
	Holder  HolderID
	Fetcher string
	Part    int // number of the last part settled
}

// Take removes a URL from the turn and reports whether it was leased to it.
func (t *TurnState) Take(url uint64) bool {
	i := slices.Index(t.URLs, url)
	if i < 0 {
		return false
	}
	t.URLs = slices.Delete(t.URLs, i, i+1)
	return true
}

// RobotsStatus says what a robots.txt amounts to (RFC 9309 section 2.3.1).
type RobotsStatus uint8

const (
	// RobotsNone: no file was asked for yet.
	RobotsNone RobotsStatus = iota
	// RobotsRules: a 2xx; the body holds the rules.
	RobotsRules
	// RobotsUnavailable: a 4xx other than 429, or too many hops; everything is allowed.
	RobotsUnavailable
	// RobotsUnreachable: 429, 5xx or a network error; everything is disallowed until it is reached.
	RobotsUnreachable
	// RobotsElsewhere: redirected to another host; an errand is under way.
	RobotsElsewhere
)

// RobotsFile is a host's robots.txt for one scheme, as read.
type RobotsFile struct {
	Scheme    string // "http" or "https"
	Status    RobotsStatus
	HTTP      int // status of the last hop
	Body      []byte
	Truncated bool          // cut at [FetchLimits.Robots]
	TTL       time.Duration // how long it may still be used, from the receiving
	Detail    string        // why it is unreachable, or what was odd
	Fault     Reason        // why there was no connection; then it says something of the host, and nothing of robots.txt
	Archive   Locator
	Hop       RobotsHop // with RobotsElsewhere: the errand to be run
}

// HostRobots is a robots file in the ledger.
type HostRobots struct {
	RobotsFile
	Fetched time.Time
	Expires time.Time
	UsedOn  string // why it is used beyond its time: it could not be read again; "" = it is not
}

// Tallies are the job's counts, kept in the same batches as the rows they count.
type Tallies struct {
	Counts    [outcomes]int64  // URLs by outcome
	Parked    int64            // of Waiting, those beyond a limit
	Reasons   map[Reason]int64 // of Failed and Excluded
	Bytes     int64            // decoded bytes of final rows
	Requests  int64            // sent, as reported
	Hosts     int64            // with at least one row
	Away      int64            // hosts that are away ([HostState.Gone])
	Dropped   map[string]int64 // what was seen and not admitted, by reason: scope, too long, not http, …
	LateParts int64            // parts dropped because their turn was over or one was missing
	Lapses    int64            // turns that lapsed
	Bounds    map[string]int64 // limits that were hit, by name
}

// Seen is the number of rows.
func (t *Tallies) Seen() int64 {
	var n int64
	for _, c := range t.Counts {
		n += c
	}
	return n
}

// Clone copies the tallies with their maps.
func (t *Tallies) Clone() Tallies {
	c := *t
	c.Reasons, c.Dropped, c.Bounds = cloneMap(t.Reasons), cloneMap(t.Dropped), cloneMap(t.Bounds)
	return c
}

func cloneMap[K comparable](m map[K]int64) map[K]int64 {
	c := make(map[K]int64, len(m))
	maps.Copy(c, m)
	return c
}

// RowChange is a row's old and new value; Old is nil for an admission. The ledger keeps the row's queue
// entry in step: a row has one exactly while its outcome is Waiting (leased ones keep theirs).
type RowChange struct{ Old, New *Row }

// HostChange is a host's old and new value; Old is nil for a new host. The ledger keeps the host's entry
// in the order of due hosts in step with [HostState.Due].
type HostChange struct{ Old, New *HostState }

// Changes is one atomic change of the ledger: admit, offer, grant, settle and lapse all end in one, as do changes of the job, work
// on the whole ledger (recounts, retries of what failed) and repairs. It is
// applied whole and synced, or not at all. It has a field for each kind of record that may change.
type Changes struct {
	Now        time.Time // the scheduler's clock; stored, so that no later life starts before it
	Rows       []RowChange
	Hosts      []HostChange
	Turns      []TurnState   // put
	EndTurns   []weburl.Host // whose turn is over
	Robots     []RobotsChange
	Domains    []session.DomainState // put; one without anything is removed
	Errands    []RobotsHop           // put, at the host of their URL
	EndErrands []RobotsHop
	Answers    []HopAnswer   // put
	Scope      []ScopeSeed   // added
	Tallies    *Tallies      // nil = unchanged
	Position   uint64        // of the result queue, settled up to here; 0 = unchanged
	Sequence   uint64        // last row sequence used; 0 = unchanged
	State      *JobState     // nil = unchanged
	Work       *Work         // nil = unchanged
	Owed       []OwedRow     // put; rows that the reader of the stream has still to get
	Delivered  uint64        // owed rows up to this number were delivered; 0 = none
	Quiet      time.Time     // of a restored ledger, see LedgerState; zero = unchanged. With it Recall ends
	Ran        time.Duration // see LedgerState; 0 = unchanged
	Names      NameChanges
}

// Empty reports whether there is nothing to apply.
func (c *Changes) Empty() bool {
	return len(c.Rows)+len(c.Hosts)+len(c.Turns)+len(c.EndTurns)+len(c.Robots)+len(c.Domains)+len(c.Errands)+len(c.EndErrands)+len(c.Answers)+len(c.Scope)+len(c.Owed) == 0 &&
		c.Delivered == 0 && c.Tallies == nil && c.Position == 0 && c.Sequence == 0 && c.State == nil && c.Work == nil && c.Quiet.IsZero() && c.Names.Empty() && c.Ran == 0
}

// OwedRow is a row that became final while somebody read along (an export to standard output), and was not
// delivered yet. Numbers rise in the order in which rows became final, without gaps, from 1.
type OwedRow struct {
	Number uint64
	Key    weburl.URLKey
}

// OwedRange are the numbers of the owed rows; both zero when there is none.
type OwedRange struct{ First, Last uint64 }

// RobotsChange puts a host's robots file for its scheme.
type RobotsChange struct {
	Host weburl.Host
	File HostRobots
}

// JobState is where a job stands, with the current settings.
type JobState struct {
	Job      Job // in force
	Given    Job // as the command that runs it says; Job differs where a [Change] came since
	Paused   bool
	LogLevel string    // set while it ran, "" = as the command says
	Finished time.Time // zero while it goes on
	Names    *NameRule // which names of files are one; nil = it was not looked at yet
	Seeded   bool      // the seeds given at the start were all admitted
	Running  bool      // a process has the job; still so at a start: that process ended without a word
	Ends     int       // how often in a row it ended so, with no result settled in between
	Careful  int       // so many URLs are still to be asked for one at a time
	Private  uint64    `json:",omitempty"` // digest of the cookies and logins that the user gave last
	RightsTo time.Time // rights that were given under a longer lease than the job's have ended by then, with grace; zero = none were
}

// LedgerState is what a scheduler reads at its start.
type LedgerState struct {
	Life      Life
	Fresh     bool // nothing was ever written
	Clock     time.Time
	Position  uint64
	Sequence  uint64
	Ran       time.Duration // how long the job has run: time that counts against the patience with hosts
	Tallies   Tallies
	State     JobState
	Work      Work
	Turns     []TurnState
	Scope     []uint64  // keys of the seeds that opened the scope, MaxScopeSeeds of them
	ScopeMore bool      // there are more
	Owed      OwedRange // rows to be delivered before others

	// Origin is the first life of this crawl: Life, unless the ledger was restored from a copy. Restored is when it was
	// restored last, zero for never; of two ledgers with one origin the one restored later goes on.
	Origin   Life
	Restored time.Time
	// Recall says that nobody scheduled the ledger since it was restored: its turns were given by another life, and
	// are to be ended before anything else.
	Recall bool
	// Quiet is when the rights have ended that the other life gave, by lease and grace, also those that the copy does
	// not know of: no host is asked before Quiet + delay. Zero in a ledger that was never restored.
	Quiet time.Time
}

// DueHost is an entry of the order of hosts.
type DueHost struct {
	Due  time.Time
	Rank Rank // see [HostState.Rank]
	Host weburl.Host
}

// String says who has the turn.
func (t *TurnState) String() string {
	n := fmt.Sprintf("a turn of %d URLs of %s", len(t.URLs), t.Host)
	if !t.Held {
		return "it is in " + n + " that is offered, and no fetcher has taken it yet"
	}
	return "it is in " + n + " that fetcher " + t.Fetcher + " works on"
}
