package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"trawl/crawler"
	"trawl/storage/ledger/format"
	"trawl/storage/storagetest"
)

// contents are all keys of a ledger with their values.
func contents(t *testing.T, l *Ledger) (all []string) {
	t.Helper()
	if err := l.EachKey(func(key, value []byte) error { all = append(all, fmt.Sprintf("%x = %x", key, value)); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestALedgerBecomesAnotherByItsRecords(t *testing.T) {
	var records []format.Record
	o := small(vfs.NewMem())
	o.Records = func(r format.Record) { records = append(records, slices.Clone(r)) }
	l, m := open(t, "ledger", o), storagetest.NewModel(7)
	for range 60 {
		storagetest.Commit(t, l, m.Step())
	}
	storagetest.Commit(t, l, &crawler.Changes{Owed: []crawler.OwedRow{{Number: 1}, {Number: 2}, {Number: 3}}})
	storagetest.Commit(t, l, &crawler.Changes{Delivered: 3})
	if err := l.Restored(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	storagetest.Commit(t, l, &crawler.Changes{Quiet: time.Unix(9, 0)})
	replica := open(t, "replica", small(vfs.NewMem()))
	for _, r := range records {
		if err := replica.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := contents(t, replica), contents(t, l); !slices.Equal(got, want) {
		t.Errorf("the replica has %d keys, the ledger %d", len(got), len(want))
	}
	m.Check(t, replica)
	storagetest.Commit(t, replica, &crawler.Changes{Now: time.Unix(2, 0)})
	if a, b := clockOf(t, replica), clockOf(t, l); !a.Equal(b) {
		t.Errorf("the replica goes on at %v, the ledger at %v", a, b)
	}
}

func clockOf(t *testing.T, l *Ledger) time.Time {
	t.Helper()
	s, err := l.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Clock
}

func TestAReplicaStoresWhatItDoesNotKnow(t *testing.T) {
	l := open(t, "ledger", small(vfs.NewMem()))
	w := format.Writer{Record: format.Record{format.RecordFormat}}
	w.Append(format.EditSet, format.AppendPartition(nil, 7, 99), []byte("of a newer trawl"))
	if err := l.Apply(w.Record); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%x = %x", format.AppendPartition(nil, 7, 99), "of a newer trawl"); !slices.Contains(contents(t, l), want) {
		t.Error("it is lost")
	}
}

func TestWhatIsNoRecordChangesNothing(t *testing.T) {
	l := open(t, "ledger", small(vfs.NewMem()))
	before := contents(t, l)
	set := []byte{format.RecordFormat, byte(format.EditSet), 3, 0, 7, 9, 1, 'x'}
	for what, r := range map[string]format.Record{
		"nothing":                {},
		"a later format":         append(format.Record{format.RecordFormat + 1}, set[1:]...),
		"an edit that is none":   append(slices.Clone(set), 9, 1, 'k'),
		"a cut key":              append(slices.Clone(set), byte(format.EditDelete), 5, 'k'),
		"a cut value":            set[:len(set)-1],
		"a length without end":   append(slices.Clone(set), byte(format.EditDelete), 0x80),
		"a length beyond memory": append(slices.Clone(set), byte(format.EditDelete), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
	} {
		if err := l.Apply(r); err == nil || !slices.Equal(contents(t, l), before) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := l.Apply(set); err != nil {
		t.Errorf("a record: %v", err)
	}
}
