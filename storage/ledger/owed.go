package ledger

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage/ledger/format"
)

// owedRange reads the first and the last number of the owed rows.
func (l *Ledger) owedRange(r pebble.Reader) (found crawler.OwedRange, err error) {
	it, err := l.iter(r, format.AppendPartition(nil, format.OwnPartition, format.KindOwed))
	if err != nil {
		return found, err
	}
	defer it.Close()
	if it.First() {
		found.First = format.OwedNumber(it.Key())
	}
	if it.Last() {
		found.Last = format.OwedNumber(it.Key())
	}
	if err := it.Error(); err != nil {
		return found, l.readError("owed rows", err)
	}
	return found, nil
}

// Owed reads up to n owed rows with the numbers from first to last, and gives the number of the last one looked at (last when
// there are no more). Rows that are not final any more are left out: they are owed again when they are.
func (l *Ledger) Owed(first, last uint64, n int) (rows []*crawler.Row, seen uint64, err error) {
	snap := l.db.NewSnapshot()
	defer snap.Close()
	it, err := snap.NewIter(&pebble.IterOptions{LowerBound: format.AppendOwed(nil, first), UpperBound: format.AppendOwed(nil, last+1)})
	if err != nil {
		return nil, 0, l.readError("owed rows", err)
	}
	defer it.Close()
	seen = last
	var keys []weburl.URLKey
	for ok := it.First(); ok; ok = it.Next() {
		if len(keys) == n {
			break
		}
		v := it.Value()
		if len(v) != 16 {
			return nil, 0, l.damage(fmt.Sprintf("owed row %x", it.Key()), format.ErrLength)
		}
		keys = append(keys, weburl.URLKey{Host: weburl.HostKey(binary.BigEndian.Uint64(v)), URL: binary.BigEndian.Uint64(v[8:])})
		seen = format.OwedNumber(it.Key())
	}
	if err := it.Error(); err != nil {
		return nil, 0, l.readError("owed rows", err)
	}
	if len(keys) < n {
		seen = last
	}
	found, err := l.rowsOf(snap, keys)
	if err != nil {
		return nil, 0, err
	}
	for _, r := range found {
		if r.Outcome.Final() {
			rows = append(rows, r)
		}
	}
	return rows, seen, l.failure()
}
