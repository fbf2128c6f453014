package gossip

import (
	"bytes"
	"strings"
	"testing"

	"trawl/cluster"
	"trawl/crawler"
)

func fullMeta() Meta {
	return Meta{
		Protocol: 3, Oldest: 2, Version: "v1.2.3", Role: cluster.RoleFetcher, Name: "fetcher-7",
		Life: crawler.Life{1, 2, 3}, Origin: crawler.Life{4, 5}, Restored: 1_700_000_000, Started: 1_700_000_001_000, Done: true, Draining: true, QueuePort: 7947, ControlPort: 65535, Slots: 1024, Silent: 12,
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

func TestMetaOfALaterVersionIsRead(t *testing.T) {
	m := fullMeta()
	b, _ := m.encode()
	b = append(b, 200, 3, 'n', 'e', 'w')
	if got, err := decodeMeta(b); err != nil || got != m {
		t.Errorf("a field of a later version: %+v, %v", got, err)
	}
}

// TestMetaOfTheVersionBeforeIsRead: what a node of the version before told, byte for byte, which knows nothing of restored
// ledgers.
func TestMetaOfTheVersionBeforeIsRead(t *testing.T) {
	told := []byte{metaFormat, tagProtocol, 2, 1, 1, tagVersion, 2, 'v', '1', tagRole, 9, 's', 'c', 'h', 'e', 'd', 'u', 'l', 'e', 'r',
		tagLife, 16, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, tagQueue, 2, 0x8b, 0x3e, tagControl, 2, 0x8c, 0x3e}
	want := Meta{Protocol: 1, Oldest: 1, Version: "v1", Role: cluster.RoleScheduler, Life: crawler.Life{9}, QueuePort: 7947, ControlPort: 7948}
	got, err := decodeMeta(told)
	if err != nil || got != want {
		t.Fatalf("read %+v, %v", got, err)
	}
	restored := want
	restored.Origin, restored.Restored, restored.Life = crawler.Life{9}, 5, crawler.Life{8}
	if got.Supersedes(&restored) || restored.Supersedes(&got) {
		t.Error("a node that tells no origin was taken for a copy")
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
	for name, b := range map[string][]byte{
		"nothing":                       nil,
		"another format":                append([]byte{metaFormat + 1}, good[1:]...),
		"a cut value":                   good[:len(good)-1],
		"a length beyond the end":       {metaFormat, tagName, 200, 1, 'x'},
		"a length that is no number":    {metaFormat, tagName, 0x80},
		"no role":                       {metaFormat, tagName, 1, 'x'},
		"an unknown role":               {metaFormat, tagRole, 1, 'x'},
		"a life of 3 bytes":             {metaFormat, tagRole, 7, 'f', 'e', 't', 'c', 'h', 'e', 'r', tagLife, 3, 1, 2, 3},
		"an origin of 3 bytes":          {metaFormat, tagRole, 7, 'f', 'e', 't', 'c', 'h', 'e', 'r', tagOrigin, 3, 1, 2, 3},
		"restored in the far future":    {metaFormat, tagRole, 7, 'f', 'e', 't', 'c', 'h', 'e', 'r', tagRestored, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"started in the far future":     {metaFormat, tagRole, 7, 'f', 'e', 't', 'c', 'h', 'e', 'r', tagStarted, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"a port above 65535":            {metaFormat, tagRole, 7, 'f', 'e', 't', 'c', 'h', 'e', 'r', tagQueue, 3, 0xff, 0xff, 0x7f},
		"a control character in a name": {metaFormat, tagRole, 7, 'f', 'e', 't', 'c', 'h', 'e', 'r', tagName, 1, 7},
		"more than the gossip carries":  append(bytes.Clone(good), bytes.Repeat([]byte{200, 0}, 300)...),
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
	f.Add([]byte{metaFormat, tagRole, 4, 'b', 'o', 't', 'h', 250, 1, 1})
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
