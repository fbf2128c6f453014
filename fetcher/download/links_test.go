package download

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"trawl/crawler"
	"trawl/fetcher/fetchertest"
)

func TestLinksAndTitle(t *testing.T) {
	const page = "<title>T&amp;T</title><a href=/a></a><img src=/i>"
	russian, _ := charmap.Windows1251.NewEncoder().String("<title>Привет</title><a href=/a></a>")
	declared, _ := charmap.Windows1251.NewEncoder().String("<meta charset=windows-1251><title>Привет</title><a href=/a></a>")
	wide, _ := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String("<title>Привет</title><a href=/a></a>")
	for _, c := range []struct {
		name   string
		body   string
		header []string
		set    func(*exchange)
		want   string
		title  string
	}{
		{"of a page", page, []string{"Content-Type", "text/html"}, nil, "/a /i", "T&T"},
		{"of a page without a type", "<!doctype html>" + page, []string{"Content-Type", ""}, nil, "/a /i", "T&T"},
		{"of a compressed page", string(fetchertest.Gzipped([]byte(page))), []string{"Content-Type", "text/html", "Content-Encoding", "gzip"}, nil, "/a /i", "T&T"},
		{"of a page with a word for its coding that says nothing", page, []string{"Content-Type", "text/html", "Content-Encoding", "compress"}, nil, "/a /i", "T&T"},
		{"of bytes in an unknown coding", "\x1f\x9d\x90<title>" + page, []string{"Content-Type", "text/html", "Content-Encoding", "compress"}, nil, "", ""},
		{"of a page that is labelled as compressed", page, []string{"Content-Type", "text/html", "Content-Encoding", "gzip"}, nil, "/a /i", "T&T"},
		{"of a page when none are wanted", page, []string{"Content-Type", "text/html"}, func(x *exchange) { x.links = false }, "", ""},
		{"of plain text", page, []string{"Content-Type", "text/plain"}, nil, "", ""},
		{"of a style sheet", "a{background:url(/bg)}", []string{"Content-Type", "text/css"}, func(x *exchange) { x.styles = true }, "/bg", ""},
		{"of a style sheet when only pages are looked at", "a{background:url(/bg)}", []string{"Content-Type", "text/css"}, nil, "", ""},
		{"of the header, whatever the type", "x", []string{"Content-Type", "application/pdf", "Link", "</n>; rel=next"}, nil, "/n", ""},
		{"of the header without a body", "", []string{"Content-Type", "text/html", "Link", "</n>; rel=next"}, nil, "/n", ""},
		{"in a charset of the header", russian, []string{"Content-Type", "text/html; charset=windows-1251"}, nil, "/a", "Привет"},
		{"in a charset that the page declares", declared, []string{"Content-Type", "text/html"}, nil, "/a", "Привет"},
		{"in UTF-16", wide, []string{"Content-Type", "text/html"}, nil, "/a", "Привет"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serveBody(t, []byte(c.body), c.header...)
			x := testExchange(t, s)
			if c.set != nil {
				c.set(x)
			}
			ask(t, testTransport(t, nil), x)
			wantOutcome(t, x, crawler.Fetched, "")
			var got []string
			for _, l := range x.found {
				got = append(got, strings.TrimPrefix(l.URL.String(), s))
			}
			if strings.Join(got, " ") != c.want || x.result.Links != len(x.found) || x.result.Title != c.title {
				t.Errorf("links %q, count %d, title %q; want %q, %q", got, x.result.Links, x.result.Title, c.want, c.title)
			}
		})
	}
}

func TestLinksThatWereSentCountAndAreNotMadeAgain(t *testing.T) {
	url := serveBody(t, []byte("<a href=/1></a><a href=/2></a><a href=/3></a>"), "Content-Type", "text/html")
	tr := testTransport(t, nil)
	sent := crawler.Link{URL: fetchertest.MustURL(t, url+"/2"), Kind: crawler.LinkPage}
	for range 2 { // the second page has the scan of the first
		x := testExchange(t, url)
		x.sentLink = func(key uint64) bool { return key == sent.Key() }
		ask(t, tr, x)
		if x.result.Links != 3 || len(x.found) != 2 || slices.Contains(x.found, sent) {
			t.Errorf("%d links count, found %v", x.result.Links, x.found)
		}
	}
	x := testExchange(t, url)
	if ask(t, tr, x); x.result.Links != 3 || len(x.found) != 3 {
		t.Errorf("of a turn that sent nothing: %d links count, found %v", x.result.Links, x.found)
	}
}

func TestLinksBeyondTheLimitLeaveAMark(t *testing.T) {
	url := serveBody(t, []byte("<a href=1></a><a href=2></a><a href=3></a>"), "Content-Type", "text/html")
	kit := testKit(t)
	tr := testTransport(t, func(o *transportOptions) { o.Kit = kit })
	for _, c := range []struct{ limit, links int }{{2, 2}, {0, 3}, {2, 2}} {
		x := testExchange(t, url)
		x.limits.Links = c.limit
		ask(t, tr, x)
		if marked := strings.Contains(x.result.Detail, "beyond the limit of 2"); x.result.Links != c.links || marked != (c.limit == 2) {
			t.Errorf("limit %d: %d links, detail %q", c.limit, x.result.Links, x.result.Detail)
		}
	}
}

func TestErrorPagesAreNotLookedAtForLinks(t *testing.T) {
	s := fetchertest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		w.Write([]byte("<a href=/x>"))
	})
	x := testExchange(t, s.URL)
	ask(t, testTransport(t, nil), x)
	if x.found != nil || x.result.Links != 0 {
		t.Errorf("links %v", x.found)
	}
}

// askInPieces serves a body in pieces, each flushed, and asks for it.
func askInPieces(t *testing.T, contentType string, pieces ...string) *exchange {
	t.Helper()
	s := fetchertest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		for _, p := range pieces {
			w.Write([]byte(p))
			w.(http.Flusher).Flush()
		}
	})
	x := testExchange(t, s.URL)
	ask(t, testTransport(t, nil), x)
	return x
}

func TestPiecesOfABodyDoNotDecideWhatItIs(t *testing.T) {
	russian, _ := charmap.Windows1251.NewEncoder().String("<title>Привет</title><a href=/ж?ж></a>")
	for _, c := range []struct {
		name, contentType string
		pieces            []string
	}{
		{"charset in the second piece", "text/html", []string{"<html>", "<head><meta charset=windows-1251>" + russian}},
		{"charset in many pieces", "text/html", strings.Split("<html><head><meta charset=windows-1251>"+russian, "")},
		{"charset after much of a script", "text/html", []string{"<script>" + strings.Repeat("y", 3000), "</script><meta charset=windows-1251>", russian}},
		{"no type, white space first", "", []string{"\n", "<!doctype html><meta charset=windows-1251>" + russian}},
		{"a type that is none", "text/html charset=gbk", []string{"\n\n", "<html><meta charset=windows-1251>" + russian}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := askInPieces(t, c.contentType, c.pieces...)
			if x.result.Title != "Привет" || len(x.found) != 1 || x.found[0].URL.RequestURI() != "/%D0%B6?%E6" {
				t.Errorf("title %q, links %v", x.result.Title, x.found)
			}
		})
	}
}

func TestXHTMLUnderATypeOfXMLHasLinks(t *testing.T) {
	x := askInPieces(t, "application/xml", `<?xml version="1.0"?>`, `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>T</title></head><a href="/a"/>`)
	if x.result.Title != "T" || len(x.found) != 1 {
		t.Errorf("title %q, links %v", x.result.Title, x.found)
	}
}

func TestLettersThatAreNoneStayVisibleInTitles(t *testing.T) {
	x := askInPieces(t, "text/html; charset=utf-8", "<title>Caf\xe9 \xdcber</title>")
	if x.result.Title != "Caf\ufffd \ufffdber" {
		t.Errorf("title %q", x.result.Title)
	}
}
