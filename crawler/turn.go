package crawler

import (
	"encoding/hex"
	"time"

	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// TurnID, HolderID and Life are 16 random bytes, never reused, compared for equality only. The zero value
// means none.
type (
	// TurnID names a turn.
	TurnID [16]byte
	// HolderID names one take of a turn by a fetcher: each take of a message draws a new one.
	HolderID [16]byte
	// Life names one life of a ledger; a restored ledger gets a new one.
	Life [16]byte
)

func (t TurnID) String() string   { return hex.EncodeToString(t[:]) }
func (h HolderID) String() string { return hex.EncodeToString(h[:]) }
func (l Life) String() string     { return hex.EncodeToString(l[:]) }

// IsZero reports whether there is no turn.
func (t TurnID) IsZero() bool { return t == TurnID{} }

// Limits of a turn and a part; docs/decisions/protocol.md says why.
const (
	// MaxTurnURLs is the most URLs a turn may have.
	MaxTurnURLs = 500
	// MaxTaskBytes is the largest task message, in bytes.
	MaxTaskBytes = 256 << 10
	// MaxPartBytes is the largest part of a report, in bytes on the wire.
	MaxPartBytes = 512 << 10
	// MaxRetryAfter caps what a server may ask for.
	MaxRetryAfter = time.Hour
	// MaxTurnWait: a turn whose next request is further away than this ends early.
	MaxTurnWait = 10 * time.Second
	// MaxTurnSpan is how long a turn is topped up, from its grant. Then it ends, and others may have the host: fetchers that came
	// later, and settings that count from a grant on.
	MaxTurnSpan = 30 * time.Second
	// PartInterval is the longest time a result waits in a fetcher before its part is sent.
	PartInterval = 2 * time.Second
)

// TaskURL is a URL to be fetched, with what the fetcher must know about it.
type TaskURL struct {
	URL       weburl.URL
	Depth     int
	Redirects int    // redirects followed up to this URL
	Name      string // download: path below files/, "" for the one made from the URL
	Requisite bool
	Via       weburl.URL // the page that led here, for the Referer field; zero = none
}

// RobotsHop is an errand: the next hop of another host's robots.txt, to be asked of this turn's host.
type RobotsHop struct {
	For    weburl.Host // whose rules are looked for
	Scheme string      // of For's robots.txt, "http" or "https"
	URL    weburl.URL  // at the turn's host
	Count  int         // hops followed so far, this one included
}

// Task is a turn as it travels on the task queue. It gives no right: the taker asks for it ([Ask]).
// The same task may come twice, late or never.
type Task struct {
	Turn    TurnID
	Host    weburl.Host
	URLs    []TaskURL
	Errands []RobotsHop // done before the URLs
}

// Ask is a fetcher's question for a turn: the first one asks for the grant, later ones renew it.
type Ask struct {
	Turn    TurnID
	Holder  HolderID
	Host    weburl.Host
	Fetcher string // name of the asking member
	Renewal bool   // the asker has had an answer already: what it was told of the host may be left out
	More    bool   // further URLs are wanted: those the asker has last less than the answer may take
	Part    int    // number of the last part that the asker has stored; with More the answer waits for it, for a moment
}

// Verdict answers an ask.
type Verdict uint8

const (
	// Refused: the turn is not the asker's; drop it and everything found in it.
	Refused Verdict = iota
	// Granted: the asker may work on the turn for Lease, counted from its asking.
	Granted
	// Over: refused, because the job is done; nothing more will come.
	Over
)

// Answer is the scheduler's reply to an ask. Only Verdict and Life are set unless it is Granted.
type Answer struct {
	Verdict Verdict
	Life    Life

	Lease       time.Duration // from the asking
	Wait        time.Duration // until the host's next request, from the receiving
	Delay       time.Duration // least time between two requests, as set by user, Crawl-delay and back-off
	Penalty     time.Duration // the part of Delay that back-off asked for; 0 when the host is well
	Connections int           // lanes allowed
	Stop        bool          // end the turn now: send the last part
	Settled     int           // number of the last part settled
	ScopeEpoch  uint64        // changes when the fetcher's copy of the scope is out of date

	Robots      []RobotsFile // current rules; a scheme without one must be fetched first
	Validators  []Validator
	Cookies     []session.CookieChange // those that may go to the host, in the order in which they were first set
	Addresses   []string               // resolved addresses that are still fresh
	Seeds       session.Schemes        // by which seeds spell the host, with or without www.
	Credentials session.Credentials    // of seeds and logins for this host
	More        []TaskURL              // leased to the turn from now on; the asker may be lost before it hears of them, then they wait until the turn ends
	Tops        bool                   // asks for more may bring more; without it a turn ends with the URLs that it has
	Rest        bool                   // URLs of the host wait beside those that the turn has
}

// Validator is what is known of a URL that was fetched before.
type Validator struct {
	URL          weburl.URL
	ETag         string
	LastModified string
}

// Part is one part of a turn's report. Parts are numbered from 1 without gaps; each is stored before the
// next is sent, and bodies are durable before the part that names them.
type Part struct {
	Turn    TurnID
	Holder  HolderID
	Host    weburl.Host
	Life    Life
	Fetcher string
	Number  int
	End     bool // the last part: the host is idle after it

	Results []Result
	Links   []PageLinks
	State   HostReport
	Wait    time.Duration // until the host's next request, from the sending
}

// HostReport is what a fetcher learned about a host since its last part. Zero fields say nothing new.
type HostReport struct {
	Robots     []RobotsFile   // fetched in this turn
	Hops       []RobotsAnswer // errands done in this turn
	Requests   int            // requests sent, robots.txt included
	PenaltySet bool           // Penalty is meant, also when 0
	Penalty    time.Duration  // current back-off
	MeanTime   time.Duration  // mean time of an exchange, for sizing turns
	Addresses  []string
	Cookies    []session.CookieChange // set and taken back, in order; with or before the links and results of the pages that did it
	Dropped    map[string]int64       // links that were not worth sending, by reason (the Drop words)
	Bounds     map[string]int64       // limits that were hit, by name
}

// RobotsAnswer is how an errand ended: a file, or the next hop.
type RobotsAnswer struct {
	Hop  RobotsHop
	File RobotsFile // meant when Next is zero
	Next weburl.URL // where it was redirected to
}

// Delivery is a task as the task queue hands it out. Ack is called once, as soon as the ask for it is
// answered, whatever the answer; a task that is never acked comes again, here or elsewhere. Ack does not
// block and may be lost.
type Delivery struct {
	Task Task
	Ack  func()
}

// LoggedPart is a part as the result log hands it out: in order, each with its position. Err is set, and
// Part empty, for an entry that cannot be decoded: it is passed over and counted.
type LoggedPart struct {
	Position uint64
	Part     Part
	Err      error
}

// JobNotice is what a fetcher must know of a job before it works for it.
type JobNotice struct {
	Job        Job
	Life       Life
	Done       bool
	ScopeEpoch uint64   // of ScopeKeys
	ScopeKeys  []uint64 // keys of the scope's seeds ([Scope.AddKey])
	ScopeWhole bool     // ScopeKeys is complete: links out of scope may be dropped at the page
}
