package memory

import (
	"fmt"
	"testing"

	"trawl/crawler/weburl"
)

func TestURLsKnownOfLateAreRemembered(t *testing.T) {
	r := NewRecent(2)
	a := weburl.MustParse("http://a.test/1").Key()
	b := a
	for n := 2; a == b || r.place(a) != r.place(b); n++ {
		b = weburl.MustParse(fmt.Sprintf("http://a.test/%d", n)).Key()
	}
	if r.Has(a) || r.Has(weburl.URLKey{}) {
		t.Error("one is known at the beginning")
	}
	if r.Add(a); !r.Has(a) || r.Has(b) {
		t.Errorf("the first: %v, another at its place: %v", r.Has(a), r.Has(b))
	}
	if r.Add(b); r.Has(a) || !r.Has(b) {
		t.Errorf("the first: %v, the one that took its place: %v", r.Has(a), r.Has(b))
	}
}

func TestMemoryIsAsLargeAsIsAskedFor(t *testing.T) {
	for _, tt := range []struct{ hosts, links, wantHosts, wantLinks int }{
		{0, 0, DefaultWindowHosts, leastRecentLinks}, {3, 8, 3, 8}, {0, 5, DefaultWindowHosts, 8},
	} {
		if hosts, links := NewWindow(tt.hosts).Size(), len(NewRecent(tt.links).keys); hosts != tt.wantHosts || links != tt.wantLinks {
			t.Errorf("%+v: %d hosts, %d links", tt, hosts, links)
		}
	}
}

func TestWhatIsRememberedGrowsToItsSizeAndForgetsNothingByThat(t *testing.T) {
	r := NewRecent(4 * leastRecentLinks)
	lost := 0
	for n := range uint64(leastRecentLinks) {
		k := weburl.URLKey{Host: 1, URL: n * 0x9e3779b97f4a7c15}
		had := r.place(k)
		if *had != (weburl.URLKey{}) {
			lost++
		}
		r.Add(k)
	}
	kept := 0
	for _, k := range r.keys {
		if k != (weburl.URLKey{}) {
			kept++
		}
	}
	if kept != r.taken || kept < leastRecentLinks-lost || len(r.keys) <= leastRecentLinks {
		t.Errorf("%d of %d keys are kept in %d places (%d counted), %d gave their place to another", kept, leastRecentLinks, len(r.keys), r.taken, lost)
	}
	for n := range uint64(16 * leastRecentLinks) {
		r.Add(weburl.URLKey{Host: 2, URL: n * 0x9e3779b97f4a7c15})
	}
	if len(r.keys) != 4*leastRecentLinks {
		t.Errorf("it has %d places, want %d", len(r.keys), 4*leastRecentLinks)
	}
}
