package schema

import (
	"encoding/binary"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Message is a record in a record. One without anything is absent.
func Message[T, M any](n protowire.Number, name string, table *Table[M], at func(*T) *M) Field[T] {
	f := bytesOf(n, name, table.Name, func(b []byte, v *T) []byte {
		start := len(b)
		b, empty := appendMessage(b, n, table, at(v))
		if empty {
			return b[:start]
		}
		return b
	}, func(in In, v *T) error { return table.read(in, at(v)) })
	f.Line.Message = &table.Record
	for _, c := range table.Columns() {
		f.columns = append(f.columns, Column[T]{
			Place: c.Place, Name: c.Name, Form: c.Form, Marks: c.Marks, Cell: func(v *T) Cell { return c.Cell(at(v)) },
		})
	}
	return f
}

// appendMessage writes a record with its length in front.
func appendMessage[M any](b []byte, n protowire.Number, table *Table[M], v *M) (_ []byte, empty bool) {
	b = append(appendTag(b, n, protowire.BytesType), 0)
	start := len(b)
	b = table.Append(b, v)
	size := len(b) - start
	if size < 0x80 {
		b[start-1] = byte(size)
		return b, size == 0
	}
	var room [binary.MaxVarintLen64]byte // one byte was kept free for the length; the rest moves
	more := protowire.SizeVarint(uint64(size)) - 1
	b = append(b, room[:more]...)
	copy(b[start+more:], b[start:start+size])
	protowire.AppendVarint(b[:start-1], uint64(size))
	return b, false
}

// List is a list of records. At most so many are written or read; 0 = any number.
func List[T, M any](n protowire.Number, name string, most int, table *Table[M], at func(*T) *[]M) Field[T] {
	f := bytesOf(n, name, "repeated "+table.Name, func(b []byte, v *T) []byte {
		list := *at(v)
		for i := range list {
			b, _ = appendMessage(b, n, table, &list[i])
		}
		return b
	}, func(in In, v *T) error {
		list := at(v)
		if most > 0 && len(*list) >= most {
			return errTooMany
		}
		var m M
		*list = append(*list, m)
		return table.read(in, &(*list)[len(*list)-1])
	})
	f.Line.Message = &table.Record
	return f
}

// Texts is a list of texts.
func Texts[T any](n protowire.Number, name string, at func(*T) *[]string) Field[T] {
	return bytesOf(n, name, "repeated bytes", func(b []byte, v *T) []byte {
		for _, s := range *at(v) {
			b = appendText(b, n, s)
		}
		return b
	}, func(in In, v *T) error {
		*at(v) = append(*at(v), in.String())
		return nil
	})
}

// TextList is a list of texts that a record does not have as such: each gives the parts of those that are to be written, take is
// given those that were read.
func TextList[T any](n protowire.Number, name string, each func(v *T, write func(head, tail string)), take func(v *T, text string)) Field[T] {
	return bytesOf(n, name, "repeated string", func(b []byte, v *T) []byte {
		each(v, func(head, tail string) {
			b = appendVarint(appendTag(b, n, protowire.BytesType), uint64(len(head)+len(tail)))
			b = append(append(b, head...), tail...)
		})
		return b
	}, func(in In, v *T) error {
		take(v, in.String())
		return nil
	})
}

// Hashes is a list of [Hash].
func Hashes[T any](n protowire.Number, name string, at func(*T) *[]uint64) Field[T] {
	return bytesOf(n, name, "repeated fixed64", func(b []byte, v *T) []byte {
		list := *at(v)
		if len(list) == 0 {
			return b
		}
		b = appendVarint(appendTag(b, n, protowire.BytesType), uint64(8*len(list)))
		for _, h := range list {
			b = protowire.AppendFixed64(b, h)
		}
		return b
	}, func(in In, v *T) error {
		if len(in.bytes)%8 != 0 {
			return errCut
		}
		list := slices.Grow(*at(v), len(in.bytes)/8)
		for b := in.bytes; len(b) > 0; b = b[8:] {
			list = append(list, binary.LittleEndian.Uint64(b))
		}
		*at(v) = list
		return nil
	})
}

// Counts is a table of counts, each at the place that its number says. Counts behind its end are refused: without them nothing
// would add up.
func Counts[T any](n protowire.Number, name string, at func(*T) []int64) Field[T] {
	return bytesOf(n, name, "repeated sint64", func(b []byte, v *T) []byte {
		counts := at(v)
		for len(counts) > 0 && counts[len(counts)-1] == 0 {
			counts = counts[:len(counts)-1]
		}
		if len(counts) == 0 {
			return b
		}
		size := 0
		for _, c := range counts {
			size += protowire.SizeVarint(protowire.EncodeZigZag(c))
		}
		b = appendVarint(appendTag(b, n, protowire.BytesType), uint64(size))
		for _, c := range counts {
			b = protowire.AppendVarint(b, protowire.EncodeZigZag(c))
		}
		return b
	}, func(in In, v *T) error {
		counts := at(v)
		for b := in.bytes; len(b) > 0; {
			c, size := protowire.ConsumeVarint(b)
			if size < 0 {
				return errCut
			}
			if len(counts) == 0 {
				return errTooMany
			}
			counts[0] = protowire.DecodeZigZag(c)
			counts, b = counts[1:], b[size:]
		}
		return nil
	})
}

// tally is an entry of [Tallies].
type tally struct {
	word  string
	count int64
}

var tallyTable = Of("Tally",
	Foreign(1, "word", func(t *tally) *string { return &t.word }).Require().AtLeast(1).AtMost(maxWord),
	Size(2, "count", func(t *tally) *int64 { return &t.count }),
)

// Tallies counts what words stand for. At most so many words are read.
func Tallies[T any](n protowire.Number, name string, most int, at func(*T) *map[string]int64) Field[T] {
	f := bytesOf(n, name, "repeated "+tallyTable.Name, func(b []byte, v *T) []byte {
		counts := *at(v)
		for _, word := range slices.Sorted(maps.Keys(counts)) {
			b, _ = appendMessage(b, n, tallyTable, &tally{word, counts[word]})
		}
		return b
	}, func(in In, v *T) error {
		var t tally
		if err := tallyTable.read(in, &t); err != nil {
			return err
		}
		counts := at(v)
		if *counts == nil {
			*counts = make(map[string]int64)
		}
		if (*counts)[t.word] += t.count; len(*counts) > most {
			return errTooMany
		}
		return nil
	})
	f.Line.Message = &tallyTable.Record
	return f
}
