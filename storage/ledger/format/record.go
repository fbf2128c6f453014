package format

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

const RecordFormat = 1

type Edit byte

const (
	EditSet         Edit = 1 + iota
	EditDelete           // has no second field
	editDeleteRange      // from the key up to the second field
)

// errRecord says that a record is none, or one of a newer trawl.
var errRecord = errors.New("is no record that this trawl knows")

// Edits calls visit for each edit of a record. Key and value share its memory.
func (r Record) Edits(visit func(e Edit, key, value []byte) error) error {
	if len(r) == 0 || r[0] != RecordFormat {
		return errRecord
	}
	for b := []byte(r[1:]); len(b) > 0; {
		e := Edit(b[0])
		key, rest, ok := cutField(b[1:])
		var value []byte
		if ok && e != EditDelete {
			value, rest, ok = cutField(rest)
		}
		if !ok || e < EditSet || e > editDeleteRange {
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

// Writer appends edits to a record. Its buffers serve one key and value after the other. The first error sticks.
type Writer struct {
	Record     Record
	key, value []byte
	Err        error
}

// set puts w.value under a key that was made in w.key.
func (w *Writer) set(key []byte) {
	w.key = key
	w.Append(EditSet, key, w.value)
}

// delete removes a key that was made in w.key.
func (w *Writer) delete(key []byte) {
	w.key = key
	w.remove(key)
}

func (w *Writer) remove(key []byte) {
	w.Record = append(w.Record, byte(EditDelete))
	w.field(key)
}

func (w *Writer) Append(e Edit, key, value []byte) {
	w.Record = append(w.Record, byte(e))
	w.field(key)
	w.field(value)
}

func (w *Writer) field(b []byte) {
	w.Record = append(binary.AppendUvarint(w.Record, uint64(len(b))), b...)
}

// meta puts w.value as one of the ledger's own records.
func (w *Writer) meta(name string) { w.set(AppendMeta(w.key[:0], name)) }

func (w *Writer) Number(name string, v uint64) {
	w.value = binary.AppendUvarint(w.value[:0], v)
	w.meta(name)
}

func (w *Writer) Time(name string, t time.Time) {
	w.value = binary.BigEndian.AppendUint64(w.value[:0], OrderOf(t))
	w.meta(name)
}

func (w *Writer) Bytes(name string, b []byte) {
	w.value = append(w.value[:0], b...)
	w.meta(name)
}

func (w *Writer) fail(err error) {
	if w.Err == nil {
		w.Err = err
	}
}
