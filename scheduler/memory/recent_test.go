package memory

import (
	"fmt"
	"testing"

	"trawl/crawler/weburl"
)

func TestURLsKnownOfLateAreRemembered(t *testing.T) {
	r := NewRecent(4)
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
		{0, 0, DefaultWindowHosts, DefaultRecentLinks}, {3, 8, 3, 8}, {0, 5, DefaultWindowHosts, 8},
	} {
		if hosts, links := NewWindow(tt.hosts).Size(), len(NewRecent(tt.links).keys); hosts != tt.wantHosts || links != tt.wantLinks {
			t.Errorf("%+v: %d hosts, %d links", tt, hosts, links)
		}
	}
}
