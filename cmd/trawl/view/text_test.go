package view

import "testing"

func TestCountsAreWrittenInThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := Count(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 1550: "1.6 kB", 12_000_000: "12 MB", 3e15: "3000.0 TB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}
