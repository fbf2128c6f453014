package download

import (
	"mime"
	"path"
	"slices"
	"strings"

	"trawl/internal/coding"
)

// gzipTypes are content types of bodies that are gzip themselves.
var gzipTypes = []string{
	"application/gzip", "application/x-gzip", "application/x-gunzip", "application/gzipped", "application/gzip-compressed",
	"application/x-compressed", "application/x-compress", "application/x-tgz", "application/x-gtar", "application/x-tar+gz",
	"application/x-compressed-tar", "gzip/document",
}

// gzipEndings are endings of names of files that are gzip themselves.
var gzipEndings = []string{".gz", ".tgz", ".svgz", ".taz", ".emz", ".wmz", ".adz", ".dmz"}

// ownGzip reports whether the coding "gzip" of an answer is that of the file itself: servers add Content-Encoding to
// the type of a .tar.gz, though there is nothing to be undone (browsers and curl keep such bodies too). The type
// decides for all bodies; the name for those that become files, since a page may be called anything.
func (x *exchange) ownGzip(codings []string) bool {
	if len(codings) == 0 || codings[0] != "gzip" {
		return false
	}
	kind, _, err := mime.ParseMediaType(x.header.Get("Content-Type"))
	if err == nil && slices.Contains(gzipTypes, kind) {
		return true
	}
	if x.keep != keepDecoded {
		return false
	}
	place, _, _ := strings.Cut(x.url.RequestURI(), "?")
	return gzipName(place) || gzipName(x.name)
}

func gzipName(name string) bool {
	return slices.Contains(gzipEndings, strings.ToLower(path.Ext(name)))
}

// bodyCodings are the codings of the answer's body that are to be undone: all, or all but a gzip that is the file's own,
// which is the one that was applied first. unknown are words for others.
func (x *exchange) bodyCodings() (codings, unknown []string) {
	codings, unknown = coding.All(x.header.Values("Content-Encoding"))
	if x.ownGzip(codings) {
		codings = codings[1:]
	}
	return codings, unknown
}
