package webfarm

import (
	"iter"
	"math/rand/v2"
	"strconv"
)

const (
	// textBytes is the size of the text that pages take their words from. Two pages rarely share any.
	textBytes = 512 << 10
	// vocabulary and its shape make text that gzip shrinks about as much as it does real pages.
	vocabulary = 4000
)

// newText makes a text of words, of which a few are frequent.
func newText(seed uint64) []byte {
	rnd := rand.New(rand.NewPCG(seed, 0x7765_6266_6172_6d))
	words := make([]string, vocabulary)
	for i := range words {
		word := make([]byte, 2+rnd.IntN(9))
		for j := range word {
			word[j] = "etaoinshrdlucmfwypvbgkjqxz"[min(rnd.IntN(26), rnd.IntN(26))]
		}
		words[i] = string(word)
	}
	zipf := rand.NewZipf(rnd, 1.1, 4, vocabulary-1)
	text := make([]byte, 0, textBytes)
	for len(text) < textBytes {
		text = append(append(text, words[zipf.Uint64()]...), ' ')
	}
	return text[:textBytes]
}

// appendText writes n bytes of text from a place that h draws.
func (s *site) appendText(b []byte, n int, h uint64) []byte {
	for n > 0 {
		from := int(h % textBytes)
		part := s.text[from:min(textBytes, from+n)]
		b = append(b, part...)
		n -= len(part)
		h = 0
	}
	return b
}

// link is one link of a page.
type link struct {
	to   ref
	form linkForm
	mark uint64 // draws quotes, fragments, and the text before the link
}

// linkForm is how a link is written.
type linkForm uint8

const (
	linkPath      linkForm = iota // /s1/page-2.html
	linkRelative                  // ../s1/page-2.html
	linkFull                      // http://host/s1/page-2.html
	linkNoScheme                  // //host/s1/page-2.html
	linkFragment                  // /s1/page-2.html#part-3
	linkDots                      // /x/../s1/./page-2.html
	linkShouting                  // HTTP://host/s1/page-2.html
	linkPadded                    // with spaces and a line end around it
	linkFormCount = 8
)

// links are those of a page: its children in the tree, then others. Some come twice.
func (s *site) links(host, page int) iter.Seq[link] {
	return func(yield func(link) bool) {
		n := 0
		emit := func(to ref) bool {
			mark := s.hash(saltLink, host<<20|page, n)
			n++
			form := linkForm(mark % linkFormCount)
			if to.host != host && form != linkNoScheme && form != linkShouting || s.faces[to.host].https != s.faces[host].https {
				form = linkFull
			}
			return yield(link{to: to, form: form, mark: mark / linkFormCount})
		}
		for child := page*fan + 1; child <= page*fan+fan && child < s.o.PagesPerHost; child++ {
			if !emit(ref{host: host, page: child}) {
				return
			}
		}
		for child := host*fan + 1; page == 0 && child <= host*fan+fan && child < s.o.Hosts; child++ {
			if !emit(ref{host: child}) {
				return
			}
		}
		last := ref{host: host, page: page}
		for i := range s.o.Links {
			h := s.hash(saltTarget+saltLink, host<<20|page, i)
			if h%8 != 0 { // else the last one again
				last = s.randomTarget(host, h/8)
			}
			if !emit(last) {
				return
			}
		}
	}
}

func (s *site) randomTarget(host int, h uint64) ref {
	g := scramble(h)
	if unit(g) < s.o.CrossHost {
		host = s.otherHost(host, h)
	}
	return ref{host: host, page: int(scramble(g) % uint64(s.o.PagesPerHost))}
}

// appendBody writes the decoded body of a URL that has one.
func (s *site) appendBody(b []byte, r ref) []byte {
	h := s.hash(saltSize, r.host, r.page)
	size := s.o.MinBytes + int(h%uint64(s.o.MaxBytes-s.o.MinBytes+1))
	if t, ok := s.asset(r); ok {
		start := len(b)
		b = append(b, t.first...)
		b = append(b, s.url(r)...)
		b = append(b, t.second...)
		b = s.appendText(b, size-(len(b)-start)-len(t.last), s.hash(saltText, r.host, r.page))
		return append(b, t.last...)
	}
	return s.appendHTML(b, r, size)
}

// appendHTML writes a page of about size bytes: its links with text between them.
func (s *site) appendHTML(b []byte, r ref, size int) []byte {
	start := len(b)
	b = append(b, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Page "...)
	b = strconv.AppendInt(b, int64(r.page), 10)
	b = append(b, " of "...)
	b = append(b, s.faces[r.host].authority...)
	b = append(b, "</title>\n</head>\n<body>\n<h1>Page "...)
	b = strconv.AppendInt(b, int64(r.page), 10)
	b = append(b, "</h1>\n"...)
	left := 1 // links still to come, as far as they share the text
	for range s.links(r.host, r.page) {
		left++
	}
	const end, perLink = "</body>\n</html>\n", 80 // perLink: markup of a link, about
	base := s.appendTarget(make([]byte, 0, 128), r)
	for l := range s.links(r.host, r.page) {
		share := (size-(len(b)-start)-len(end))/left - perLink
		left--
		b = append(b, "<p>"...)
		b = s.appendText(b, share, scramble(l.mark))
		b = s.appendLink(b, base, l)
		b = append(b, "</p>\n"...)
	}
	b = append(b, "<p>"...)
	b = s.appendText(b, size-(len(b)-start)-len(end)-len("</p>\n"), s.hash(saltText, r.host, r.page))
	b = append(b, "</p>\n"...)
	return append(b, end...)
}

// asset types: path and body around the text.
type assetType struct{ before, after, content, first, second, last, tag, attr, close string }

var assetTypes = [...]assetType{
	{"/img/i-", ".png", "image/png", "\x89PNG\r\n\x1a\n", " ", "", "<img alt=x", "src", ">"},
	{"/css/c-", ".css", "text/css", "/* ", " */\n/* ", " */\n", "<link rel=stylesheet", "href", ">"},
	{"/js/j-", ".js", "text/javascript", "// ", "\n/* ", " */\n", "<script", "src", "></script>"},
}

func (s *site) asset(r ref) (assetType, bool) {
	if s.kind(r.host, r.page) != KindAsset {
		return assetType{}, false
	}
	return assetTypes[s.hash(saltStyle, r.host, r.page)%uint64(len(assetTypes))], true
}

func (s *site) contentType(r ref) string {
	if t, ok := s.asset(r); ok {
		return t.content
	}
	return "text/html; charset=utf-8"
}
