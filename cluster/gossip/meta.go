package gossip

import (
	"bytes"
	"errors"
	"fmt"

	"trawl/cluster"
	"trawl/crawler"
	"trawl/crawler/schema"
)

// Versions of what nodes say to each other. Two nodes understand each other when each speaks a version
// that is not older than the oldest the other understands.
const (
	Protocol       = 2
	OldestProtocol = 2
)

// MaxMeta is the most bytes that a member can announce about itself; the gossip carries no more.
const MaxMeta = 512

// Meta is what a member announces about itself. It is a hint: a member may be gone, or may have changed, when
// it is read. All fields but Role may be zero.
type Meta struct {
	Protocol, Oldest int    // set by [New]
	Version          string // of the program, for people
	Role             cluster.Role
	Name             string       // under which it reports, where that outlives the process
	Life             crawler.Life // of the ledger; a fetcher announces that of its newest scheduler
	Origin           crawler.Life // the first life of that ledger, announced by schedulers
	Restored         int64        // when that ledger was restored last, in unix seconds; 0: never
	Started          int64        // when the process was, in unix milliseconds; 0: unknown
	Done             bool         // the job is done; of a fetcher: and nothing of it is left to be shipped
	Draining         bool         // takes no more turns, and will end
	QueuePort        int          // 0: no queue here
	QueueURL         string       // of servers that are not this node's, without how to log in there
	ControlPort      int          // 0: no control API reachable from other machines
	Slots            int          // turns at once
	Silent           int          // for how many seconds nothing had come from outside when its network was found to be away; 0: it is not
}

const (
	mostTime  = 1 << 50 // seconds or milliseconds since 1970; more is no time
	mostPort  = 1<<16 - 1
	mostSlots = 1 << 30
)

var metas = schema.Of("Meta",
	schema.Count(1, "protocol", func(m *Meta) *int { return &m.Protocol }).AtMost(mostSlots),
	schema.Count(2, "oldest", func(m *Meta) *int { return &m.Oldest }),
	schema.Plain(3, "version", func(m *Meta) *string { return &m.Version }),
	schema.Word(4, "role", func(m *Meta) *string { return (*string)(&m.Role) }).Require(),
	schema.Plain(5, "name", func(m *Meta) *string { return &m.Name }),
	schema.ID(6, "life", func(m *Meta) []byte { return m.Life[:] }),
	schema.ID(7, "origin", func(m *Meta) []byte { return m.Origin[:] }),
	schema.Size(8, "restored", func(m *Meta) *int64 { return &m.Restored }).AtMost(mostTime),
	schema.Size(9, "started", func(m *Meta) *int64 { return &m.Started }).AtMost(mostTime),
	schema.Bool(10, "done", func(m *Meta) *bool { return &m.Done }),
	schema.Bool(11, "draining", func(m *Meta) *bool { return &m.Draining }),
	schema.Count(12, "queue_port", func(m *Meta) *int { return &m.QueuePort }).AtMost(mostPort),
	schema.Plain(13, "queue_url", func(m *Meta) *string { return &m.QueueURL }),
	schema.Count(14, "control_port", func(m *Meta) *int { return &m.ControlPort }).AtMost(mostPort),
	schema.Count(15, "slots", func(m *Meta) *int { return &m.Slots }).AtMost(mostSlots),
	schema.Count(16, "silent", func(m *Meta) *int { return &m.Silent }),
).Check(func(m *Meta) error {
	if !m.Role.Valid() || m.Oldest > m.Protocol {
		return errBadMeta
	}
	return nil
})

// encode refuses what the gossip cannot carry or a peer would not read.
func (m *Meta) encode() ([]byte, error) {
	if !m.Role.Valid() {
		return nil, fmt.Errorf("unknown role %q: use scheduler, fetcher or both", m.Role)
	}
	for _, s := range []string{m.Version, m.Name, m.QueueURL} {
		if !schema.IsPlain(s) {
			return nil, fmt.Errorf("%q cannot be announced to the members: it is not one line of text", s)
		}
	}
	if m.Restored < 0 || m.Restored > mostTime || m.Started < 0 || m.Started > mostTime {
		return nil, fmt.Errorf("a restore at %d or a start at %d cannot be announced to the members: set the clock", m.Restored, m.Started)
	}
	b := metas.Append(nil, m)
	if len(b) > MaxMeta {
		return nil, fmt.Errorf("what this node tells about itself has %d bytes, the gossip carries %d: use a shorter name", len(b), MaxMeta)
	}
	return b, nil
}

var errBadMeta = errors.New("tells about itself what this node cannot read: use the same trawl on both")

func decodeMeta(b []byte) (Meta, error) {
	var m Meta
	if len(b) > MaxMeta || metas.Read(b, &m) != nil {
		return Meta{}, errBadMeta
	}
	return m, nil
}

// compatible reports why two members cannot be in one cluster, nil when they can. It says the same with the
// two exchanged.
func compatible(own, peer *Meta) error {
	if peer.Protocol < own.Oldest || own.Protocol < peer.Oldest {
		return fmt.Errorf("speaks version %d of the protocol (trawl %s), this node version %d (trawl %s): use the same trawl on both",
			peer.Protocol, orUnknown(peer.Version), own.Protocol, orUnknown(own.Version))
	}
	if rivals(own, peer) {
		return errors.New("is the scheduler of another crawl, and so is this node: give each crawl its own secret, or leave out `join`")
	}
	return nil
}

// rivals reports whether two schedulers run crawls that have nothing to do with each other. Fetchers would work
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

// Supersedes reports whether a scheduler's ledger replaces another's: both are copies of one crawl, and it was
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
