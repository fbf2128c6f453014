package ledger

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"trawl/crawler/weburl"
	"trawl/storage/ledger/format"
)

// cursor walks the records of one kind over all partitions, in key order, which is the order of hosts (but
// for due entries). It leaps over the other kinds, and over partitions that have none.
type cursor struct {
	l     *Ledger
	it    *pebble.Iterator
	kind  format.Kind
	begun bool
	live  bool // stands on a record
}

func (l *Ledger) cursor(r pebble.Reader, k format.Kind) (*cursor, error) {
	it, err := r.NewIter(nil)
	if err != nil {
		return nil, l.readError("index", err)
	}
	return &cursor{l: l, it: it, kind: k}, nil
}

// next moves to the next record; false at the end and after an error. Key and value are the iterator's,
// until the next call.
func (c *cursor) next() bool {
	switch {
	case !c.begun:
		c.begun = true
		c.live = c.settle(c.it.SeekGE(format.AppendPartition(nil, 0, c.kind)))
	case c.live:
		c.live = c.settle(c.it.Next())
	}
	return c.live
}

// from moves to the first record at or behind a key of the kind.
func (c *cursor) from(key []byte) bool {
	c.begun = true
	c.live = c.settle(c.it.SeekGE(key))
	return c.live
}

// settle moves on from wherever the iterator is to the first record of the kind.
func (c *cursor) settle(ok bool) bool {
	var seek [format.PrefixBytes]byte
	for ok {
		key := c.it.Key()
		if len(key) < format.PrefixBytes {
			ok = c.it.Next()
			continue
		}
		partition, k := binary.BigEndian.Uint16(key), format.Kind(key[2])
		switch {
		case partition >= weburl.Partitions:
			return false
		case k == c.kind:
			return true
		case k > c.kind:
			partition++
		}
		ok = c.it.SeekGE(format.AppendPartition(seek[:0], partition, c.kind))
	}
	return false
}

// at moves to the first record of a host and reports whether there is one. Hosts must be asked for in
// order.
func (c *cursor) at(h weburl.HostKey) bool {
	if !c.begun {
		c.next()
	}
	for c.live && c.host() < h {
		c.next()
	}
	return c.live && c.host() == h
}

// host is the host of the record, for every kind but due.
func (c *cursor) host() weburl.HostKey { return format.HostOf(c.it.Key()) }

func (c *cursor) err() error {
	if err := c.it.Error(); err != nil {
		return c.l.readError("index", err)
	}
	return c.l.failure()
}

// close ends the cursor. Errors of reading were told by err.
func (c *cursor) close() { _ = c.it.Close() }

// iter is an iterator over the keys with a prefix.
func (l *Ledger) iter(r pebble.Reader, prefix []byte) (*pebble.Iterator, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: format.PrefixEnd(prefix)})
	if err != nil {
		return nil, l.readError("index", err)
	}
	return it, nil
}

// scan calls visit for every record with the prefix, in key order. Key and value are its for the call.
func (l *Ledger) scan(r pebble.Reader, prefix []byte, visit func(key, value []byte) error) error {
	it, err := l.iter(r, prefix)
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if err := visit(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return l.readError("index", err)
	}
	return l.failure()
}

// readError is what came of a read that Pebble could not do.
func (l *Ledger) readError(what string, err error) error {
	if pebble.IsCorruptionError(err) {
		return l.damage(what, err)
	}
	return fmt.Errorf("read %s of ledger %s: %w", what, l.dir, oneLine(err))
}

// damage is what came of a record that makes no sense.
func (l *Ledger) damage(what string, err error) error {
	return damaged(l.dir+": "+what, err)
}
