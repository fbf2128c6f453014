package setting

import (
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
