package download

import (
	"cmp"
	"errors"
	"fmt"

	"trawl/crawler"
)

// drainLimit is the longest body that is not wanted and read nevertheless, in bytes: the connection can be
// used again then. One that is longer, or of unknown length, ends its connection.
const drainLimit = 16 * crawler.KiB

// errUnwanted: the body's content type is not among those of accept.
var errUnwanted = errors.New("the content type is not wanted")

// wanted decides at the head of an answer whether its body is read. The user's list rules: a crawl whose list
// lacks text/html finds no links on pages. Only bodies of a 2xx are judged; a redirect is followed and an error reported
// whatever its type. A body without a type could be anything (RFC 9110 section 8.3).
func (x *exchange) wanted() bool {
	r := &x.result
	if x.accepts == nil || r.Status < 200 || r.Status > 299 {
		return true
	}
	if x.accepts(cmp.Or(r.ContentType, "application/octet-stream")) {
		return true
	}
	said := "no content type"
	if r.ContentType != "" {
		said = fmt.Sprintf("content type %q", r.ContentType)
	}
	r.Outcome, r.Reason = crawler.Excluded, crawler.ReasonType
	r.Detail = Detail(said + " is not among those of accept; the body was not read")
	return false
}
