package weburl

import "github.com/cespare/xxhash/v2"

// Draft is a canonical URL in memory that the next one overwrites: most references on a page name a URL that is known already,
// and only the others are worth a text of their own. The zero value is ready. Owned by one goroutine.
type Draft struct {
	text []byte
	url  URL // without its text
}

// Resolve is [URL.ResolveIn] of the base; query may be nil, for UTF-8. After an error there is no URL.
func (d *Draft) Resolve(base URL, ref string, query QueryEncoder) (err error) {
	d.text, d.url, _, err = appendURL(d.text[:0], ref, base, query)
	return err
}

// Hash is [URL.Hash] of the URL.
func (d *Draft) Hash() uint64 { return xxhash.Sum64(d.text) }

// URL is the URL, with a text of its own.
func (d *Draft) URL() URL {
	u := d.url
	u.Text = string(d.text)
	return u
}
