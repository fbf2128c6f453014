package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage/crawldir"
	"trawl/storage/ledger/format"
)

// Names of files: who has which, which further names a URL has, which lines wait for the end of redirects, and which
// settled rows have not got their files yet.

// NameHolder reads which URL has a name, by the name's key; the zero URL when it is free.
func (l *Ledger) NameHolder(key string) (weburl.URL, error) {
	value, found, err := l.get(l.db, format.AppendName(nil, key))
	if err != nil || !found {
		return weburl.URL{}, err
	}
	u, err := weburl.Stored(string(value))
	if err != nil {
		return u, l.damage(fmt.Sprintf("name %q", key), err)
	}
	return u, nil
}

// NameBelow reports whether a name is taken that lies below the directory.
func (l *Ledger) NameBelow(key string) (below bool, err error) {
	err = l.scan(l.db, format.AppendName(nil, key+"/"), func(_, _ []byte) error {
		below = true
		return errEnough
	})
	return below, enough(err)
}

func enough(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// Aliases reads up to n further names of a URL, in order, those after a sequence.
func (l *Ledger) Aliases(of weburl.URLKey, after uint64, n int) ([]crawler.Alias, error) {
	return l.aliases(l.db, of, after, n)
}

func (l *Ledger) aliases(r pebble.Reader, of weburl.URLKey, after uint64, n int) (list []crawler.Alias, err error) {
	it, err := l.iter(r, format.AppendURLKey(nil, format.KindAlias, of))
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for ok := it.SeekGE(format.AppendAlias(nil, of, after+1)); ok && len(list) < n; ok = it.Next() {
		a, err := l.aliasOf(it.Key(), it.Value())
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	if err := it.Error(); err != nil {
		return nil, l.readError("names", err)
	}
	return list, l.failure()
}

func (l *Ledger) aliasOf(key, value []byte) (a crawler.Alias, err error) {
	if len(key) != format.RowBytes+8 || len(value) <= len(a.Want) {
		return a, l.damage(fmt.Sprintf("alias %x", key), errors.New("is too short"))
	}
	a.Of = weburl.URLKey{Host: format.HostOf(key), URL: binary.BigEndian.Uint64(key[format.HostBytes:])}
	a.Sequence = binary.BigEndian.Uint64(key[format.RowBytes:])
	a.Name = string(value[copy(a.Want[:], value):])
	return a, nil
}

// Awaiting reads up to n of the lines that wait for the body of a URL.
func (l *Ledger) Awaiting(at weburl.URLKey, n int) (lines []weburl.URLKey, err error) {
	err = l.scan(l.db, format.AppendURLKey(nil, format.KindAwait, at), func(key, _ []byte) error {
		if len(key) != format.RowBytes+16 {
			return l.damage(fmt.Sprintf("await %x", key), errors.New("is too short"))
		}
		lines = append(lines, weburl.URLKey{
			Host: weburl.HostKey(binary.BigEndian.Uint64(key[format.RowBytes:])), URL: binary.BigEndian.Uint64(key[format.RowBytes+8:]),
		})
		if len(lines) == n {
			return errEnough
		}
		return nil
	})
	return lines, enough(err)
}

// Unplaced reads every row whose names are to be looked at, in key order, as of the moment the reading begins.
func (l *Ledger) Unplaced() iter.Seq2[crawler.Unplaced, error] {
	return func(yield func(crawler.Unplaced, error) bool) {
		c, err := l.cursor(l.db, format.KindUnplaced)
		if err != nil {
			yield(crawler.Unplaced{}, err)
			return
		}
		defer c.close()
		for c.next() {
			u, err := l.unplacedOf(c.it.Key(), c.it.Value())
			if !yield(u, err) || err != nil {
				return
			}
		}
		if err := c.err(); err != nil {
			yield(crawler.Unplaced{}, err)
		}
	}
}

// UnplacedVersion reads the version of a row's entry, false when there is none.
func (l *Ledger) UnplacedVersion(k weburl.URLKey) (uint64, bool, error) {
	key := format.AppendURLKey(nil, format.KindUnplaced, k)
	value, found, err := l.get(l.db, key)
	if err != nil || !found {
		return 0, false, err
	}
	u, err := l.unplacedOf(key, value)
	return u.Version, true, err
}

func (l *Ledger) unplacedOf(key, value []byte) (u crawler.Unplaced, err error) {
	if len(key) != format.RowBytes || len(value) != 8 {
		return u, l.damage(fmt.Sprintf("unplaced %x", key), errors.New("is too short"))
	}
	u.Key = weburl.URLKey{Host: format.HostOf(key), URL: binary.BigEndian.Uint64(key[format.HostBytes:])}
	u.Version = binary.BigEndian.Uint64(value)
	return u, nil
}

// ShippedFiles reads the files that rows point into and that fetchers ship.
func (l *Ledger) ShippedFiles() iter.Seq2[crawler.ShippedFile, error] {
	return func(yield func(crawler.ShippedFile, error) bool) {
		err := l.scan(l.db, format.AppendShipped(nil, ""), func(key, value []byte) error {
			f, err := l.shippedOf(string(key[format.PrefixBytes:]), value)
			if err == nil && !yield(f, nil) {
				return errEnough
			}
			return err
		})
		if err = enough(err); err != nil {
			yield(crawler.ShippedFile{}, err)
		}
	}
}

// ShippedFile reads one of them, false when no row points into it yet.
func (l *Ledger) ShippedFile(name string) (f crawler.ShippedFile, found bool, err error) {
	value, found, err := l.get(l.db, format.AppendShipped(nil, name))
	if err != nil || !found {
		return f, false, err
	}
	f, err = l.shippedOf(name, value)
	return f, err == nil, err
}

func (l *Ledger) shippedOf(name string, value []byte) (f crawler.ShippedFile, err error) {
	rows, n := binary.Uvarint(value)
	end, m := binary.Uvarint(value[max(n, 0):])
	if n <= 0 || m <= 0 {
		return f, l.damage(fmt.Sprintf("shipped file %q", name), errors.New("is too short"))
	}
	return crawler.ShippedFile{Name: name, Rows: int64(rows), End: int64(end), Fetcher: string(value[n+m:])}, nil
}

// maxNamesTold is how many further names of a URL stand in its row; with more, the last one is "…".
const maxNamesTold = 1000

// tellNames fills in the further files of a row that has one.
func (l *Ledger) tellNames(r pebble.Reader, row *crawler.Row) error {
	if row.Aliases == 0 || row.Archive.IsZero() {
		return nil
	}
	list, err := l.aliases(r, row.Key(), 0, maxNamesTold+1)
	if err != nil {
		return err
	}
	var names []string
	for i, a := range list {
		switch {
		case i == maxNamesTold:
			names = append(names, "…")
		case a.Want.IsZero() || row.Outcome == crawler.Redirected || a.Want == row.Digest:
			names = append(names, crawldir.FilesDir+"/"+a.Name)
		}
	}
	row.Names = strings.Join(names, "\t")
	return nil
}
