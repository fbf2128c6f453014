package export

import (
	"fmt"
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"trawl/crawler"
	"trawl/storage/storagetest"
)

// BenchmarkExportOfMany writes usual rows, one a round, and reports the process's peak of memory. For ten million rows:
//
//	go test ./storage/export -run NONE -bench ExportOfMany/parquet -benchtime 10000000x
func BenchmarkExportOfMany(b *testing.B) {
	for _, f := range []Format{JSONL, CSV, Parquet} {
		b.Run(string(f), func(b *testing.B) {
			var w counter
			n, err := Rows(&w, f, func(yield func(*crawler.Row, error) bool) {
				for n := 0; b.Loop(); n++ {
					if !yield(usualRow(n), nil) {
						return
					}
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			var usage unix.Rusage
			if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(w)/float64(n), "B/row")
			b.ReportMetric(float64(usage.Maxrss)/1024, "peak-MiB")
		})
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// usualRow is a row of a settled crawl; digests and ETags do not compress.
func usualRow(n int) *crawler.Row {
	r := storagetest.Row(n)
	if n%3 == 2 {
		return r
	}
	r.Sequence = uint64(n)
	r = storagetest.Settled(r)
	x := uint64(n)
	for i := range r.Digest {
		x = x*6364136223846793005 + 1442695040888963407
		r.Digest[i] = byte(x >> 56)
	}
	r.ETag = fmt.Sprintf("%q", fmt.Sprintf("%x", r.Digest[:8]))
	r.Title = fmt.Sprintf("Page %d of usual length, on %x", n, r.Digest[:3])
	return r
}

func BenchmarkExport(b *testing.B) {
	for _, f := range []Format{JSONL, CSV} {
		b.Run(string(f), func(b *testing.B) {
			r := storagetest.Settled(storagetest.Row(7))
			rows := func(yield func(*crawler.Row, error) bool) {
				for b.Loop() {
					if !yield(r, nil) {
						return
					}
				}
			}
			b.ReportAllocs()
			if _, err := Rows(io.Discard, f, rows); err != nil {
				b.Fatal(err)
			}
		})
	}
}
