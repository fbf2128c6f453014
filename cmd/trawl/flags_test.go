package main

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
		var b size
		if err := b.Set(text); err != nil || int64(b) != want.bytes || b.String() != want.back {
			t.Errorf("%s: %d, written %q, %v; want %d, %q", text, b, b.String(), err, want.bytes, want.back)
		}
	}
	for _, text := range []string{"", "M", "-1", "5XB", "1 2", "1e40", "9999999TB", "ten", "NaN", "inf"} {
		b := size(7)
		if err := b.Set(text); err == nil || b != 7 {
			t.Errorf("%q: %d, %v; want an error and the old value", text, b, err)
		}
	}
}

func TestADelayMayBeAPlainZero(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "0s": 0, "250ms": 250 * time.Millisecond, "1m30s": 90 * time.Second} {
		d := delay(time.Hour)
		if err := d.Set(text); err != nil || time.Duration(d) != want {
			t.Errorf("%s: %v, %v; want %v", text, time.Duration(d), err, want)
		}
	}
	for _, text := range []string{"", "1", "soon", "5 s"} {
		if err := new(delay).Set(text); err == nil {
			t.Errorf("%q is taken as a delay", text)
		}
	}
}

func TestCountsAreWrittenInThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := count(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 1550: "1.6 kB", 12_000_000: "12 MB", 3e15: "3000.0 TB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}
