package ledger

import (
	"encoding/binary"
	"errors"
	"time"
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
