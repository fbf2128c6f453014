package schema

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// What can be wrong with a field; errors name it in front.
var (
	errCut     = errors.New("ends in the middle of a field")
	errType    = errors.New("is of another type")
	errRange   = errors.New("is out of range")
	errMissing = errors.New("is missing")
	errZero    = errors.New("is zero")
	errVersion = errors.New("is of another version: use the same trawl on all nodes")
	errNoURL   = errors.New("is not a canonical URL")
	errNoHost  = errors.New("is not a host")
	errNoWord  = errors.New("is not a word")
	errNoLine  = errors.New("is not one line of text")
	errOutside = errors.New("leaves the directory")
	errTooMany = errors.New("has too many elements")
)

// Table describes records of type T.
type Table[T any] struct {
	Record
	fields   []Field[T]
	writes   []func([]byte, *T) []byte // of the fields with a number, beside each other for the processor's sake
	places   []uint8                   // of the field with a number, from 1; 0 = there is none
	required uint64                    // a bit for each place
	check    func(*T) error
}

// Record is what a table says, without the type: for those who compare or translate tables.
type Record struct {
	Name  string
	Lines []Line // in the order of the table; those without a number are only shown
}

// Line is what a table says of one field.
type Line struct {
	Number   protowire.Number
	Name     string
	Kind     string         // as Protocol Buffers call it, "repeated" in front of lists; of a message its name
	Type     protowire.Type // in the encoding
	Message  *Record        // of fields that are records
	Min, Max int64          // of a number its range, of bytes their length
	Required bool
	Unit     string // of a number
}

// Of makes a table. A mistake in it, such as a number that is there twice, panics: tables are part of the program.
func Of[T any](name string, fields ...Field[T]) *Table[T] {
	t := &Table[T]{Record: Record{Name: name}}
	for _, f := range fields {
		t.Lines = append(t.Lines, f.Line)
		if f.Number == 0 {
			t.fields = append(t.fields, f)
			continue
		}
		for int(f.Number) >= len(t.places) {
			t.places = append(t.places, 0)
		}
		if t.places[f.Number] != 0 || len(t.fields) >= 64 {
			panic(fmt.Sprintf("schema: record %s has field %d twice, or more than 64 fields", name, f.Number))
		}
		t.fields, t.writes = append(t.fields, f), append(t.writes, f.write)
		t.places[f.Number] = uint8(len(t.fields))
		if f.Line.Required {
			t.required |= 1 << (len(t.fields) - 1)
		}
	}
	return t
}

// Check adds what must hold of a record as a whole; it is asked after all fields were read, and may complete the record.
func (t *Table[T]) Check(check func(*T) error) *Table[T] {
	t.check = check
	return t
}

// Append writes a record behind b. What cannot be below zero is written as zero then: a clock that was set back while something
// was measured does not make the record unreadable.
func (t *Table[T]) Append(b []byte, v *T) []byte {
	for _, write := range t.writes {
		b = write(b, v)
	}
	return b
}

// Read reads a record that came from elsewhere into v, which is zero.
func (t *Table[T]) Read(b []byte, v *T) error { return t.read(In{bytes: b}, v) }

// ReadStored reads a record of our own into v, which is zero.
func (t *Table[T]) ReadStored(b []byte, v *T) error {
	return t.read(In{bytes: b, text: string(b), stored: true}, v)
}

// In is the value of a field as it was found: a number, or bytes.
type In struct {
	number uint64
	bytes  []byte // in the memory of the message
	text   string // the same, in the copy that the record's texts share; only of stored records
	stored bool
}

// String is the text of a field, in memory of the record.
func (in In) String() string {
	if in.stored {
		return in.text
	}
	return string(in.bytes)
}

func (t *Table[T]) read(record In, v *T) error {
	var seen uint64
	b := record.bytes
	for at := 0; at < len(b); {
		tag, n := consumeVarint(b[at:])
		if n < 0 {
			return errCut
		}
		at += n
		var place uint8
		if number := tag >> 3; number < uint64(len(t.places)) {
			place = t.places[number]
		}
		in, n := consume(record, at, tag)
		if n < 0 {
			return errCut
		}
		at += n
		if place == 0 {
			continue
		}
		f := &t.fields[place-1]
		switch size := in.size(f.Type); {
		case f.Type != protowire.Type(tag&7):
			return f.wrong(errType)
		case size < f.Min || size > f.Max:
			return f.wrong(errRange)
		}
		if err := f.read(in, v); err != nil {
			return f.wrong(err)
		}
		seen |= 1 << (place - 1)
	}
	if t.required&^seen != 0 {
		return t.missing(seen)
	}
	if t.check != nil {
		return t.check(v)
	}
	return nil
}

// consume reads the value of a field that begins at a place of the record. n is its length, below zero when it is cut.
func consume(record In, at int, tag uint64) (in In, n int) {
	b := record.bytes[at:]
	in.stored = record.stored
	switch protowire.Type(tag & 7) {
	case protowire.VarintType:
		in.number, n = consumeVarint(b)
	case protowire.Fixed64Type:
		in.number, n = protowire.ConsumeFixed64(b)
	case protowire.BytesType:
		size, k := consumeVarint(b)
		if k < 0 || size > uint64(len(b)-k) {
			return in, -1
		}
		n = k + int(size)
		if in.bytes = b[k:n:n]; in.stored {
			in.text = record.text[at+k : at+n]
		}
	default: // of no field that we know
		number, typ := protowire.DecodeTag(tag)
		n = protowire.ConsumeFieldValue(number, typ, b)
	}
	return in, n
}

// consumeVarint spares the call for what fits into one byte, which most tags and lengths do.
func consumeVarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return protowire.ConsumeVarint(b)
}

// size is what the range of a field bounds.
func (in *In) size(typ protowire.Type) int64 {
	if typ == protowire.BytesType {
		return int64(len(in.bytes))
	}
	return int64(in.number)
}

func (f *Field[T]) wrong(err error) error { return fmt.Errorf("%s: %w", f.Name, err) }

func (t *Table[T]) missing(seen uint64) error {
	for i := range t.fields {
		if f := &t.fields[i]; f.Line.Required && seen&(1<<i) == 0 {
			return f.wrong(errMissing)
		}
	}
	return nil
}
