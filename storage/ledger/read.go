package ledger

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/storage/ledger/format"
)

// Load reads what a scheduler needs at its start, with every active turn, as of one moment.
func (l *Ledger) Load(ctx context.Context) (crawler.LedgerState, error) {
	snap := l.db.NewSnapshot()
	defer snap.Close()
	var s crawler.LedgerState
	var committed bool
	var err error
	for _, read := range []func() error{
		func() error { return l.lineage(snap, &s) },
		func() (err error) { s.Clock, committed, err = l.metaTime(snap, format.MetaClock); return },
		func() (err error) { s.Position, _, err = l.metaUint(snap, format.MetaPosition); return },
		func() (err error) { s.Sequence, _, err = l.metaUint(snap, format.MetaSequence); return },
		func() error { return l.ran(snap, &s) },
		func() error { return l.metaJSON(snap, format.MetaTallies, &s.Tallies) },
		func() error { return l.metaJSON(snap, format.MetaState, &s.State) },
		func() error { return l.metaJSON(snap, format.MetaWork, &s.Work) },
		func() (err error) { s.Turns, err = l.turns(ctx, snap); return },
		func() (err error) { s.Scope, s.ScopeMore, err = l.scope(ctx, snap, crawler.MaxScopeSeeds); return },
		func() (err error) { s.Owed, err = l.owedRange(snap); return },
	} {
		if err == nil {
			err = read()
		}
	}
	s.Fresh = !committed
	if err == nil {
		err = l.failure()
	}
	return s, err
}

// ran reads how long the job has run.
func (l *Ledger) ran(r pebble.Reader, s *crawler.LedgerState) error {
	n, _, err := l.metaUint(r, format.MetaRan)
	s.Ran = time.Duration(min(n, math.MaxInt64))
	return err
}

func (l *Ledger) turns(ctx context.Context, r pebble.Reader) ([]crawler.TurnState, error) {
	c, err := l.cursor(r, format.KindTurn)
	if err != nil {
		return nil, err
	}
	defer c.close()
	var turns []crawler.TurnState
	for c.next() && ctx.Err() == nil {
		t, err := format.Stored(records.Turn, c.it.Value())
		if err != nil {
			return nil, l.damage(fmt.Sprintf("turn %x", c.it.Key()), err)
		}
		turns = append(turns, t)
	}
	return turns, errors.Join(c.err(), ctx.Err())
}

// scope reads the keys of up to most seeds that opened the scope, not their texts, and whether there are more.
func (l *Ledger) scope(ctx context.Context, r pebble.Reader, most int) (keys []uint64, more bool, err error) {
	err = l.scan(r, format.AppendScope(nil, ""), func(key, _ []byte) error {
		if more = len(keys) == most; more {
			return errEnough
		}
		keys = append(keys, crawler.ScopeSeed(key[format.PrefixBytes:]).Key())
		return ctx.Err()
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return keys, more, err
}

// Opened reports whether the seed opened the scope.
func (l *Ledger) Opened(seed crawler.ScopeSeed) (bool, error) {
	_, found, err := l.get(l.db, format.AppendScope(nil, seed))
	return found, err
}

// Host reads the host whose key this is, false when there is none. Of two names with the same hash the
// ledger can hold one: a caller that must be sure compares the Host of the answer.
func (l *Ledger) Host(h weburl.Host) (crawler.HostState, bool, error) {
	return l.host(l.db, h.Key())
}

func (l *Ledger) host(r pebble.Reader, k weburl.HostKey) (s crawler.HostState, found bool, err error) {
	value, found, err := l.get(r, format.AppendHost(nil, format.KindHost, k))
	if err != nil || !found {
		return s, false, err
	}
	if err = records.Host.ReadStored(value, &s); err != nil {
		return s, false, l.damage(fmt.Sprintf("host %016x", uint64(k)), err)
	}
	return s, true, nil
}

// Rows reads rows by sorted keys; the answer has a nil for each that is unknown. Two URLs of a host may have one hash: whoever
// must be sure compares the URL.
func (l *Ledger) Rows(keys []weburl.URLKey) ([]*crawler.Row, error) { return l.rows(l.db, keys) }

// rows looks keys up with one iterator that only moves forward. UseL6Filters matters: without it every key
// that is not there reads a block of the last level, which has nine tenths of the keys.
func (l *Ledger) rows(r pebble.Reader, keys []weburl.URLKey) ([]*crawler.Row, error) {
	rows := make([]*crawler.Row, len(keys))
	if len(keys) == 0 {
		return rows, nil
	}
	it, err := r.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, l.readError("rows", err)
	}
	defer it.Close()
	key := make([]byte, 0, format.RowBytes)
	for i, k := range keys {
		key = format.AppendRow(key[:0], k)
		if !it.SeekPrefixGE(key) {
			if err := it.Error(); err != nil {
				return nil, l.readError("rows", err)
			}
			continue
		}
		if rows[i], err = format.StoredRow(it.Value()); err != nil {
			return nil, l.damage(fmt.Sprintf("row %x", key), err)
		}
	}
	return rows, l.failure()
}

// rowsOf reads rows in the order given; all must be there.
func (l *Ledger) rowsOf(r pebble.Reader, keys []weburl.URLKey) ([]*crawler.Row, error) {
	sorted := slices.Clone(keys)
	slices.SortFunc(sorted, weburl.URLKey.Compare)
	found, err := l.rows(r, sorted)
	if err != nil {
		return nil, err
	}
	rows := make([]*crawler.Row, len(keys))
	for i, k := range keys {
		j, _ := slices.BinarySearchFunc(sorted, k, weburl.URLKey.Compare)
		if rows[i] = found[j]; rows[i] == nil {
			return nil, l.damage(fmt.Sprintf("row %016x %016x", uint64(k.Host), k.URL), errors.New("it is queued and not there"))
		}
	}
	return rows, nil
}

// Robots reads the host's robots files, by scheme.
func (l *Ledger) Robots(h weburl.Host) ([]crawler.HostRobots, error) {
	var files []crawler.HostRobots
	err := l.scan(l.db, format.AppendHost(nil, format.KindRobots, h.Key()), func(key, value []byte) error {
		f, err := format.Stored(records.HostRobots, value)
		if err != nil {
			return l.damage("robots file of "+string(h), err)
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

// Domain reads what is kept of a registrable domain, false when there is nothing.
func (l *Ledger) Domain(name string) (d session.DomainState, found bool, err error) {
	value, found, err := l.get(l.db, format.AppendHost(nil, format.KindDomain, session.DomainKey(name)))
	if err != nil || !found {
		return d, false, err
	}
	if d, err = format.Stored(records.Domain, value); err != nil {
		return d, false, l.damage("domain "+name, err)
	}
	return d, true, nil
}

// get reads one value, which is the caller's own.
func (l *Ledger) get(r pebble.Reader, key []byte) (value []byte, found bool, err error) {
	v, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, l.failure()
	} else if err != nil {
		return nil, false, l.readError(fmt.Sprintf("record %x", key), err)
	}
	value = slices.Clone(v)
	if err := closer.Close(); err != nil {
		return nil, false, l.readError(fmt.Sprintf("record %x", key), err)
	}
	return value, true, l.failure()
}

func (l *Ledger) metaUint(r pebble.Reader, name string) (v uint64, found bool, err error) {
	b, found, err := l.get(r, format.AppendMeta(nil, name))
	if err != nil || !found {
		return 0, false, err
	}
	v, n := binary.Uvarint(b)
	if n != len(b) {
		return 0, false, l.damage("its "+name, format.ErrLength)
	}
	return v, true, nil
}

func (l *Ledger) metaTime(r pebble.Reader, name string) (t time.Time, found bool, err error) {
	b, found, err := l.get(r, format.AppendMeta(nil, name))
	if err != nil || !found {
		return t, false, err
	}
	if len(b) != 8 {
		return t, false, l.damage("its "+name, format.ErrLength)
	}
	return format.TimeOf(binary.BigEndian.Uint64(b)), true, nil
}

func (l *Ledger) metaJSON(r pebble.Reader, name string, v any) error {
	b, found, err := l.get(r, format.AppendMeta(nil, name))
	if err != nil || !found {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return l.damage("its "+name, err)
	}
	return nil
}
