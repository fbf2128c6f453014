package setting

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSizesAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]struct {
		bytes int64
		back  string
	}{
		"0": {0, "0"}, "1000": {1000, "1000"}, "1KiB": {1024, "1KiB"}, "1k": {1024, "1KiB"}, "1kB": {1024, "1KiB"},
		"64MiB": {64 << 20, "64MiB"}, "64m": {64 << 20, "64MiB"}, "1.5M": {1536 << 10, "1536KiB"}, "5GiB": {5 << 30, "5GiB"},
		"2TB": {2 << 40, "2048GiB"}, "10B": {10, "10"},
	} {
		var n int64
		b := Size.Of(&n)
		if err := b.Set(text); err != nil || n != want.bytes || b.String() != want.back {
			t.Errorf("%s: %d, written %q, %v; want %d, %q", text, n, b.String(), err, want.bytes, want.back)
		}
	}
	for _, text := range []string{"", "M", "-1", "5XB", "1 2", "1e40", "9999999TB", "ten", "NaN", "inf"} {
		n := int64(7)
		if err := Size.Of(&n).Set(text); err == nil || n != 7 {
			t.Errorf("%q: %d, %v; want an error and the old value", text, n, err)
		}
	}
}

func TestADurationMayBeAPlainZero(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "0s": 0, "250ms": 250 * time.Millisecond, "1m30s": 90 * time.Second} {
		d := time.Hour
		if err := Duration.Of(&d).Set(text); err != nil || d != want {
			t.Errorf("%s: %v, %v; want %v", text, d, err, want)
		}
	}
	for _, text := range []string{"", "1", "soon", "5 s"} {
		d := time.Hour
		if err := Duration.Of(&d).Set(text); err == nil || d != time.Hour {
			t.Errorf("%q is taken as a duration", text)
		}
	}
}

func TestARateIsBytesASecond(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "500KiB/s": 500 << 10, "1MB": 1 << 20, "65536": 65536, "1.5M/s": 1536 << 10} {
		var n int64
		if err := Rate.Of(&n).Set(text); err != nil || n != want {
			t.Errorf("%s: %d, %v; want %d", text, n, err, want)
		}
	}
	for _, text := range []string{"", "/s", "1MB/m", "fast", "-1", "1/s/s"} {
		n := int64(7)
		if err := Rate.Of(&n).Set(text); err == nil || n != 7 {
			t.Errorf("%q: %d, %v; want an error and the old value", text, n, err)
		}
	}
}

func TestWholeNumbersAndTruthsAreRead(t *testing.T) {
	n, on := 7, true
	for text, want := range map[string]int{"5": 5, "-1": -1, "1_000": 1000, "0x10": 16} {
		if err := Int.Of(&n).Set(text); err != nil || n != want {
			t.Errorf("%s: %d, %v; want %d", text, n, err, want)
		}
	}
	for text, says := range map[string]string{"": "no whole number", "1.5": "no whole number", "deep": "no whole number", "99999999999999999999": "too large"} {
		if err := Int.Of(&n).Set(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
	if err := Bool.Of(&on).Set("false"); err != nil || on {
		t.Errorf("false is %v, %v", on, err)
	}
	if err := Bool.Of(&on).Set("perhaps"); err == nil || on {
		t.Errorf("perhaps is %v, %v", on, err)
	}
}

func TestListsAreReadWithCommasWhereTheyHaveThem(t *testing.T) {
	for name, c := range map[string]struct {
		commas bool
		texts  []string
		want   []string
	}{
		"one by one":               {false, []string{"a,b", "c"}, []string{"a,b", "c"}},
		"with commas":              {true, []string{"a,b", "c"}, []string{"a", "b", "c"}},
		"a comma in quotes":        {true, []string{`"a,b",c`}, []string{"a,b", "c"}},
		"an empty text is nothing": {true, []string{""}, []string{}},
		"an empty text is a text":  {false, []string{""}, []string{""}},
	} {
		var all []string
		v := Lists[string]{Form: Text, Commas: c.commas}.Of(&all).(List)
		for _, text := range c.texts {
			if err := v.Set(text); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := v.GetSlice(); !slices.Equal(got, c.want) || !reflect.DeepEqual(v.Plain(), c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	numbers := []int{1}
	v := Lists[int]{Form: Int}.Of(&numbers).(List)
	if err := v.Replace([]string{"2", "x"}); err == nil || !slices.Equal(numbers, []int{1}) {
		t.Errorf("a list with a mistake: %v, %v; want the old one", err, numbers)
	}
	if err := v.Append("2"); err != nil || v.String() != "1, 2" {
		t.Errorf("%v, %s", err, v)
	}
	if err := (Lists[string]{Form: Text, Commas: true}).Of(new([]string)).Set(`"a`); err == nil {
		t.Error("a quotation without its end is taken")
	}
}

func TestAnOptionalValueMayBeMissing(t *testing.T) {
	f := Optional(Between(Int, 1, 3, "use 1 to 3"))
	var n *int
	if v := f.Of(&n); v.String() != "" || f.Check(n) != "" || v.Type() != "int" {
		t.Errorf("missing: %q, %q", v, f.Check(n))
	}
	if v := f.Of(&n); v.Set("4") != nil || n == nil || v.String() != "4" || f.Check(n) != "4: use 1 to 3" || *v.Plain().(*int) != 4 {
		t.Errorf("said: %v, %q", n, f.Check(n))
	}
	if err := f.Of(&n).Set("x"); err == nil || *n != 4 {
		t.Errorf("a mistake: %v, %d", err, *n)
	}
}

func TestOneOfFewWordsIsCheckedAndNotParsed(t *testing.T) {
	type word string
	f := Words[word]("a\tthe first", "b", "c")
	for text, says := range map[string]string{"a": "", "c": "", "d": `"d": use a, b or c`, "the first": `"the first": use a, b or c`, "": `"": use a, b or c`} {
		var w word
		if err := f.Of(&w).Set(text); err != nil || w != word(text) || f.Check(w) != says {
			t.Errorf("%q: %q, %v, %q; want %q", text, w, err, f.Check(w), says)
		}
	}
}

func TestLimitsOfNumbersBelongToThem(t *testing.T) {
	for d, says := range map[time.Duration]string{0: "", time.Hour: "", -1: "-1ns: use 0 to 1h", time.Hour + 1: "1h0m0.000000001s: use 0 to 1h"} {
		if got := Between(Duration, 0, time.Hour, "use 0 to 1h").Check(d); got != says {
			t.Errorf("%v: %q, want %q", d, got, says)
		}
	}
	for n, says := range map[int64]string{1: "", 7: "", 0: "0: use 1 or more"} {
		if got := AtLeast(Int64, 1, "use 1 or more").Check(n); got != says {
			t.Errorf("%d: %q, want %q", n, got, says)
		}
	}
}
