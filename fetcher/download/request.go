package download

import (
	"trawl/crawler"
	"trawl/crawler/weburl"
)

// keepMode says in which form a body is kept for the archive.
type keepMode uint8

const (
	keepNothing keepMode = iota // digest and length only
	keepWire                    // as the server coded it (WARC)
	keepDecoded                 // as the digest counts it (files)
)

// request is what is asked for and what is wanted of the answer. Nothing changes it while it is under way.
type request struct {
	url       weburl.URL // the http.Request's own URL is not looked at
	redirects int        // followed up to url
	name      string     // of its file, as far as the user gave one
	limits    crawler.FetchLimits
	robots    bool                          // a robots.txt: a text whatever its type, and its redirects are counted elsewhere
	identity  bool                          // ask for the body without content coding
	accepts   func(contentType string) bool // which bodies of a 2xx are read; nil = all
	permit    Permit                        // to write the request; nil = it may always be written

	keep      keepMode
	textLimit int64                 // decoded bytes of a text that the caller wants to read; 0 = none
	links     bool                  // look for links in an HTML page
	styles    bool                  // and in a style sheet
	lazy      bool                  // and in what scripts load late
	sentLink  func(key uint64) bool // see Page.Sent; nil = no link was sent before
	early     func([]crawler.Link)  // takes links while the page is read; nil = all wait for its end
}
