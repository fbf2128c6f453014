package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage"
	"trawl/storage/ledger/format"
)

// MaxDifferences is how many differences a Balance lists; more are counted.
const MaxDifferences = 1000

// Balance is what Verify counted.
type Balance struct {
	// Tallies as recounted from the rows and hosts: Counts, Reasons, Bytes, Hosts and Parked.
	Tallies crawler.Tallies
	Turns   int64 // in force
	Queued  int64 // queue entries
	Due     int64 // due entries
	Errands int64

	// Differences are what is not as it must be, each in one line. Empty means that the ledger balances.
	Differences []string
	More        int64 // differences beyond MaxDifferences
}

// OK reports whether the ledger balances.
func (b *Balance) OK() bool { return len(b.Differences) == 0 }

// Verify recounts everything, as of the moment it begins: rows against hosts, turns and tallies, and the queue,
// due entries and names of files against the rows and hosts they are made from. Memory stays flat but for the turns' URLs. What
// is wrong with the ledger is in the Balance; an error means that it could not be read to its end.
func (l *Ledger) Verify(ctx context.Context) (Balance, error) {
	v := verifier{l: l, ctx: ctx, snap: l.db.NewSnapshot()}
	v.Tallies.Reasons = make(map[crawler.Reason]int64)
	defer v.close()
	for _, step := range []func() error{v.open, v.allHosts, v.allDue, v.allNames, v.unknown, v.tallies} {
		if err := step(); err != nil {
			return v.Balance, fmt.Errorf("verify: %w", err)
		}
	}
	return v.Balance, l.failure()
}

// verifier walks all kinds side by side, host by host. Sets that should be equal are compared by count and
// sum of hashes, so that they need not be in memory; only where these differ a second look says what it is.
type verifier struct {
	Balance
	l    *Ledger
	ctx  context.Context
	snap *pebble.Snapshot
	job  crawler.JobState
	work crawler.Work

	rows, hosts, turns, queue, robots, errands, answers, domains *cursor

	due      keySet // due entries that the hosts should have
	names    nameSets
	withRows int64  // hosts that have a row
	waiters  int64  // hosts that wait for an errand
	sequence uint64 // highest of a row
	key      []byte
}

// keySet is a multiset of keys, reduced to what comparing needs.
type keySet struct {
	n   int64
	sum uint64
}

func (s *keySet) add(key []byte) {
	s.n++
	s.sum += xxhash.Sum64(key)
}

func (v *verifier) cursors() []struct {
	c    **cursor
	kind format.Kind
} {
	return []struct {
		c    **cursor
		kind format.Kind
	}{
		{&v.rows, format.KindRow}, {&v.hosts, format.KindHost}, {&v.turns, format.KindTurn}, {&v.queue, format.KindQueue},
		{&v.robots, format.KindRobots}, {&v.errands, format.KindErrand}, {&v.answers, format.KindAnswer}, {&v.domains, format.KindDomain},
	}
}

func (v *verifier) open() (err error) {
	for _, c := range v.cursors() {
		if *c.c, err = v.l.cursor(v.snap, c.kind); err != nil {
			return err
		}
		(*c.c).next()
	}
	return errors.Join(v.l.metaJSON(v.snap, format.MetaState, &v.job), v.l.metaJSON(v.snap, format.MetaWork, &v.work))
}

func (v *verifier) close() {
	for _, c := range v.cursors() {
		if *c.c != nil {
			(*c.c).close()
		}
	}
	v.snap.Close()
}

func (v *verifier) differ(text string, args ...any) {
	if len(v.Differences) == MaxDifferences {
		v.More++
		return
	}
	v.Differences = append(v.Differences, fmt.Sprintf(text, args...))
}

// allHosts takes the hosts in order, each with what any kind has of it.
func (v *verifier) allHosts() error {
	for {
		next, some := weburl.HostKey(0), false
		for _, c := range v.cursors() {
			if k := *c.c; k.live && (!some || k.host() < next) {
				next, some = k.host(), true
			}
		}
		if !some {
			break
		}
		if err := v.oneHost(next); err != nil {
			return err
		}
	}
	for _, c := range v.cursors() {
		if err := (*c.c).err(); err != nil {
			return err
		}
	}
	return nil
}

// allDue compares the due entries with those the hosts should have.
func (v *verifier) allDue() error {
	c, err := v.l.cursor(v.snap, format.KindDue)
	if err != nil {
		return err
	}
	defer c.close()
	var have keySet
	for c.next() {
		have.add(append(append(v.key[:0], c.it.Key()...), c.it.Value()...))
	}
	v.Due = have.n
	if err := c.err(); err != nil || have == v.due {
		return err
	}
	return v.explainDue()
}

func (v *verifier) explainDue() error {
	for h, err := range v.l.hostsOf(v.snap, 0) {
		if err != nil {
			return nil // was reported when the host was verified
		}
		due, is := h.Due()
		if !is {
			continue
		}
		value, found, err := v.l.get(v.snap, format.AppendDue(nil, h.Host.Key(), due))
		if err != nil {
			return err
		}
		if !found || string(value) != string(format.AppendDueValue(nil, &h, due)) {
			v.differ("host %s: may be asked from %s on and is not in the order of hosts, or not at its place", h.Host, clockText(due))
		}
	}
	c, err := v.l.cursor(v.snap, format.KindDue)
	if err != nil {
		return err
	}
	defer c.close()
	for c.next() {
		at, k, ok := format.DueEntryOf(c.it.Key())
		if !ok {
			v.differ("due entry %x: is none", c.it.Key())
			continue
		}
		h, found, err := v.l.host(v.snap, k)
		if err != nil && !errors.Is(err, storage.ErrDamaged) {
			return err
		}
		if due, is := h.Due(); !found || !is || format.OrderOf(due) != at || k.Partition() != weburl.Partition(c.it.Key()[1]) {
			name, _ := format.DueValueOf(c.it.Value())
			v.differ("host %s: is in the order of hosts at %s and should not be", name, clockText(format.TimeOf(at)))
		}
	}
	return c.err()
}

func clockText(t time.Time) string {
	if t.IsZero() {
		return "the beginning"
	}
	return t.Format(time.RFC3339Nano)
}

// unknown looks for keys that are none of ours, by leaping from kind to kind.
func (v *verifier) unknown() error {
	it, err := v.snap.NewIter(nil)
	if err != nil {
		return v.l.readError("keys", err)
	}
	defer it.Close()
	for ok := it.First(); ok; {
		key := it.Key()
		last := format.Kind(format.HostKinds)
		own := len(key) >= format.PrefixBytes && key[0] == 0xFF && key[1] == 0xFF
		if own {
			last = format.OwnKinds
		}
		if len(key) < format.PrefixBytes || key[0] != 0 && !own || key[2] == 0 || format.Kind(key[2]) > last {
			v.differ("key %x: is of no kind that this trawl knows", key)
			ok = it.Next()
			continue
		}
		ok = it.SeekGE(format.PrefixEnd(key[:format.PrefixBytes]))
	}
	if err := it.Error(); err != nil {
		return v.l.readError("keys", err)
	}
	return v.ctx.Err()
}

// tallies compares the sums.
func (v *verifier) tallies() error {
	var t crawler.Tallies
	if err := v.l.metaJSON(v.snap, format.MetaTallies, &t); err != nil {
		return err
	}
	last, _, err := v.l.metaUint(v.snap, format.MetaSequence)
	if err != nil {
		return err
	}
	same := func(what string, tally, counted int64) {
		if tally != counted {
			v.differ("tallies: %d %s, but %d were counted", tally, what, counted)
		}
	}
	for o := range t.Counts {
		same(crawler.Outcome(o).String(), t.Counts[o], v.Tallies.Counts[o])
	}
	reasons := maps.Clone(v.Tallies.Reasons)
	for r := range t.Reasons {
		reasons[r] += 0
	}
	for _, r := range slices.Sorted(maps.Keys(reasons)) {
		same("with reason "+string(r), t.Reasons[r], v.Tallies.Reasons[r])
	}
	same("bytes", t.Bytes, v.Tallies.Bytes)
	same("beyond a limit", t.Parked, v.Tallies.Parked)
	same("hosts that are away", t.Away, v.Tallies.Away)
	if t.Hosts < v.withRows || t.Hosts > v.Tallies.Hosts {
		v.differ("tallies: %d hosts, but %d have rows and %d are known", t.Hosts, v.withRows, v.Tallies.Hosts)
	}
	if v.sequence > last {
		v.differ("rows: sequence %d was used, but the last one noted is %d", v.sequence, last)
	}
	if v.waiters > v.Errands {
		v.differ("errands: %d hosts wait for one, but there are %d", v.waiters, v.Errands)
	}
	return nil
}
