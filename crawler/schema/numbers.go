package schema

import (
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Version is the version of a message, written as the newest that this trawl knows. One that it does not know is refused, and so is none.
func Version[T any](n protowire.Number, oldest, newest uint64) Field[T] {
	return number(n, "version", "uint32", func(b []byte, _ *T) []byte {
		return appendNumber(b, n, newest)
	}, func(in In, _ *T) error {
		if in.number < oldest || in.number > newest {
			return errVersion
		}
		return nil
	}).Require()
}

// Bool is true or absent.
func Bool[T any](n protowire.Number, name string, at func(*T) *bool) Field[T] {
	f := number(n, name, "bool", func(b []byte, v *T) []byte {
		if *at(v) {
			b = appendNumber(b, n, 1)
		}
		return b
	}, func(in In, v *T) error {
		*at(v) = in.number != 0
		return nil
	})
	f.form, f.cell = FormFlag, func(v *T) Cell { return Cell{Flag: *at(v), There: true} }
	return f
}

// Count is a number of things, up to 2^31-1.
func Count[T any](n protowire.Number, name string, at func(*T) *int) Field[T] {
	f := number(n, name, "uint32", func(b []byte, v *T) []byte {
		if c := *at(v); c > 0 {
			b = appendNumber(b, n, uint64(min(c, math.MaxInt32)))
		}
		return b
	}, func(in In, v *T) error {
		*at(v) = int(in.number)
		return nil
	}).AtLeast(0).AtMost(math.MaxInt32)
	f.form, f.cell = FormNumber, func(v *T) Cell { return numberCell(int64(*at(v))) }
	return f
}

// Size is a number of bytes or a place in a file.
func Size[T any](n protowire.Number, name string, at func(*T) *int64) Field[T] {
	f := number(n, name, "int64", func(b []byte, v *T) []byte {
		if c := *at(v); c > 0 {
			b = appendNumber(b, n, uint64(c))
		}
		return b
	}, func(in In, v *T) error {
		*at(v) = int64(in.number)
		return nil
	}).AtLeast(0)
	f.form, f.cell = FormNumber, func(v *T) Cell { return numberCell(*at(v)) }
	return f
}

// Duration is a time that is not below zero, in nanoseconds.
func Duration[T any](n protowire.Number, name string, at func(*T) *time.Duration) Field[T] {
	f := Size(n, name, func(v *T) *int64 { return (*int64)(at(v)) })
	f.Unit = "nanoseconds"
	return f
}

// Signed is a number that may be below zero, where that is a mistake that somebody looks for.
func Signed[T any](n protowire.Number, name string, at func(*T) *int64) Field[T] {
	return number(n, name, "sint64", func(b []byte, v *T) []byte {
		if c := *at(v); c != 0 {
			b = appendNumber(b, n, protowire.EncodeZigZag(c))
		}
		return b
	}, func(in In, v *T) error {
		*at(v) = protowire.DecodeZigZag(in.number)
		return nil
	})
}

// Uint is any number of 64 bits.
func Uint[T any](n protowire.Number, name string, at func(*T) *uint64) Field[T] {
	return number(n, name, "uint64", func(b []byte, v *T) []byte {
		if c := *at(v); c != 0 {
			b = appendNumber(b, n, c)
		}
		return b
	}, func(in In, v *T) error {
		*at(v) = in.number
		return nil
	})
}

// Hash is a number of 64 bits of which each is as good as any other.
func Hash[T any](n protowire.Number, name string, at func(*T) *uint64) Field[T] {
	return fixed(n, name, "fixed64", func(b []byte, v *T) []byte {
		if c := *at(v); c != 0 {
			b = appendFixed(b, n, c)
		}
		return b
	}, func(in In, v *T) error {
		*at(v) = in.number
		return nil
	})
}

// Enum is a number of a list that ends with last, or a set of bits.
func Enum[T any](n protowire.Number, name string, last uint8, at func(*T) *uint8) Field[T] {
	return number(n, name, "uint32", func(b []byte, v *T) []byte {
		if c := *at(v); c != 0 {
			b = appendNumber(b, n, uint64(c))
		}
		return b
	}, func(in In, v *T) error {
		*at(v) = uint8(in.number)
		return nil
	}).AtLeast(0).AtMost(int64(last))
}

// maxMillis is the end of the year 9999, the last one that RFC 3339 can write.
const maxMillis = 253402300799999

// Moment is a time after 1970 as people see it, in milliseconds; any other is absent.
func Moment[T any](n protowire.Number, name string, at func(*T) *time.Time) Field[T] {
	f := number(n, name, "int64", func(b []byte, v *T) []byte {
		if ms := at(v).UnixMilli(); ms > 0 {
			b = appendNumber(b, n, uint64(ms))
		}
		return b
	}, func(in In, v *T) error {
		if *at(v) = (time.Time{}); in.number > 0 {
			*at(v) = time.UnixMilli(int64(in.number)).UTC()
		}
		return nil
	}).AtLeast(0).AtMost(maxMillis)
	f.Unit, f.form, f.cell = "milliseconds since 1970", FormTime, func(v *T) Cell { return timeCell(*at(v)) }
	return f
}

// Bounds of the times that fit into 64 bits of nanoseconds; times beyond are taken for the bound.
var (
	minTime = time.Unix(0, math.MinInt64+1)
	maxTime = time.Unix(0, math.MaxInt64)
)

// Nanos is a time in nanoseconds since 1970. It is never MinInt64.
func Nanos(t time.Time) int64 {
	switch {
	case t.Before(minTime):
		return math.MinInt64 + 1
	case t.After(maxTime):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// Clock is a time of ours, in nanoseconds since 1970; the zero time is absent.
func Clock[T any](n protowire.Number, name string, at func(*T) *time.Time) Field[T] {
	f := fixed(n, name, "optional sfixed64", func(b []byte, v *T) []byte {
		if t := *at(v); !t.IsZero() {
			b = appendFixed(b, n, uint64(Nanos(t)))
		}
		return b
	}, func(in In, v *T) error {
		*at(v) = time.Unix(0, int64(in.number)).UTC()
		return nil
	}).AtLeast(math.MinInt64 + 1)
	f.Unit, f.form, f.cell = "nanoseconds since 1970", FormTime, func(v *T) Cell { return timeCell(*at(v)) }
	return f
}
