package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"trawl/crawler/weburl"
	"trawl/storage/storagetest"
)

func TestPointersAreSortedHoweverMany(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", "/nonexistent") // they spill beside the crawl, where there is room
	for _, most := range []int{1, 7, 100, 10_000} {
		rng := rand.New(rand.NewPCG(1, uint64(most)))
		var want []pointer
		ps := pointers{dir: dir, most: most}
		for range 1000 {
			p := pointer{file: rng.Uint32N(4), offset: rng.Int64N(100), length: rng.Int64(), bytes: -1, robots: byte(rng.IntN(3)),
				key: weburl.URLKey{Host: weburl.HostKey(rng.Uint64()), URL: rng.Uint64()}, digest: storagetest.Digest(fmt.Sprint(rng.Int()))}
			if rng.IntN(2) == 0 {
				p.file, p.offset = plainFiles, int64(rng.Uint64())
			}
			want = append(want, p)
			if err := ps.add(p); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortFunc(want, func(a, b pointer) int { return a.compare(&b) })
		if err := ps.sort(); err != nil {
			t.Fatal(err)
		}
		var got []pointer
		for p := ps.peek(); p != nil; p = ps.peek() {
			got = append(got, *p)
			if err := ps.next(); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("with %d in memory they come in another order, or others: %d of %d", most, len(got), len(want))
		}
		if err := ps.close(); err != nil {
			t.Error(err)
		}
	}
}
