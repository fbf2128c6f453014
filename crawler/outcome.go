package crawler

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Outcome is the word for a URL's fate. The numbers are part of the ledger's format and the wire schema:
// append only.
type Outcome uint8

const (
	// Waiting: admitted and not done.
	Waiting Outcome = iota
	// Leased: in a turn that is offered or held. Stored rows say Waiting; that a row is leased is told by
	// the turn of its host that lists it ([TurnState]), so offering and lapsing write one record.
	Leased
	// Fetched: answered with 2xx; the body is whole, or cut by our own limit (then truncated).
	Fetched
	// Redirected: 3xx with a Location; the target is a link like any other.
	Redirected
	// Unchanged: 304 to our validators.
	Unchanged
	// Failed: no more tries will be made in this job; the reason says why.
	Failed
	// Excluded: belongs to the job and may not be asked for (robots), or its body is not wanted (type).
	Excluded

	outcomes = iota
)

var outcomeWords = [outcomes]string{"waiting", "leased", "fetched", "redirected", "unchanged", "failed", "excluded"}

// String is the word in exports.
func (o Outcome) String() string {
	if int(o) < len(outcomeWords) {
		return outcomeWords[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// ParseOutcome reads the word that String writes.
func ParseOutcome(s string) (Outcome, error) {
	for i, w := range outcomeWords {
		if w == s {
			return Outcome(i), nil
		}
	}
	return 0, fmt.Errorf("unknown outcome %q: use one of %s", s, strings.Join(outcomeWords[:], ", "))
}

// Final reports whether the outcome is a URL's last one in this job.
func (o Outcome) Final() bool { return o >= Fetched && o < outcomes }

// Reason says why a URL failed, is excluded, or waits. It is a word from this list, a contract with users:
// append only. docs/reasons.md says what each means and what a user can do.
type Reason string

// Reasons of failed rows.
const (
	ReasonDNS               Reason = "dns"
	ReasonConnect           Reason = "connect"
	ReasonTLS               Reason = "tls"
	ReasonTimeout           Reason = "timeout"
	ReasonReset             Reason = "reset"
	ReasonProtocol          Reason = "protocol"
	ReasonHTTPStatus        Reason = "http_status"
	ReasonTooManyRedirects  Reason = "too_many_redirects"
	ReasonBadRedirect       Reason = "bad_redirect"
	ReasonBadEncoding       Reason = "bad_encoding"
	ReasonPrivateAddress    Reason = "private_address"
	ReasonRobotsUnreachable Reason = "robots_unreachable"
	ReasonLost              Reason = "lost"
	ReasonTrap              Reason = "trap"
	ReasonArchive           Reason = "archive"
	ReasonExtraction        Reason = "extraction"
	ReasonDigest            Reason = "digest"
)

// FailedReasons are the reasons of failed rows, in the order of this file.
func FailedReasons() []Reason {
	return []Reason{
		ReasonDNS, ReasonConnect, ReasonTLS, ReasonTimeout, ReasonReset, ReasonProtocol, ReasonHTTPStatus,
		ReasonTooManyRedirects, ReasonBadRedirect, ReasonBadEncoding, ReasonPrivateAddress,
		ReasonRobotsUnreachable, ReasonLost, ReasonTrap, ReasonArchive, ReasonExtraction, ReasonDigest,
	}
}

// Reasons of excluded rows.
const (
	ReasonRobots Reason = "robots"
	ReasonType   Reason = "type" // its content type is not among Job.Accept
)

// Reasons of waiting rows.
const (
	ReasonRetry      Reason = "retry"
	ReasonCrawlDelay Reason = "crawl_delay"
	ReasonPaused     Reason = "paused"
	ReasonLimit      Reason = "limit"
)

// Digest is the SHA-256 of a decoded body as stored. The zero value means that there is none.
type Digest [32]byte

// IsZero reports whether there is no digest.
func (d Digest) IsZero() bool { return d == Digest{} }

// Refuses reports whether a line that asks for a body of this digest does not take the one that came. The zero value takes any.
func (d Digest) Refuses(came Digest) bool { return !d.IsZero() && d != came }

// String is "sha256:" and hex, or "" without a digest.
func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	return "sha256:" + hex.EncodeToString(d[:])
}

// ParseDigest reads what String writes: "sha256:" and 64 hex digits, in small letters or capitals.
func ParseDigest(s string) (d Digest, err error) {
	digits, ok := strings.CutPrefix(s, "sha256:")
	if !ok || len(digits) != 2*len(d) {
		return d, fmt.Errorf("%.100q is no digest: write sha256: and 64 hex digits", s)
	}
	if _, err := hex.Decode(d[:], []byte(digits)); err != nil {
		return Digest{}, fmt.Errorf("%.100q is no digest: %w", s, err)
	}
	return d, nil
}

// Locator says where a record lies. File is relative to the crawl directory with slashes; the zero value
// means that nothing was stored. A WARC file's name begins with the name of the fetcher that wrote it, so
// a file that has not been shipped yet tells who has it.
type Locator struct {
	File   string
	Offset int64
	Length int64 // bytes in the file, compressed ones in a compressed WARC
}

// IsZero reports whether nothing was stored.
func (l Locator) IsZero() bool { return l.File == "" }
