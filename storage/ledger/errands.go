package ledger

import (
	"errors"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/weburl"
	"trawl/storage/ledger/format"
)

// errEnough ends a scan that has what it wants.
var errEnough = errors.New("enough")

// Errands reads the errands that wait at a host, one for each of up to n URLs, in key order; those whose answer
// is being handed on are left out.
func (l *Ledger) Errands(h weburl.Host, n int) (hops []crawler.RobotsHop, err error) {
	it, err := l.iter(l.db, format.AppendHost(nil, format.KindErrand, h.Key()))
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for ok := it.First(); ok && len(hops) < n; ok = it.SeekGE(format.PrefixEnd(it.Key()[:format.RowBytes])) {
		if len(it.Key()) < format.RowBytes {
			return nil, l.damage("errand at "+string(h), format.ErrLength)
		}
		hop, err := format.Stored(records.Hop, it.Value())
		if err != nil {
			return nil, l.damage("errand at "+string(h), err)
		}
		_, handing, err := l.get(l.db, format.AppendAnswer(nil, hop.URL.Key(), true))
		if err != nil {
			return nil, err
		}
		if !handing {
			hops = append(hops, hop)
		}
	}
	if err := it.Error(); err != nil {
		return nil, l.readError("errands of "+string(h), err)
	}
	return hops, l.failure()
}

// Waiters reads up to n errands that wait for the URL, in key order. Two URLs of a host may have one hash: a caller that must be sure
// compares the URL.
func (l *Ledger) Waiters(u weburl.URL, n int) (hops []crawler.RobotsHop, err error) {
	if n <= 0 {
		return nil, nil
	}
	err = l.scan(l.db, format.AppendErrands(nil, u.Key()), func(_, value []byte) error {
		hop, err := format.Stored(records.Hop, value)
		if err != nil {
			return l.damage("errand to "+u.String(), err)
		}
		if hops = append(hops, hop); len(hops) == n {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return hops, err
}

// Waits reports whether there is this errand, whatever its count.
func (l *Ledger) Waits(hop crawler.RobotsHop) (bool, error) {
	_, found, err := l.get(l.db, format.AppendErrand(nil, &hop))
	return found, err
}

// Answer reads the answer for a URL, false when there is none. Two URLs of a host may have one hash: a caller that must be sure
// compares the URL.
func (l *Ledger) Answer(u weburl.URL) (a crawler.HopAnswer, found bool, err error) {
	for _, handing := range []bool{true, false} {
		key := format.AppendAnswer(nil, u.Key(), handing)
		value, found, err := l.get(l.db, key)
		if err != nil {
			return a, false, err
		}
		if found {
			if a, err = format.StoredAnswer(key, value); err != nil {
				return a, false, l.damage("robots answer of "+u.String(), err)
			}
			return a, true, nil
		}
	}
	return a, false, nil
}

// Handing reads up to n answers of a host that are being handed on, in key order.
func (l *Ledger) Handing(h weburl.Host, n int) (answers []crawler.HopAnswer, err error) {
	if n <= 0 {
		return nil, nil
	}
	prefix := append(format.AppendHost(nil, format.KindAnswer, h.Key()), 0)
	err = l.scan(l.db, prefix, func(key, value []byte) error {
		a, err := format.StoredAnswer(key, value)
		if err != nil {
			return l.damage("robots answer at "+string(h), err)
		}
		if answers = append(answers, a); len(answers) == n {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return answers, err
}
