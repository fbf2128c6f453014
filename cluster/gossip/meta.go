package gossip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"trawl/cluster"
	"trawl/crawler"
)

// Versions of what nodes say to each other. Two nodes understand each other when each speaks a version
// that is not older than the oldest the other understands.
const (
	Protocol       = 1
	OldestProtocol = 1
)

// MaxMeta is the most bytes that a member can tell about itself; the gossip carries no more.
const MaxMeta = 512

// Meta is what a member tells about itself. It is a hint: a member may be gone, or may have changed, when
// it is read. All fields but Role may be zero.
type Meta struct {
	Protocol, Oldest int    // set by [New]
	Version          string // of the program, for people
	Role             cluster.Role
	Name             string       // under which it reports, where that outlives the process
	Life             crawler.Life // of the ledger; a fetcher tells that of its newest scheduler
	Origin           crawler.Life // the first life of that ledger, told by schedulers
	Restored         int64        // when that ledger was restored last, in unix seconds; 0: never
	Started          int64        // when the process was, in unix milliseconds; 0: it is not told
	Done             bool         // the job is done; a fetcher tells that nothing of it is left to be shipped
	Draining         bool         // takes no more turns, and will leave
	QueuePort        int          // 0: no queue here
	QueueURL         string       // of servers that are not this node's, without how to log in there
	ControlPort      int          // 0: no control API reachable from other machines
	Slots            int          // turns at once
	Silent           int          // for how many seconds nothing had come from outside when its network was found to be away; 0: it is not
}

// The encoding: a format byte, then fields of tag, length and value. Zero fields are left out, unknown
// tags are passed over, so that neighbouring versions understand each other.
const (
	metaFormat = 1

	tagProtocol = 1
	tagVersion  = 2
	tagRole     = 3
	tagName     = 4
	tagLife     = 6
	tagFlags    = 7
	tagQueue    = 8
	tagControl  = 9
	tagSlots    = 10
	tagOrigin   = 12
	tagRestored = 13
	tagQueueURL = 14
	tagSilent   = 15
	tagStarted  = 16

	mostTime = 1 << 50 // seconds or milliseconds since 1970; more is no time

	flagDone     = 1
	flagDraining = 2
)

// encode refuses what the gossip cannot carry or a peer would not read.
func (m *Meta) encode() ([]byte, error) {
	if !m.Role.Valid() {
		return nil, fmt.Errorf("unknown role %q: use scheduler, fetcher or both", m.Role)
	}
	b := []byte{metaFormat}
	field := func(tag byte, value []byte) {
		if len(value) > 0 {
			b = append(b, tag)
			b = binary.AppendUvarint(b, uint64(len(value)))
			b = append(b, value...)
		}
	}
	number := func(tag byte, n int) {
		if n > 0 {
			field(tag, binary.AppendUvarint(nil, uint64(n)))
		}
	}
	for _, s := range []string{m.Version, m.Name, m.QueueURL} {
		if !plain(s) {
			return nil, fmt.Errorf("%q cannot be told to the members: it is not one line of text", s)
		}
	}
	var flags byte
	if m.Done {
		flags |= flagDone
	}
	if m.Draining {
		flags |= flagDraining
	}
	field(tagProtocol, binary.AppendUvarint(binary.AppendUvarint(nil, uint64(m.Protocol)), uint64(m.Oldest)))
	field(tagVersion, []byte(m.Version))
	field(tagRole, []byte(m.Role))
	field(tagName, []byte(m.Name))
	if m.Life != (crawler.Life{}) {
		field(tagLife, m.Life[:])
	}
	if m.Origin != (crawler.Life{}) {
		field(tagOrigin, m.Origin[:])
	}
	if m.Restored < 0 || m.Restored > mostTime || m.Started < 0 || m.Started > mostTime {
		return nil, fmt.Errorf("a restore at %d or a start at %d cannot be told to the members: set the clock", m.Restored, m.Started)
	}
	number(tagRestored, int(m.Restored))
	if flags != 0 {
		field(tagFlags, []byte{flags})
	}
	number(tagQueue, m.QueuePort)
	number(tagControl, m.ControlPort)
	field(tagQueueURL, []byte(m.QueueURL))
	number(tagSlots, m.Slots)
	number(tagSilent, m.Silent)
	number(tagStarted, int(m.Started))
	if len(b) > MaxMeta {
		return nil, fmt.Errorf("what this node tells about itself has %d bytes, the gossip carries %d: use a shorter name or job name", len(b), MaxMeta)
	}
	return b, nil
}

// plain reports whether a peer may print s.
func plain(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

var errBadMeta = errors.New("tells about itself what this node cannot read: use the same trawl on both")

func decodeMeta(b []byte) (Meta, error) {
	var m Meta
	if len(b) == 0 || len(b) > MaxMeta || b[0] != metaFormat {
		return m, errBadMeta
	}
	for b = b[1:]; len(b) > 0; {
		tag := b[0]
		n, k := binary.Uvarint(b[1:])
		if k <= 0 || n > uint64(len(b)-1-k) {
			return Meta{}, errBadMeta
		}
		value := b[1+k : 1+k+int(n)]
		b = b[1+k+int(n):]
		if !m.set(tag, value) {
			return Meta{}, errBadMeta
		}
	}
	if !m.Role.Valid() {
		return Meta{}, errBadMeta
	}
	return m, nil
}

// set reads one field, and reports whether it could be read. Unknown tags can.
func (m *Meta) set(tag byte, value []byte) bool {
	ok := true
	since := func(n *int64) {
		v, k := binary.Uvarint(value)
		ok = k == len(value) && v <= mostTime
		*n = int64(v)
	}
	text := func(s *string) {
		*s = string(value)
		ok = plain(*s)
	}
	number := func(n *int, most uint64) {
		v, k := binary.Uvarint(value)
		ok = k == len(value) && v <= most
		*n = int(v)
	}
	const mostSlots = 1 << 30
	switch tag {
	case tagProtocol:
		p, k := binary.Uvarint(value)
		if k <= 0 {
			return false
		}
		o, l := binary.Uvarint(value[k:])
		ok = l > 0 && p <= mostSlots && o <= p
		m.Protocol, m.Oldest = int(p), int(o)
	case tagVersion:
		text(&m.Version)
	case tagRole:
		m.Role = cluster.Role(value)
	case tagName:
		text(&m.Name)
	case tagLife:
		ok = len(value) == len(m.Life)
		copy(m.Life[:], value)
	case tagOrigin:
		ok = len(value) == len(m.Origin)
		copy(m.Origin[:], value)
	case tagRestored:
		since(&m.Restored)
	case tagStarted:
		since(&m.Started)
	case tagFlags:
		ok = len(value) > 0
		m.Done = ok && value[0]&flagDone != 0
		m.Draining = ok && value[0]&flagDraining != 0
	case tagQueue:
		number(&m.QueuePort, 65535)
	case tagQueueURL:
		text(&m.QueueURL)
	case tagControl:
		number(&m.ControlPort, 65535)
	case tagSlots:
		number(&m.Slots, mostSlots)
	case tagSilent:
		number(&m.Silent, mostTime)
	}
	return ok
}

// compatible tells why two members cannot be in one cluster, nil when they can. It says the same with the
// two exchanged.
func compatible(own, peer *Meta) error {
	if peer.Protocol < own.Oldest || own.Protocol < peer.Oldest {
		return fmt.Errorf("speaks version %d of the protocol (trawl %s), this node version %d (trawl %s): use the same trawl on both",
			peer.Protocol, orUnknown(peer.Version), own.Protocol, orUnknown(own.Version))
	}
	if rivals(own, peer) {
		return errors.New("is the scheduler of another crawl, and so is this node: give each crawl its own secret, or leave out --join")
	}
	return nil
}

// rivals reports whether two schedulers go on with crawls that have nothing to do with each other. Fetchers would work
// for the one or the other.
func rivals(a, b *Meta) bool {
	none := crawler.Life{}
	return a.Role == cluster.RoleScheduler && b.Role == cluster.RoleScheduler && !a.Done && !b.Done && a.Origin != none && b.Origin != none && a.Origin != b.Origin
}

func orUnknown(version string) string {
	if version == "" {
		return "of unknown version"
	}
	return version
}

// Supersedes reports whether a scheduler's ledger goes on in place of another's: both are copies of one crawl, and it was
// restored later. Of two restored in the same second, one is chosen.
func (m *Meta) Supersedes(old *Meta) bool {
	if m.Role != cluster.RoleScheduler || old.Role != cluster.RoleScheduler || m.Origin == (crawler.Life{}) || m.Origin != old.Origin || m.Life == old.Life {
		return false
	}
	if m.Restored != old.Restored {
		return m.Restored > old.Restored
	}
	return bytes.Compare(m.Life[:], old.Life[:]) > 0
}
