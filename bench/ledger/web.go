package main

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"trawl/crawler/weburl"
)

// The web of the benchmark. Each URL follows from its host's number and its own, so that nothing of it is kept.
//
// Lengths: the deciles of the 8,700 distinct links of 87 news pages (the articles of
// scrapinghub/article-extraction-benchmark; 58 bytes on average), stretched to an average of 80 bytes, which is that of
// Common Crawl's index. A page of that set has 100 distinct links, of which 74 in 100 stay on the page's host.
// Texts: paths of slugs made from 4,096 words, the frequent ones often. A hundred URLs of a host deflate together to
// 32 in 100 of their size; those of the news sites to 25.
// Hosts: few large ones and many small, see sizes. Links to other hosts go by Zipf's law to hosts, and in a host to pages.

// urlBytes are lengths of URLs at the ends of tenths.
var urlBytes = [...]int{28, 40, 46, 50, 56, 63, 71, 82, 110, 146, 320}

// sizes of hosts in URLs where a host has 100 on average: a hundredth of the hosts has more than a third of all.
var sizes = [...]struct{ percent, urls int }{{50, 10}, {30, 50}, {15, 150}, {4, 500}, {1, 3750}}

// words is how many words slugs are made from.
const words = 4096

type web struct {
	hosts int
	mean  int // URLs of a host
}

// size is how many URLs a host has.
func (w *web) size(host int) int {
	at := host % 100
	for _, s := range sizes {
		if at -= s.percent; at < 0 {
			return max(1, s.urls*w.mean/100)
		}
	}
	return 1
}

func random(a, b uint64) *rand.Rand { return rand.New(rand.NewPCG(a, b)) }

// appendWord writes a word of the benchmark's language; the frequent ones are short.
func appendWord(b []byte, word int) []byte {
	const consonants, vowels = "bcdfghlmnprstvwz", "aeio"
	for {
		b = append(b, consonants[word%16], vowels[word/16%4])
		if word /= 64; word == 0 {
			return append(b, "nrst"[len(b)%4])
		}
	}
}

// slugWord draws a word: the square of an even draw makes the first tenth of the words a third of all.
func slugWord(r *rand.Rand) int {
	x := r.Float64()
	return int(x * x * words)
}

// origin is a host's scheme and name.
func (w *web) origin(host int) []byte {
	r := random(uint64(host), 1)
	b := append(make([]byte, 0, 128), "https://"...)
	if host%3 > 0 {
		b = append(b, "www."...)
	}
	b = append(appendWord(b, r.IntN(words)), '-')
	b = strconv.AppendInt(b, int64(host), 36)
	return append(b, []string{".com", ".org", ".de", ".co.uk"}[r.IntN(4)]...)
}

// url is a URL of a host; number 0 is its first page.
func (w *web) url(host, number int) weburl.URL {
	b := append(w.origin(host), '/')
	if number > 0 {
		r := random(uint64(host), uint64(number)+2)
		decile := r.IntN(len(urlBytes) - 1)
		low, high := urlBytes[decile], urlBytes[decile+1]
		if decile == len(urlBytes)-2 { // the longest tenth thins out
			high = low + int(float64(high-low)*r.Float64()*r.Float64())
		}
		want := low + r.IntN(max(1, high-low))
		// Sections are few in a host, as menus have them.
		section := random(uint64(host), uint64(1_000_000_000+number%7))
		for range 1 + section.IntN(2) {
			b = append(appendWord(b, slugWord(section)), '/')
		}
		for len(b) < want-2 {
			b = append(appendWord(b, slugWord(r)), '-')
		}
		b = strconv.AppendInt(b, int64(number), 36) // no two are the same
		if number%3 == 0 {
			b = append(b, ".html"...)
		}
	}
	return weburl.MustParse(string(b))
}

// number is the host of a name.
func (w *web) number(h weburl.Host) int {
	_, rest, _ := strings.Cut(string(h), "-")
	digits, _, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseInt(digits, 36, 64)
	if err != nil {
		panic(err) // we made it
	}
	return int(n)
}

// seedOf is the host whose first page is the seed that led to a host.
func seedOf(host int) int { return host - host%100 }
