package names

import (
	"fmt"
	"path"
	"strings"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

const (
	// maxMarks is how many times one part of a name is marked for what stands in its way, before it is marked by its URL.
	maxMarks = 8
	// maxDirs is how many directories are known from memory to hold no file of their own name.
	maxDirs = 1 << 16
)

// Reader looks names up in the ledger.
type Reader interface {
	// NameHolder reads which URL has a name, by its key under the job's rule; the zero URL when it is free.
	NameHolder(key string) (weburl.URL, error)
	// NameBelow reports whether a name is taken that lies below the directory.
	NameBelow(key string) (bool, error)
}

// Book is what is known of the names that were given.
type Book struct {
	read Reader
	rule crawler.NameRule
	dirs map[string]bool // keys of directories that names have, so no file has them
}

// NewBook opens the book of a ledger whose names were given by the rule.
func NewBook(read Reader, rule crawler.NameRule) *Book {
	return &Book{read: read, rule: rule, dirs: make(map[string]bool)}
}

// Rule is the rule by which names are distinguished.
func (b *Book) Rule() crawler.NameRule { return b.rule }

// Page begins what a step gives.
func (b *Book) Page() *Page {
	return &Page{book: b, holders: make(map[string]weburl.URL), dirs: make(map[string]bool)}
}

// Take takes over what a committed step gave.
func (b *Book) Take(p *Page) {
	if len(b.dirs)+len(p.dirs) > maxDirs {
		clear(b.dirs)
	}
	for d := range p.dirs {
		b.dirs[d] = true
	}
}

// Page is what one step has given. After an error nothing of it counts.
type Page struct {
	book    *Book
	holders map[string]weburl.URL // by key
	dirs    map[string]bool       // directories above them, by key
}

// Give gives the URL the name, or one like it that is free: that is to be stored with the step, unless the URL had it before.
func (p *Page) Give(u weburl.URL, name string) (given crawler.GivenName, full string, known bool, err error) {
	segments := strings.Split(name, "/")
	for i, s := range segments {
		if full, known, err = p.segment(u, full, s, i == len(segments)-1); err != nil {
			return crawler.GivenName{}, name, false, err
		}
	}
	if known {
		return crawler.GivenName{}, full, true, nil
	}
	key := p.book.rule.Key(full)
	p.holders[key] = u
	for d := path.Dir(full); d != "."; d = path.Dir(d) {
		p.dirs[p.book.rule.Key(d)] = true
	}
	return crawler.GivenName{Key: key, URL: u}, full, false, nil
}

// segment finds one part of a name below a directory: not that of a file where it is a directory, and the reverse.
func (p *Page) segment(u weburl.URL, below, s string, last bool) (at string, known bool, err error) {
	for try := 0; ; try++ {
		at = path.Join(below, s)
		key := p.book.rule.Key(at)
		if !last && p.isDir(key) {
			return at, false, nil
		}
		holder, err := p.holder(key)
		if err != nil {
			return at, false, err
		}
		mark := ""
		switch {
		case last && holder == u:
			return at, true, nil
		case !last && !holder.IsZero():
			mark = crawler.MarkDir
		case !last:
			return at, false, nil
		case !holder.IsZero():
			mark = crawler.MarkURL(u, try)
		default:
			below, err := p.below(key)
			if err != nil || !below {
				return at, false, err
			}
			mark = crawler.MarkFile
		}
		if try >= maxMarks {
			mark = crawler.MarkURL(u, try)
		}
		s = crawler.MarkSegment(s, mark)
	}
}

// isDir reports whether a name is known from memory to be a directory's.
func (p *Page) isDir(key string) bool { return p.dirs[key] || p.book.dirs[key] }

func (p *Page) holder(key string) (weburl.URL, error) {
	if u, ok := p.holders[key]; ok {
		return u, nil
	}
	u, err := p.book.read.NameHolder(key)
	if err != nil {
		return u, fmt.Errorf("read name %q: %w", key, err)
	}
	return u, nil
}

func (p *Page) below(key string) (bool, error) {
	if p.isDir(key) {
		return true, nil
	}
	below, err := p.book.read.NameBelow(key)
	if err != nil {
		return false, fmt.Errorf("read names below %q: %w", key, err)
	}
	return below, nil
}
