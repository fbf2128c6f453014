package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"trawl/crawler/weburl"
)

// Record is one change of a ledger, made of the bytes that are stored: the keys to set with their values, and the keys to delete. It
// carries all that applying it needs, so another ledger becomes the same, key by key, by applying the records in order. Whoever
// applies one decides nothing and decodes no value: what it does not know it stores all the same.
//
// A byte of format, then edits: a byte for what is done, the key, and the value or the end of a range, each after its length (uvarint).
type Record []byte

const recordFormat = 1

type edit byte

const (
	editSet         edit = 1 + iota
	editDelete           // has no second field
	editDeleteRange      // from the key up to the second field
)

// errRecord says that a record is none, or one of a newer trawl.
var errRecord = errors.New("is no record that this trawl knows")

// edits calls visit for each edit of a record. Key and value share its memory.
func (r Record) edits(visit func(e edit, key, value []byte) error) error {
	if len(r) == 0 || r[0] != recordFormat {
		return errRecord
	}
	for b := []byte(r[1:]); len(b) > 0; {
		e := edit(b[0])
		key, rest, ok := cutField(b[1:])
		var value []byte
		if ok && e != editDelete {
			value, rest, ok = cutField(rest)
		}
		if !ok || e < editSet || e > editDeleteRange {
			return errRecord
		}
		if err := visit(e, key, value); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

func cutField(b []byte) (field, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, false
	}
	return b[size : size+int(n)], b[size+int(n):], true
}

// maxKeptRecord is how large a buffer is kept for the next record, in bytes.
const maxKeptRecord = 4 << 20

// write makes a record and applies it, in one synced batch. Every key of a ledger is written here.
func (l *Ledger) write(make func(w *recordWriter)) error {
	l.commit.Lock()
	defer l.commit.Unlock()
	w := recordWriter{record: append(l.buffer[:0], recordFormat)}
	make(&w)
	if w.err != nil {
		return fmt.Errorf("commit to ledger %s: %w", l.dir, w.err)
	}
	if l.buffer = w.record; cap(l.buffer) > maxKeptRecord {
		l.buffer = nil
	}
	return l.apply(w.record)
}

// Apply applies a record of another ledger: after all records of that one, from its first on, this ledger is the same.
func (l *Ledger) Apply(r Record) error {
	l.commit.Lock()
	defer l.commit.Unlock()
	return l.apply(r)
}

// apply makes a record durable. When it returns nil every read that begins afterwards sees it; after an error it is not there, and
// when the error was that of a write, the ledger refuses everything from then on.
func (l *Ledger) apply(r Record) error {
	if l.o.ReadOnly {
		return fmt.Errorf("ledger %s is open for reading only", l.dir)
	}
	if err := l.failure(); err != nil {
		return err
	}
	b := l.db.NewBatchWithSize(len(r) + len(r)/8)
	defer func() {
		if l.failure() == nil { // else the commit may be under way for ever
			b.Close()
		}
	}()
	if err := r.edits(func(e edit, key, value []byte) error { return applyEdit(b, e, key, value) }); err != nil {
		return fmt.Errorf("commit to ledger %s: %w", l.dir, err)
	}
	err := l.call(func() error { return b.Commit(pebble.Sync) })
	if failed := l.failure(); failed != nil {
		return failed
	}
	if err != nil {
		return fmt.Errorf("commit to ledger %s: %w", l.dir, err)
	}
	l.remember(r)
	if l.o.Records != nil {
		l.o.Records(r)
	}
	return nil
}

func applyEdit(b *pebble.Batch, e edit, key, value []byte) error {
	switch e {
	case editSet:
		return b.Set(key, value, nil)
	case editDelete:
		return b.Delete(key, nil)
	}
	return b.DeleteRange(key, value, nil)
}

// remember takes over what of an applied record is kept in memory, too: the clock, and when the first host of a partition is due.
func (l *Ledger) remember(r Record) {
	l.due.mu.Lock()
	defer l.due.mu.Unlock()
	_ = r.edits(func(e edit, key, value []byte) error { // it was read before
		if e != editSet || len(key) < prefixBytes {
			return nil
		}
		if due, h, ok := dueEntryOf(key); ok && kind(key[2]) == kindDue && binary.BigEndian.Uint16(key) < weburl.Partitions {
			l.due.lower(due, h)
		} else if string(key) == clockKey && len(value) == 8 {
			l.clock = timeOf(binary.BigEndian.Uint64(value))
		}
		return nil
	})
}

var clockKey = string(appendMeta(nil, metaClock))

// recordWriter appends edits to a record. Its buffers serve one key and value after the other. The first error sticks.
type recordWriter struct {
	record     Record
	key, value []byte
	err        error
}

// set puts w.value under a key that was made in w.key.
func (w *recordWriter) set(key []byte) {
	w.key = key
	w.append(editSet, key, w.value)
}

// delete removes a key that was made in w.key.
func (w *recordWriter) delete(key []byte) {
	w.key = key
	w.remove(key)
}

func (w *recordWriter) remove(key []byte) {
	w.record = append(w.record, byte(editDelete))
	w.field(key)
}

func (w *recordWriter) append(e edit, key, value []byte) {
	w.record = append(w.record, byte(e))
	w.field(key)
	w.field(value)
}

func (w *recordWriter) field(b []byte) {
	w.record = append(binary.AppendUvarint(w.record, uint64(len(b))), b...)
}

// meta puts w.value as one of the ledger's own records.
func (w *recordWriter) meta(name string) { w.set(appendMeta(w.key[:0], name)) }

func (w *recordWriter) number(name string, v uint64) {
	w.value = binary.AppendUvarint(w.value[:0], v)
	w.meta(name)
}

func (w *recordWriter) time(name string, t time.Time) {
	w.value = binary.BigEndian.AppendUint64(w.value[:0], orderOf(t))
	w.meta(name)
}

func (w *recordWriter) bytes(name string, b []byte) {
	w.value = append(w.value[:0], b...)
	w.meta(name)
}

func (w *recordWriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// EachKey reads every key with its value, as they are stored, in order, until visit returns an error. Two ledgers are replicas of each
// other when it gives the same for both.
func (l *Ledger) EachKey(visit func(key, value []byte) error) error {
	snap := l.db.NewSnapshot()
	defer snap.Close()
	return l.scan(snap, nil, visit)
}
