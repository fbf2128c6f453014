package download

import (
	"context"
	"net/http"

	"trawl/crawler"
)

// Permit is the permission to send one request. Its owner may revoke it until the request is written. Its methods are called
// at most once each, while the exchange is under way, from any goroutine.
type Permit interface {
	// Valid is called right before the request is written; when it returns false, nothing is written and the exchange is
	// cut off.
	Valid() bool
	// Wrote is called when the request went out.
	Wrote()
	// Heard is called when the head of the answer came, with what the result says by then.
	Heard(r *crawler.Result)
}

// Engine runs pages: a page goes through it on its way to the transport and back, so that it may read the page. Safe for
// concurrent use.
type Engine interface {
	// Visitor makes the means of one lane.
	Visitor() Visitor
	// TextLimit is how many decoded bytes of a page the engine wants to read, when it is a text; 0 = it reads nothing. Then it
	// is given neither body nor header fields.
	TextLimit() int64
}

// Visitor visits one page at a time.
type Visitor interface {
	// Visit sends a GET for the URL with the header fields through t, once, and returns when the page is done. t knows the
	// URL, and takes only header fields and context of what it is sent. How the page ended is the transport's to say; an
	// error says that the engine failed on it, whatever its answer.
	Visit(ctx context.Context, t http.RoundTripper, url string, header http.Header) error
	// Close ends its use.
	Close()
}

// Store keeps exchanges. Safe for concurrent use.
type Store interface {
	// Put stores an exchange and returns where. It may take over a spool file by renaming it. When what it stored is durable
	// is the caller's to know.
	Put(ctx context.Context, x *crawler.Exchange) (crawler.Locator, error)
}

// Backlog counts what was found and is not sent yet, in bytes, over all pages. Safe for concurrent use.
type Backlog interface {
	// Take counts more bytes.
	Take(n int)
	// Give takes bytes off again.
	Give(n int)
	// Full is closed when there may be room again; nil while there is.
	Full() <-chan struct{}
}
