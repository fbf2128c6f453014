package crawler

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"trawl/crawler/ascii"
	"trawl/crawler/weburl"
)

// FilesDir is the directory of a crawl directory in which bodies lie under the names that people know.
const FilesDir = "files"

// bodiesDir is where bodies lie that are to become files, until their rows are settled and they get their names.
const bodiesDir = "incoming/bodies"

// ArchiveDir is where WARC files lie in a crawl directory: locators and shipped files begin with it.
const ArchiveDir = "archive"

// BodyName is where a fetcher stores the body of a URL that is to become a file, relative to its directory, and where it
// arrives in the scheduler's. It tells the row and the content, so that two fetchers never mean different bodies by one
// name, and the settled row finds its own.
func BodyName(u weburl.URL, d Digest) string {
	k := u.Key()
	return fmt.Sprintf("%s/%016x%016x-%x", bodiesDir, uint64(k.Host), k.URL, d[:])
}

// ParseBodyName reads a name that [BodyName] gave; ok is false for any other.
func ParseBodyName(name string) (k weburl.URLKey, d Digest, ok bool) {
	dir, base := path.Split(name)
	keys, digest, _ := strings.Cut(base, "-")
	if dir != bodiesDir+"/" || len(keys) != 32 || len(digest) != 2*len(d) || strings.ToLower(base) != base {
		return k, d, false
	}
	host, err1 := strconv.ParseUint(keys[:16], 16, 64)
	url, err2 := strconv.ParseUint(keys[16:], 16, 64)
	_, err3 := hex.Decode(d[:], []byte(digest))
	if err1 != nil || err2 != nil || err3 != nil {
		return weburl.URLKey{}, Digest{}, false
	}
	return weburl.URLKey{Host: weburl.HostKey(host), URL: url}, d, true
}

// FileOf is the path below files/ that the row's body has.
func (r *Row) FileOf() string {
	if r.Name != "" {
		return r.Name
	}
	return FileName(r.URL)
}

// File is the row's file in the crawl directory.
func (r *Row) File() string { return FilesDir + "/" + r.FileOf() }

// Listed reports whether the row stands for lines of a list, rather than for where one of them was redirected: names were
// given to it.
func (r *Row) Listed() bool { return !r.Inherits || r.Aliases > 0 }

// NameRule says which names a file system takes for one. The zero value: those with the same bytes.
type NameRule struct {
	Case bool `json:"case,omitempty"` // it does not tell capitals from small letters
	Form bool `json:"form,omitempty"` // it does not tell the forms in which Unicode writes one letter
}

// Key is the same for two names exactly when they are one under the rule.
func (r NameRule) Key(name string) string {
	if ascii.Only(name) {
		if r.Case {
			return strings.ToLower(name)
		}
		return name
	}
	if r.Case {
		name = cases.Fold().String(name)
	}
	if r.Form {
		name = norm.NFC.String(name)
	}
	return name
}

// Marks of names that stand in each other's way. Names that users give may have braces too: then they are marked once more.
const (
	MarkDir  = "{dir}"  // a directory whose name is a file's: a/b beside the file a is a{dir}/b
	MarkFile = "{file}" // a file whose name is a directory's: a beside a/b is a{file}
)

// MarkURL is the mark of a file whose name another URL has. Each number gives another one.
func MarkURL(u weburl.URL, number int) string {
	h := xxhash.New()
	h.WriteString(u.String())
	if number > 0 {
		fmt.Fprintf(h, " %d", number)
	}
	return fmt.Sprintf("{%016x}", h.Sum64())
}

// MarkSegment puts a mark on one part of a path: at the end of a directory's, before the extension of a file's. It cuts
// what would be too long.
func MarkSegment(s, mark string) string {
	ext := ""
	if mark != MarkDir {
		if ext = path.Ext(s); len(ext) > 16 || len(ext) == len(s) {
			ext = ""
		}
	}
	stem := s[:len(s)-len(ext)]
	room := MaxSegmentBytes - len(mark) - len(ext)
	for 0 < room && room < len(stem) && !utf8.RuneStart(stem[room]) {
		room--
	}
	return stem[:min(room, len(stem))] + mark + ext
}

// Changes of the ledger that concern names of files. The bytes of a row that is settled as fetched are put under its names
// after the fact, since in a cluster they arrive later; what is still to be put stands in the ledger.
type (
	// GivenName says that a name is taken.
	GivenName struct {
		Key string     // of the name, by the job's rule
		URL weburl.URL // whose it is
	}
	// Alias is a further name of a URL, beside its row's own.
	Alias struct {
		Of       weburl.URLKey
		Sequence uint64 // order, unique in the ledger
		Name     string
		Want     Digest // zero = any body
	}
	// Await says that the body at the end of redirects is to get the names of a line, too.
	Await struct {
		At   weburl.URLKey // the end of the redirects, as far as it was known
		Line weburl.URLKey // the row that the names were given to
	}
	// Unplaced says that a row was settled, and its names are to be looked at.
	Unplaced struct {
		Key     weburl.URLKey
		Version uint64 // drawn with each put: only what was seen last is done with
	}
	// ShippedFile is a file that rows point into and that a fetcher ships.
	ShippedFile struct {
		Name    string
		Fetcher string
		Rows    int64 // that point into it; 0: it is not waited for any more
		End     int64 // the last byte that a row needs
	}
)

// NameChanges are a change's part about names.
type NameChanges struct {
	Given     []GivenName
	Aliases   []Alias
	Awaits    []Await
	EndAwaits []Await
	Unplaced  []Unplaced
	Placed    []weburl.URLKey // are not unplaced any more
	Shipped   []ShippedFile
}

// Empty reports whether there is nothing to apply.
func (n *NameChanges) Empty() bool {
	return len(n.Given)+len(n.Aliases)+len(n.Awaits)+len(n.EndAwaits)+len(n.Unplaced)+len(n.Placed)+len(n.Shipped) == 0
}

// ErrNoBody: the body that is to get a name is not there; in a cluster it may still be on its way.
var ErrNoBody = errors.New("the body has not arrived")

// NameRefused is what came of a name that the file system does not take: the URL fails with it, and no other.
type NameRefused struct {
	Name string
	Err  error // the system's
}

func (n *NameRefused) Error() string {
	return fmt.Sprintf("the file system does not take the name %s: %v", n.Name, n.Err)
}
func (n *NameRefused) Unwrap() error { return n.Err }
