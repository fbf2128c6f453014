package ledger

import (
	"reflect"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/storage/storagetest"
)

func TestWhatIsKeptOfADomain(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, "ledger", small(fs))
	read := func(name string, want *session.DomainState) {
		t.Helper()
		got, found, err := l.Domain(name)
		if err != nil || found != (want != nil) || found && !reflect.DeepEqual(got, *want) {
			t.Errorf("%s: %+v, %v, %v", name, got, found, err)
		}
	}
	d := session.DomainState{
		Domain: "a.example",
		Cookies: []session.KeptCookie{
			{Cookie: session.Cookie{Name: "second", Value: `"x"`, Domain: "a.example", Below: true, Path: "/", By: "www.a.example"}, Set: time.Unix(2, 0).UTC()},
			{Cookie: session.Cookie{Name: "first", Domain: "a.example", Path: "/", Secure: true, HTTPOnly: true}, Expires: time.Unix(9, 0).UTC(), Set: time.Unix(1, 0).UTC()},
		},
		Logins: []session.Login{{Host: "a.example:8080", Scheme: "https", Credentials: "me:pw"}},
	}
	read("a.example", nil)
	storagetest.Commit(t, l, &crawler.Changes{Domains: []session.DomainState{d, {Domain: "b.example"}}})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, "ledger", small(fs))
	read("a.example", &d)
	read("b.example", nil)
	if b, err := l.Verify(t.Context()); err != nil || !b.OK() {
		t.Errorf("%v %v", b.Differences, err)
	}
	d.Cookies, d.Logins = nil, nil
	storagetest.Commit(t, l, &crawler.Changes{Domains: []session.DomainState{d}})
	read("a.example", nil)
}
