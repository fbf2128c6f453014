package crawler

import (
	"time"

	"trawl/crawler/weburl"
)

// Exchange is one request and its answer, as it goes into the archive.
type Exchange struct {
	URL       weburl.URL
	Name      string // files archive: path below files/, "" for the one made from the URL
	FetchedAt time.Time
	IP        string
	Protocol  string // "http/1.0", "http/1.1" or "h2"
	Request   []byte // request line and header as sent, with the empty line; credentials left out
	Response  []byte // status line and header as received, with the empty line
	Body      Body
	Digest    Digest // of the decoded body
	Truncated string // "", or why the body is not whole: "length", "time", "disconnect" (WARC-Truncated)
}

// Body is a stored body: in memory, or in a spool file when it is large. Whoever made it removes the file,
// unless the archive took it over by renaming it.
type Body struct {
	Bytes []byte
	File  string // path of the spool file; "" when Bytes holds the body
	Size  int64
}

// Shipment is a file on its way from a fetcher to the scheduler's directory. Name is its path relative to
// the crawl directory, with slashes: archive/… or files/….
type Shipment struct {
	Name  string
	Size  int64 // bytes that are durable
	Final bool  // it will not grow
}
