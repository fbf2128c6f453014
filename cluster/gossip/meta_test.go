package gossip

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"trawl/cluster"
	"trawl/crawler"
	"trawl/crawler/recordtest"
)

func fullMeta() Meta {
	return Meta{
		Protocol: 3, Oldest: 2, Version: "v1.2.3", Role: cluster.RoleFetcher, Name: "fetcher-7",
		Life: crawler.Life{1, 2, 3}, Origin: crawler.Life{4, 5}, Restored: 1_700_000_000, Started: 1_700_000_001_000, Done: true, Draining: true, QueuePort: 7947, QueueURL: "nats://a.example", ControlPort: 65535, Slots: 1024, Silent: 12,
	}
}

func TestMetaComesBackAsItWasTold(t *testing.T) {
	for name, m := range map[string]Meta{
		"everything":       fullMeta(),
		"almost nothing":   {Role: cluster.RoleFetcher},
		"only done":        {Role: cluster.RoleScheduler, Done: true},
		"only draining":    {Role: cluster.RoleFetcher, Draining: true},
		"other alphabets":  {Role: cluster.RoleFetcher, QueueURL: "пример.рф"},
		"no slots, a port": {Role: cluster.RoleScheduler, QueuePort: 1},
	} {
		b, err := m.encode()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := decodeMeta(b); err != nil || got != m {
			t.Errorf("%s: told %+v, read %+v, %v", name, m, got, err)
		}
	}
}

// field is a field of a meta, as it is told: a number or bytes.
func field(b []byte, number protowire.Number, value any) []byte {
	if n, ok := value.(int); ok {
		return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), uint64(n))
	}
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), value.(string))
}

func TestEveryFieldOfAMetaIsTold(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var m Meta
	recordtest.Fill(t, rng, &m)
	m.Role, m.Version, m.Name, m.QueueURL = cluster.RoleFetcher, "v1", "f7", "nats://a.example"
	m.Protocol, m.Oldest, m.Restored, m.Started, m.QueuePort, m.ControlPort, m.Slots = 3, 2, 4, 5, 6, 7, 8
	b, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeMeta(b); err != nil || got != m {
		t.Errorf("told %+v, read %+v, %v", m, got, err)
	}
	theirs := recordtest.Message(t, &metas.Record)
	if err := proto.Unmarshal(b, theirs); err != nil {
		t.Fatal(err)
	}
	recordtest.CheckWhole(t, theirs)
}

func TestMetaOfALaterVersionIsRead(t *testing.T) {
	m := fullMeta()
	b, _ := m.encode()
	if got, err := decodeMeta(field(b, 200, "new")); err != nil || got != m {
		t.Errorf("a field of a later version: %+v, %v", got, err)
	}
}

// TestMetaOfTheVersionBeforeIsRefused: what a node told before there were tables, byte for byte.
func TestMetaOfTheVersionBeforeIsRefused(t *testing.T) {
	told := []byte{1, 1, 2, 1, 1, 2, 2, 'v', '1', 3, 9, 's', 'c', 'h', 'e', 'd', 'u', 'l', 'e', 'r',
		6, 16, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0x8b, 0x3e, 9, 2, 0x8c, 0x3e}
	if m, err := decodeMeta(told); !errors.Is(err, errBadMeta) {
		t.Errorf("read %+v, %v", m, err)
	}
}

func TestANodeThatTellsNoOriginIsNoCopy(t *testing.T) {
	m := Meta{Protocol: Protocol, Oldest: OldestProtocol, Role: cluster.RoleScheduler, Life: crawler.Life{9}}
	restored := m
	restored.Origin, restored.Restored, restored.Life = crawler.Life{9}, 5, crawler.Life{8}
	if m.Supersedes(&restored) || restored.Supersedes(&m) {
		t.Error("it was taken for one")
	}
}

func TestWhichOfTwoCopiesGoesOn(t *testing.T) {
	meta := func(origin, life byte, restored int64) Meta {
		return Meta{Role: cluster.RoleScheduler, Origin: crawler.Life{origin}, Life: crawler.Life{life}, Restored: restored}
	}
	fetcher := meta(1, 3, 9)
	fetcher.Role = cluster.RoleFetcher
	for name, tt := range map[string]struct {
		later, old Meta
		want       bool
	}{
		"a restored one and the first":     {meta(1, 2, 100), meta(1, 1, 0), true},
		"restored later":                   {meta(1, 3, 200), meta(1, 2, 100), true},
		"restored in the same second":      {meta(1, 3, 200), meta(1, 2, 200), true},
		"the same life":                    {meta(1, 2, 200), meta(1, 2, 100), false},
		"another crawl":                    {meta(2, 2, 200), meta(1, 1, 0), false},
		"one that tells no origin":         {meta(0, 2, 200), meta(0, 1, 0), false},
		"a fetcher, which has no ledger":   {fetcher, meta(1, 1, 0), false},
		"somebody else than the scheduler": {meta(1, 2, 200), fetcher, false},
	} {
		if got := tt.later.Supersedes(&tt.old); got != tt.want || tt.old.Supersedes(&tt.later) {
			t.Errorf("%s: %v, and the other way round %v", name, got, tt.old.Supersedes(&tt.later))
		}
	}
}

func TestMetaThatCannotBeTold(t *testing.T) {
	for name, m := range map[string]Meta{
		"an address of 600 bytes":   {Role: cluster.RoleFetcher, QueueURL: strings.Repeat("x", 600)},
		"names that add up to 513":  {Role: cluster.RoleFetcher, QueueURL: strings.Repeat("x", 300), Name: strings.Repeat("y", 300)},
		"no role":                   {},
		"a role that nobody knows":  {Role: "boss"},
		"an address with a newline": {Role: cluster.RoleFetcher, QueueURL: "a\nb"},
		"a version that is no text": {Role: cluster.RoleFetcher, Version: "\xff"},
		"restored before 1970":      {Role: cluster.RoleScheduler, Restored: -1},
		"started before 1970":       {Role: cluster.RoleScheduler, Started: -1},
	} {
		if b, err := m.encode(); err == nil {
			t.Errorf("%s was encoded in %d bytes", name, len(b))
		}
	}
}

func TestMetaThatCannotBeRead(t *testing.T) {
	full := fullMeta()
	good, _ := full.encode()
	role := field(nil, 4, "fetcher")
	for name, b := range map[string][]byte{
		"nothing":                       nil,
		"a cut value":                   good[:len(good)-1],
		"a length beyond the end":       append(bytes.Clone(role), 5<<3|2, 200, 1, 'x'),
		"a length that is no number":    append(bytes.Clone(role), 5<<3|2, 0x80),
		"no role":                       field(nil, 5, "x"),
		"an unknown role":               field(nil, 4, "x"),
		"a number in place of a name":   field(role, 5, 7),
		"a life of 3 bytes":             field(role, 6, "\x01\x02\x03"),
		"an origin of 3 bytes":          field(role, 7, "\x01\x02\x03"),
		"restored in the far future":    field(role, 8, 1<<62),
		"started in the far future":     field(role, 9, 1<<62),
		"a port above 65535":            field(role, 12, 1<<16),
		"a control port above 65535":    field(role, 14, 1<<16),
		"more slots than there are":     field(role, 15, 1<<30+1),
		"a protocol older than itself":  field(field(role, 1, 2), 2, 3),
		"a control character in a name": field(role, 5, "\a"),
		"a name that is no text":        field(role, 5, "\xff"),
		"more than the gossip carries":  append(bytes.Clone(good), bytes.Repeat(field(nil, 200, ""), 200)...),
	} {
		if m, err := decodeMeta(b); err == nil {
			t.Errorf("%s was read as %+v", name, m)
		}
	}
}

func FuzzMeta(f *testing.F) {
	full := fullMeta()
	b, _ := full.encode()
	f.Add(b)
	f.Add(field(field(nil, 4, "fetcher"), 250, "new"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMeta(b)
		if err != nil {
			return
		}
		again, err := m.encode()
		if err != nil {
			t.Fatalf("%+v was read and cannot be told: %v", m, err)
		}
		if got, err := decodeMeta(again); err != nil || got != m {
			t.Fatalf("%+v came back as %+v, %v", m, got, err)
		}
	})
}

func scheduling(origin byte, done bool) Meta {
	return Meta{Role: cluster.RoleScheduler, Origin: crawler.Life{origin}, Done: done}
}

func TestCompatible(t *testing.T) {
	tests := []struct {
		name      string
		own, peer Meta
		why       string
	}{
		{"the same version", Meta{Protocol: 2, Oldest: 1}, Meta{Protocol: 2, Oldest: 1}, ""},
		{"neighbouring versions", Meta{Protocol: 3, Oldest: 2}, Meta{Protocol: 2, Oldest: 1}, ""},
		{"a peer that is too old", Meta{Protocol: 3, Oldest: 2}, Meta{Protocol: 1, Oldest: 1}, "same trawl"},
		{"a peer that says no version", Meta{Protocol: 1, Oldest: 1}, Meta{}, "same trawl"},
		{"two copies of one crawl", scheduling(1, false), scheduling(1, false), ""},
		{"two crawls", scheduling(1, false), scheduling(2, false), "another crawl"},
		{"two crawls, one of them done", scheduling(1, false), scheduling(2, true), ""},
		{"a scheduler that tells no origin", scheduling(1, false), scheduling(0, false), ""},
		{"a fetcher and any crawl", Meta{Role: cluster.RoleFetcher, Origin: crawler.Life{1}}, scheduling(2, false), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err, back := compatible(&tt.own, &tt.peer), compatible(&tt.peer, &tt.own)
			if (err == nil) != (tt.why == "") || (err == nil) != (back == nil) {
				t.Fatalf("one side: %v; the other: %v", err, back)
			}
			if err != nil && !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%v does not say %s", err, tt.why)
			}
		})
	}
}
