package schema

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field is a line of a table of records of type T: how one field is written, read and shown.
type Field[T any] struct {
	Line
	write   func(b []byte, v *T) []byte
	read    func(in In, v *T) error
	cell    func(v *T) Cell
	form    Form
	columns []Column[T]
}

// Require says that the field is always there: a record without it is refused.
func (f Field[T]) Require() Field[T] {
	f.Required = true
	return f
}

// AtLeast is the least number, or the least length in bytes.
func (f Field[T]) AtLeast(n int64) Field[T] {
	f.Min = n
	return f
}

// AtMost is the greatest number, or the greatest length in bytes.
func (f Field[T]) AtMost(n int64) Field[T] {
	f.Max = n
	return f
}

// Check adds what must hold of the field once it was read.
func (f Field[T]) Check(holds func(v *T) error) Field[T] {
	read := f.read
	f.read = func(in In, v *T) error {
		if err := read(in, v); err != nil {
			return err
		}
		return holds(v)
	}
	return f
}

// Unless leaves the field out of what is written where another field has what it says.
func (f Field[T]) Unless(elsewhere func(v *T) bool) Field[T] {
	write := f.write
	f.write = func(b []byte, v *T) []byte {
		if elsewhere(v) {
			return b
		}
		return write(b, v)
	}
	return f
}

func number[T any](n protowire.Number, name, kind string, write func([]byte, *T) []byte, read func(In, *T) error) Field[T] {
	return Field[T]{Line: Line{Number: n, Name: name, Kind: kind, Type: protowire.VarintType, Min: math.MinInt64, Max: math.MaxInt64}, write: write, read: read}
}

func fixed[T any](n protowire.Number, name, kind string, write func([]byte, *T) []byte, read func(In, *T) error) Field[T] {
	f := number(n, name, kind, write, read)
	f.Type = protowire.Fixed64Type
	return f
}

func bytesOf[T any](n protowire.Number, name, kind string, write func([]byte, *T) []byte, read func(In, *T) error) Field[T] {
	f := number(n, name, kind, write, read)
	f.Type, f.Min = protowire.BytesType, 0
	return f
}

// appendVarint spares the call for what fits into one byte, which most tags and lengths do.
func appendVarint(b []byte, v uint64) []byte {
	if v < 0x80 {
		return append(b, byte(v))
	}
	return protowire.AppendVarint(b, v)
}

func appendTag(b []byte, n protowire.Number, typ protowire.Type) []byte {
	return appendVarint(b, uint64(n)<<3|uint64(typ))
}

func appendNumber(b []byte, n protowire.Number, v uint64) []byte {
	return appendVarint(appendTag(b, n, protowire.VarintType), v)
}

func appendFixed(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendFixed64(appendTag(b, n, protowire.Fixed64Type), v)
}

func appendText(b []byte, n protowire.Number, s string) []byte {
	return append(appendVarint(appendTag(b, n, protowire.BytesType), uint64(len(s))), s...)
}

func appendBytes(b []byte, n protowire.Number, s []byte) []byte {
	return append(appendVarint(appendTag(b, n, protowire.BytesType), uint64(len(s))), s...)
}
