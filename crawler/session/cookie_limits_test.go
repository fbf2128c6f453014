package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"trawl/crawler/weburl"
)

func TestTheCookieFieldIsAsLongAsItMayBeAndNoLonger(t *testing.T) {
	u := urlOf(t, "http://a.example/")
	kept := func(name string, size int) KeptCookie { // that takes so many bytes, with "; " and "="
		return KeptCookie{Cookie: Cookie{Name: name, Value: strings.Repeat("x", size-3-len(name)), Domain: "a.example", Path: "/"}}
	}
	for _, c := range []struct {
		what      string
		sizes     []int
		want      int // bytes of the field
		left      int
		lastTaken bool
	}{
		{"one that just fits", []int{MaxCookieHeader}, MaxCookieHeader - 2, 0, true},
		{"one byte more", []int{MaxCookieHeader + 1}, 0, 1, false},
		{"two that just fit", []int{1002, MaxCookieHeader - 1000}, MaxCookieHeader, 0, true},
		{"a byte more", []int{1002, MaxCookieHeader - 999}, 1000, 1, false},
		{"a shorter one behind it", []int{1002, MaxCookieHeader, MaxCookieHeader, 12}, 1012, 2, true},
	} {
		var cookies []KeptCookie
		for i, size := range c.sizes {
			cookies = append(cookies, kept(fmt.Sprint(i), size))
		}
		field, left := CookieField(cookies, u, cookieNow)
		if last := strings.Contains(field, fmt.Sprint(len(c.sizes)-1)+"="); len(field) != c.want || left != c.left || last != c.lastTaken {
			t.Errorf("%s: %d bytes, %d left out, the last one taken: %v; want %d, %d, %v", c.what, len(field), left, last, c.want, c.left, c.lastTaken)
		}
	}
}

func TestCookiesOfADomainAreBounded(t *testing.T) {
	by := func(host weburl.Host, name string, size int) Cookie {
		return Cookie{Name: name, Value: strings.Repeat("x", size), Domain: string(host), Path: "/", By: host}
	}
	names := func(d *DomainState) map[string]bool {
		m := make(map[string]bool)
		for _, c := range d.Cookies {
			m[c.Name] = true
		}
		return m
	}
	t.Run("a host drives out its own oldest only", func(t *testing.T) {
		d, bounds := DomainState{}, map[string]int64{}
		keep(&d, bounds, by("b.a.example", "other", 10))
		var own []Cookie
		for i := range MaxHostCookies + 5 {
			own = append(own, by("a.example", fmt.Sprint("c", i), 10))
		}
		keep(&d, bounds, own...)
		if got := names(&d); len(got) != MaxHostCookies+1 || !got["other"] || got["c4"] || !got["c5"] || bounds[BoundCookiesHost] != 5 {
			t.Errorf("%v, %v", got, bounds)
		}
	})
	t.Run("bytes count too", func(t *testing.T) {
		d, bounds := DomainState{}, map[string]int64{}
		keep(&d, bounds, by("a.example", "1", 1500), by("a.example", "2", 1500), by("a.example", "3", 1500), by("a.example", "huge", MaxHostCookieBytes))
		if got := names(&d); len(got) != 2 || got["1"] || got["huge"] || bounds[BoundCookiesHost] != 2 {
			t.Errorf("%v, %v", got, bounds)
		}
	})
	t.Run("many hosts cannot fill a domain, and what the user gave goes last", func(t *testing.T) {
		d, bounds := DomainState{}, map[string]int64{}
		keep(&d, bounds, Cookie{Name: "mine", Value: "1", Domain: "a.example", Path: "/"})
		for i := range 2 * MaxDomainCookies {
			keep(&d, bounds, by(weburl.Host(fmt.Sprintf("h%d.a.example", i)), fmt.Sprint("c", i), 10))
		}
		if got := names(&d); len(got) != MaxDomainCookies || !got["mine"] || bounds[BoundCookiesDomain] != MaxDomainCookies+1 {
			t.Errorf("%d cookies, mine %v, %v", len(got), got["mine"], bounds)
		}
	})
	t.Run("what is over makes room, and what is taken back is gone", func(t *testing.T) {
		d := DomainState{}
		c := CookieChange{Cookie: by("a.example", "short", 1), Age: time.Minute}
		d.Apply(&c, cookieNow)
		keep(&d, nil, by("a.example", "long", 1))
		if got := d.For("a.example", cookieNow.Add(30*time.Second)); len(got) != 2 || got[0].Age != 30*time.Second || got[1].Age != 0 {
			t.Errorf("%+v", got)
		}
		if got := d.For("a.example", cookieNow.Add(time.Minute)); len(got) != 1 || got[0].Name != "long" {
			t.Errorf("%+v", got)
		}
		d.Apply(&CookieChange{Cookie: by("a.example", "long", 0), Gone: true}, cookieNow.Add(time.Hour))
		if !d.Empty() {
			t.Errorf("%+v", d)
		}
	})
}
