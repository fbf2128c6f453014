package memory

import (
	"fmt"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

func TestHostsInMemoryAreBounded(t *testing.T) {
	c := NewHosts()
	for n := range MaxHosts - 1 {
		c.m[weburl.Host(fmt.Sprint(n))] = nil
	}
	for _, h := range []weburl.Host{"last", "last", "further", "last"} {
		if c.Put(&crawler.HostState{Host: h}); len(c.m) != MaxHosts || c.Get(h) == nil {
			t.Errorf("%s: %d hosts, there: %v", h, len(c.m), c.Get(h) != nil)
		}
	}
}

func TestDomainsInMemoryAreBoundedByTheirBytes(t *testing.T) {
	domain := func(name string, value int) *session.DomainState {
		return &session.DomainState{Domain: name, Logins: []session.Login{{Credentials: string(make([]byte, value))}}}
	}
	c := NewDomains()
	most := MaxDomainBytes - domain("a", 0).Bytes()
	for range 2 {
		if c.Put(domain("a", most)); c.bytes != MaxDomainBytes || len(c.m) != 1 {
			t.Errorf("%d domains with %d bytes", len(c.m), c.bytes)
		}
	}
	if c.Put(domain("b", 0)); len(c.m) != 1 {
		t.Errorf("%d domains beyond the limit", len(c.m))
	}
	for _, left := range c.m { // either of them
		if c.bytes != left.Bytes() {
			t.Errorf("%d bytes are counted as %d", left.Bytes(), c.bytes)
		}
	}
}

func TestHostsOfAKindAreNamedUpToALimit(t *testing.T) {
	some := NewSome()
	for n := range MaxSome + 1 {
		some.Note(weburl.Host(fmt.Sprint(n)), true)
	}
	if some.Note("0", false); len(some.m) != MaxSome-1 {
		t.Errorf("%d are named", len(some.m))
	}
}

func TestDomainsInMemoryAreBoundedWhateverTheyHold(t *testing.T) {
	c := NewDomains()
	large := session.KeptCookie{Cookie: session.Cookie{Value: strings.Repeat("x", session.MaxDomainCookieBytes)}}
	for i := range 2 * MaxDomainBytes / session.MaxDomainCookieBytes {
		c.Put(&session.DomainState{Domain: fmt.Sprint("large", i), Cookies: []session.KeptCookie{large}})
	}
	sum := 0
	for _, d := range c.m {
		sum += d.Bytes()
	}
	if c.bytes > MaxDomainBytes || c.bytes != sum {
		t.Errorf("%d bytes, counted %d", sum, c.bytes)
	}
}

func TestFilesInMemoryAreBounded(t *testing.T) {
	c := NewFiles()
	for n := range MaxFiles {
		c.Put(crawler.ShippedFile{Name: fmt.Sprint(n)})
	}
	if _, known := c.Get("0"); !known || len(c.m) != MaxFiles {
		t.Errorf("%d files, the first is there: %v", len(c.m), known)
	}
	c.Put(crawler.ShippedFile{Name: "further", Rows: 1})
	if f, known := c.Get("further"); !known || f.Rows != 1 || len(c.m) != 1 {
		t.Errorf("%+v, %d files", f, len(c.m))
	}
}
