package ledger

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/weburl"
	"trawl/storage/ledger/format"
)

// renewEvery is the number of rows after which a reading gives up its iterators for new ones of the same
// moment. An iterator keeps from being freed every memtable and table that was there when it was made.
const renewEvery = 100_000

// All reads every row in key order, as people are to see it: Outcome is Leased where a turn lists the row,
// and a waiting row has the Reason why it waits now (limit, retry, paused, crawl_delay, or none when it only
// waits for its host). All rows are of the moment the reading begins, however long it takes. It ends after an error.
//
// Commits go on meanwhile and are not held up. Memory is bounded: the blocks of the cache, and for up to
// renewEvery rows the memtables of the moment at which the iterators were made. Until the reading ends,
// compactions keep what commits replace and remove, so the ledger takes that much more room on disk.
func (l *Ledger) All() iter.Seq2[*crawler.Row, error] {
	return l.read(func(s *stories, yield func(*crawler.Row) bool) error {
		s.rows.next()
		_, err := s.tellWhile(func(weburl.HostKey) bool { return true }, yield)
		return err
	})
}

// RowsOf reads the rows of some hosts as All does, in the same order, and none of the others on its way.
func (l *Ledger) RowsOf(hosts ...weburl.Host) iter.Seq2[*crawler.Row, error] {
	wanted := make(map[weburl.Host]bool, len(hosts))
	keys := make([]weburl.HostKey, 0, len(hosts))
	for _, h := range hosts {
		wanted[h] = true
		keys = append(keys, h.Key())
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	return l.read(func(s *stories, yield func(*crawler.Row) bool) error {
		tell := func(r *crawler.Row) bool {
			return !wanted[r.URL.Host()] || yield(r) // a host with the same hash may be there, too
		}
		for _, k := range keys {
			s.moveTo(k, format.AppendHost(nil, format.KindRow, k))
			goOn, err := s.tellWhile(func(at weburl.HostKey) bool { return at == k }, tell)
			if !goOn || err != nil {
				return err
			}
		}
		return nil
	})
}

// read gives a walk over the stories of one moment as a sequence. The walk returns when it has an error or
// yield says false.
func (l *Ledger) read(walk func(s *stories, yield func(*crawler.Row) bool) error) iter.Seq2[*crawler.Row, error] {
	return func(yield func(*crawler.Row, error) bool) {
		snap := l.db.NewSnapshot()
		defer snap.Close()
		s, err := l.stories(snap)
		if err == nil {
			defer s.close()
			err = walk(s, func(r *crawler.Row) bool { return yield(r, nil) })
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// Row reads one row as All does, false when u was never admitted.
func (l *Ledger) Row(u weburl.URL) (*crawler.Row, bool, error) {
	snap := l.db.NewSnapshot()
	defer snap.Close()
	rows, err := l.rows(snap, []weburl.URLKey{u.Key()})
	if err != nil || rows[0] == nil || rows[0].URL != u {
		return nil, false, err
	}
	s := stories{l: l}
	if err := s.load(snap); err != nil {
		return nil, false, err
	}
	k := u.Key().Host
	if s.host, _, err = l.host(snap, k); err != nil {
		return nil, false, err
	}
	value, found, err := l.get(snap, format.AppendHost(nil, format.KindTurn, k))
	if err != nil {
		return nil, false, err
	}
	if found {
		if err := s.setTurn(k, value); err != nil {
			return nil, false, err
		}
	}
	s.tell(rows[0])
	return rows[0], true, l.tellNames(snap, rows[0])
}

// stories walks rows together with their hosts and turns. The three lie in the same order.
type stories struct {
	l                  *Ledger
	snap               *pebble.Snapshot
	rows, hosts, turns *cursor
	told, renewEvery   int // rows
	state              crawler.JobState
	tallies            crawler.Tallies
	now                time.Time

	key    weburl.HostKey // whose host and turn these are
	begun  bool
	host   crawler.HostState
	leased []uint64 // URL hashes, sorted
}

func (l *Ledger) stories(snap *pebble.Snapshot) (*stories, error) {
	s := &stories{l: l, snap: snap, renewEvery: renewEvery}
	if err := s.load(snap); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

// open makes the cursors; after an error there are none.
func (s *stories) open() (err error) {
	for _, c := range []struct {
		to   **cursor
		kind format.Kind
	}{{&s.rows, format.KindRow}, {&s.hosts, format.KindHost}, {&s.turns, format.KindTurn}} {
		if *c.to, err = s.l.cursor(s.snap, c.kind); err != nil {
			s.close()
			return err
		}
	}
	return nil
}

// moveTo sets the cursors on a row, or the first after it, and on its host.
func (s *stories) moveTo(h weburl.HostKey, row []byte) {
	s.rows.seek(row)
	s.hosts.seek(format.AppendHost(nil, format.KindHost, h))
	s.turns.seek(format.AppendHost(nil, format.KindTurn, h))
}

// tellWhile tells rows from the one that the cursor stands on, as long as their host is in. goOn is false
// when yield said so.
func (s *stories) tellWhile(in func(weburl.HostKey) bool, yield func(*crawler.Row) bool) (goOn bool, err error) {
	for s.rows.live && in(s.rows.host()) {
		r, err := s.row()
		if err != nil || !yield(r) {
			return false, err
		}
		if s.told++; s.told%s.renewEvery == 0 {
			if err := s.renew(); err != nil {
				return false, err
			}
		}
		s.rows.next()
	}
	return true, s.err()
}

// renew makes new cursors, which stand where the old ones stood.
func (s *stories) renew() error {
	if err := s.err(); err != nil {
		return err
	}
	row := slices.Clone(s.rows.it.Key())
	s.close()
	if err := s.open(); err != nil {
		return err
	}
	s.moveTo(format.HostOf(row), row)
	return s.err()
}

// load reads what concerns all rows. Now is the later of the wall clock and the ledger's, as it is for a scheduler.
func (s *stories) load(r pebble.Reader) error {
	clock, _, err := s.l.metaTime(r, format.MetaClock)
	if s.now = time.Now().UTC().Round(0); clock.After(s.now) {
		s.now = clock
	}
	return errors.Join(err, s.l.metaJSON(r, format.MetaTallies, &s.tallies), s.l.metaJSON(r, format.MetaState, &s.state))
}

func (s *stories) close() {
	for _, c := range []**cursor{&s.rows, &s.hosts, &s.turns} {
		if *c != nil {
			(*c).close()
			*c = nil
		}
	}
}

func (s *stories) err() error {
	for _, c := range []*cursor{s.rows, s.hosts, s.turns} {
		if err := c.err(); err != nil {
			return err
		}
	}
	return nil
}

// row is the row that the cursor stands on.
func (s *stories) row() (*crawler.Row, error) {
	k := format.HostOf(s.rows.it.Key())
	if !s.begun || k != s.key {
		if err := s.turnTo(k); err != nil {
			return nil, err
		}
	}
	r, err := format.StoredRow(s.rows.it.Value())
	if err != nil {
		return nil, s.l.damage(fmt.Sprintf("row %x", s.rows.it.Key()), err)
	}
	s.tell(r)
	return r, s.l.tellNames(s.snap, r)
}

// turnTo reads host and turn of the next host. A row without a host is told as if its host were new.
func (s *stories) turnTo(k weburl.HostKey) (err error) {
	s.key, s.begun, s.host, s.leased = k, true, crawler.HostState{}, nil
	if s.hosts.at(k) {
		if err = records.Host.ReadStored(s.hosts.it.Value(), &s.host); err != nil {
			return s.l.damage(fmt.Sprintf("host %016x", uint64(k)), err)
		}
	}
	if s.turns.at(k) {
		return s.setTurn(k, s.turns.it.Value())
	}
	return nil
}

func (s *stories) setTurn(k weburl.HostKey, value []byte) error {
	t, err := format.Stored(records.Turn, value)
	if err != nil {
		return s.l.damage(fmt.Sprintf("turn of host %016x", uint64(k)), err)
	}
	s.leased = t.URLs
	slices.Sort(s.leased)
	return nil
}

// tell fills in what a stored row does not say itself.
func (s *stories) tell(r *crawler.Row) {
	_, leased := slices.BinarySearch(s.leased, r.Key().URL)
	r.Outcome, r.Reason = s.state.Standing(&s.tallies, &s.host, r, leased, s.now)
}

// seek moves to the first record of the kind from key on.
func (c *cursor) seek(key []byte) {
	c.begun = true
	c.live = c.settle(c.it.SeekGE(key))
}
