package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage"
	"trawl/storage/crawldir"
	"trawl/storage/ledger/format"
)

// nameSets are the names that are noted as taken, and those that rows and lines have.
type nameSets struct {
	have, noted keySet
	further     int64 // names beside their rows' own, as the rows count them
}

// addName adds a name, by its key, and whose it is.
func (s *keySet) addName(key string, of weburl.URLKey) {
	var h xxhash.Digest
	h.Reset()
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(of.Host))
	binary.BigEndian.PutUint64(b[8:], of.URL)
	h.Write(b[:])
	h.WriteString(key)
	s.n++
	s.sum += h.Sum64()
}

// rowName counts the names of a row.
func (v *verifier) rowName(r *crawler.Row) {
	v.names.further += int64(r.Aliases)
	if v.job.Names != nil && !r.Inherits {
		v.names.have.addName(v.nameKey(r.FileOf()), r.Key())
	}
}

func (v *verifier) nameKey(name string) string {
	if v.job.Names == nil {
		return name
	}
	return v.job.Names.Key(name)
}

// allNames compares the names that are noted with those of the rows, which were taken before.
func (v *verifier) allNames() error {
	var further int64
	err := v.eachAlias(func(a crawler.Alias) error {
		further++
		v.names.have.addName(v.nameKey(a.Name), a.Of)
		return nil
	})
	if err != nil {
		return err
	}
	if further != v.names.further {
		v.differ("names: rows count %d beside their own, but there are %d", v.names.further, further)
	}
	err = v.l.scan(v.snap, format.AppendName(nil, ""), func(key, value []byte) error {
		name := string(key[format.PrefixBytes:])
		u, err := weburl.Stored(string(value))
		if err != nil {
			v.differ("name %q: is damaged (%v)", name, err)
		} else {
			v.names.noted.addName(name, u.Key())
		}
		return v.ctx.Err()
	})
	if err != nil || v.names.have == v.names.noted {
		return err
	}
	return errors.Join(v.explainNoted(), v.explainRowNames())
}

// eachAlias reads the further names of all rows.
func (v *verifier) eachAlias(visit func(crawler.Alias) error) error {
	c, err := v.l.cursor(v.snap, format.KindAlias)
	if err != nil {
		return err
	}
	defer c.close()
	for c.next() {
		a, err := v.l.aliasOf(c.it.Key(), c.it.Value())
		if err != nil {
			v.differ("name %x beside a row's own: is damaged (%v)", c.it.Key(), err)
			continue
		}
		if err := errors.Join(visit(a), v.ctx.Err()); err != nil {
			return err
		}
	}
	return c.err()
}

// explainNoted looks for names that are noted and that no row has.
func (v *verifier) explainNoted() error {
	return v.l.scan(v.snap, format.AppendName(nil, ""), func(key, value []byte) error {
		name := string(key[format.PrefixBytes:])
		u, err := weburl.Stored(string(value))
		if err != nil {
			return v.ctx.Err() // was reported
		}
		row, err := v.row(u.Key())
		if err != nil {
			return err
		}
		if row == nil || row.URL != u {
			v.differ("name %q: is noted as that of %s, which has no row", name, u)
			return v.ctx.Err()
		}
		if !row.Inherits && v.nameKey(row.FileOf()) == name || row.Aliases > maxNamesTold {
			return v.ctx.Err()
		}
		list, err := v.l.aliases(v.snap, row.Key(), 0, maxNamesTold)
		if errors.Is(err, storage.ErrDamaged) {
			return v.ctx.Err() // was reported
		} else if err == nil && !slices.ContainsFunc(list, func(a crawler.Alias) bool { return v.nameKey(a.Name) == name }) {
			v.differ("name %q: is noted as that of %s, which has another", name, u)
		}
		return err
	})
}

// row reads a row, nil where there is none or where it is damaged, which was told.
func (v *verifier) row(k weburl.URLKey) (*crawler.Row, error) {
	rows, err := v.l.rows(v.snap, []weburl.URLKey{k})
	if errors.Is(err, storage.ErrDamaged) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return rows[0], nil
}

// explainRowNames looks for names that rows have and that are not noted as theirs. Rows of a time in which the job kept no
// files were given none.
func (v *verifier) explainRowNames() error {
	c, err := v.l.cursor(v.snap, format.KindRow)
	if err != nil {
		return err
	}
	defer c.close()
	for c.next() {
		r, err := format.StoredRow(c.it.Value())
		if err != nil || r.Inherits || r.Name == "" && r.Archive.File != crawldir.FilesDir+"/"+r.FileOf() {
			continue
		}
		if err := errors.Join(v.mustBeNoted(r.FileOf(), r.Key(), "row of "+r.URL.String()), v.ctx.Err()); err != nil {
			return err
		}
	}
	return errors.Join(c.err(), v.eachAlias(func(a crawler.Alias) error {
		return v.mustBeNoted(a.Name, a.Of, fmt.Sprintf("row %016x %016x", uint64(a.Of.Host), a.Of.URL))
	}))
}

func (v *verifier) mustBeNoted(name string, of weburl.URLKey, whose string) error {
	value, found, err := v.l.get(v.snap, format.AppendName(nil, v.nameKey(name)))
	if err != nil {
		return err
	}
	if !found {
		v.differ("%s: its name %q is not noted, so that another may get it", whose, name)
	} else if u, err := weburl.Stored(string(value)); err == nil && u.Key() != of {
		v.differ("%s: its name %q is noted as that of %s", whose, name, u)
	}
	return nil
}
