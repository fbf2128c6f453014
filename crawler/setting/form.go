package setting

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Form is a way of writing values.
type Form[T any] struct {
	Type    string                  // a word for people: duration, size, …
	Parse   func(string) (T, error) // its errors say how to write a value
	Text    func(T) string          // in a way that Parse reads
	Check   func(T) string          // what is wrong with a value that can be written, "" for nothing; nil = never anything
	Choices []string                // all values, where there are few; what one means stands behind a tab
}

// Value is a field with its form: text in, text out. Flags can be made of it.
type Value interface {
	String() string        // in a way that Set reads
	Set(text string) error // a text that is wrong changes nothing
	Type() string
	Plain() any // as files have it: a number, a truth value, a text, or a list of texts
}

// List is a Value of several. Set adds to it.
type List interface {
	Value
	Append(text string) error
	Replace(texts []string) error
	GetSlice() []string
}

// Of makes a value of a field.
func (f Form[T]) Of(field *T) Value { return &one[T]{f, field} }

type one[T any] struct {
	form  Form[T]
	field *T
}

func (v *one[T]) String() string { return v.form.Text(*v.field) }
func (v *one[T]) Type() string   { return v.form.Type }

func (v *one[T]) Set(text string) error {
	value, err := v.form.Parse(text)
	if err == nil {
		*v.field = value
	}
	return err
}

func (v *one[T]) Plain() any {
	switch p := any(*v.field).(type) {
	case int, int64, bool, *int, *int64, *bool:
		return p
	}
	return v.String()
}

// Optional is the form of a value that may be missing.
func Optional[T any](f Form[T]) Form[*T] {
	return Form[*T]{
		Type: f.Type, Choices: f.Choices,
		Parse: func(s string) (*T, error) {
			v, err := f.Parse(s)
			return &v, err
		},
		Text: func(v *T) string {
			if v == nil {
				return ""
			}
			return f.Text(*v)
		},
		Check: func(v *T) string {
			if v == nil || f.Check == nil {
				return ""
			}
			return f.Check(*v)
		},
	}
}

// Lists are values of several with one form.
type Lists[T any] struct {
	Form[T]
	Commas bool // one text may have several values, as a line of CSV
}

// Of makes a value of a field.
func (f Lists[T]) Of(field *[]T) Value { return &many[T]{f, field} }

type many[T any] struct {
	form  Lists[T]
	field *[]T
}

func (v *many[T]) String() string { return strings.Join(v.GetSlice(), ", ") }
func (v *many[T]) Type() string   { return v.form.Type }
func (v *many[T]) Plain() any     { return v.GetSlice() }

func (v *many[T]) Set(text string) error {
	if !v.form.Commas {
		return v.Append(text)
	}
	texts, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil && text != "" {
		return err
	}
	return v.add(*v.field, texts)
}

func (v *many[T]) Append(text string) error     { return v.add(*v.field, []string{text}) }
func (v *many[T]) Replace(texts []string) error { return v.add(nil, texts) }

func (v *many[T]) add(to []T, texts []string) error {
	for _, text := range texts {
		value, err := v.form.Parse(text)
		if err != nil {
			return err
		}
		to = append(to, value)
	}
	*v.field = to
	return nil
}

func (v *many[T]) GetSlice() []string {
	texts := make([]string, len(*v.field))
	for i, value := range *v.field {
		texts[i] = v.form.Text(value)
	}
	return texts
}

// Between permits values from low to high; advice says so.
func Between[T cmp.Ordered](f Form[T], low, high T, advice string) Form[T] {
	return f.Where(func(v T) bool { return low <= v && v <= high }, advice)
}

// AtLeast permits values from low on; advice says so.
func AtLeast[T cmp.Ordered](f Form[T], low T, advice string) Form[T] {
	return f.Where(func(v T) bool { return low <= v }, advice)
}

// Where permits values for which ok is true; advice says which.
func (f Form[T]) Where(ok func(T) bool, advice string) Form[T] {
	f.Check = func(v T) string {
		if ok(v) {
			return ""
		}
		if text := reflect.ValueOf(v); text.Kind() == reflect.String {
			return fmt.Sprintf("%q: %s", text, advice)
		}
		return fmt.Sprintf("%v: %s", v, advice)
	}
	return f
}

// Forms that every setting may have.
var (
	Int      = Form[int]{Type: "int", Parse: parseWhole[int], Text: strconv.Itoa}
	Int64    = Form[int64]{Type: "int64", Parse: parseWhole[int64], Text: func(n int64) string { return strconv.FormatInt(n, 10) }}
	Duration = Form[time.Duration]{Type: "duration", Parse: parseDuration, Text: time.Duration.String}
	Size     = Form[int64]{Type: "size", Parse: parseSize, Text: sizeText} // in bytes, written 1048576, 1MiB, 1M or 1MB
	Rate     = Form[int64]{Type: "rate", Parse: parseRate, Text: sizeText} // in bytes a second, written 500KiB/s, 1MB/s or 1MB
	Text     = Words[string]()
	Bool     = Form[bool]{Type: "bool", Parse: parseBool, Text: strconv.FormatBool}
)

// Words is the form of a text that is one of few; each may have a tab and what it means. Parse takes any text, so that a
// wrong one is reported with all other problems. Without words every text is right.
func Words[T ~string](choices ...string) Form[T] {
	f := Form[T]{Type: "string", Parse: func(s string) (T, error) { return T(s), nil }, Text: func(v T) string { return string(v) }, Choices: choices}
	if len(choices) > 0 {
		f = f.Where(func(v T) bool { return slices.Contains(words(choices), string(v)) }, "use "+anyOf(choices))
	}
	return f
}

func words(choices []string) []string {
	all := make([]string, len(choices))
	for i, c := range choices {
		all[i], _, _ = strings.Cut(c, "\t")
	}
	return all
}

// anyOf is a list for people: a, b or c.
func anyOf(choices []string) string {
	all := words(choices)
	last := len(all) - 1
	return strings.Join(all[:last], ", ") + " or " + all[last]
}

func parseWhole[T int | int64](s string) (T, error) {
	n, err := strconv.ParseInt(s, 0, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("%q is too large", s)
	} else if err != nil {
		return 0, fmt.Errorf("%q is no whole number", s)
	}
	return T(n), nil
}

func parseBool(s string) (bool, error) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("%q: use true or false", s)
	}
	return b, nil
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration: write 500ms, 2s or 1m", s)
	}
	return d, nil
}

func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGTiBkmgtb")
	unit := strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(s[len(digits):]), "b"), "i"))
	factor := map[string]float64{"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}[unit]
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || factor == 0 || math.IsNaN(n) || n < 0 || n*factor > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is no size: write 500KiB, 64MiB or 5GiB", s)
	}
	return int64(n * factor), nil
}

func parseRate(s string) (int64, error) {
	n, err := parseSize(strings.TrimSuffix(s, "/s"))
	if err != nil {
		return 0, fmt.Errorf("%q is no rate: write 500KiB/s or 5MiB/s", s)
	}
	return n, nil
}

func sizeText(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n != 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
