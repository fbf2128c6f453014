package ledger

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage/ledger/format"
)

// Commit applies a change in one synced batch. When it returns nil the change is durable and seen by every
// read that begins afterwards. After an error it is not there; when the error was that of a write, the
// ledger refuses everything from then on. Within a change what ends comes before what is put: turns and errands
// that end may be followed by new ones of the same host. Old values must be the current ones, since the
// entries of the queue and of due hosts to be removed are computed from them.
func (l *Ledger) Commit(c *crawler.Changes) error {
	return l.write(func(w *format.Writer) {
		clock := l.clock
		if c.Now.After(clock) {
			clock = c.Now
		}
		w.Changes(c, clock)
	})
}

// maxKeptRecord is how large a buffer is kept for the next record, in bytes.
const maxKeptRecord = 4 << 20

// write makes a record and applies it, in one synced batch. Every key of a ledger is written here.
func (l *Ledger) write(make func(w *format.Writer)) error {
	l.commit.Lock()
	defer l.commit.Unlock()
	w := format.Writer{Record: append(l.buffer[:0], format.RecordFormat)}
	make(&w)
	if w.Err != nil {
		return fmt.Errorf("commit to ledger %s: %w", l.dir, w.Err)
	}
	if l.buffer = w.Record; cap(l.buffer) > maxKeptRecord {
		l.buffer = nil
	}
	return l.apply(w.Record)
}

// Apply applies a record of another ledger: after all records of that one, from its first on, this ledger is the same.
func (l *Ledger) Apply(r format.Record) error {
	l.commit.Lock()
	defer l.commit.Unlock()
	return l.apply(r)
}

// leastBatch is room for a batch's own head, in bytes: the library cannot close a batch that has less.
const leastBatch = 64

// apply makes a record durable. When it returns nil every read that begins afterwards sees it; after an error it is not there, and
// when the error was that of a write, the ledger refuses everything from then on.
func (l *Ledger) apply(r format.Record) error {
	if l.o.ReadOnly {
		return fmt.Errorf("ledger %s is open for reading only", l.dir)
	}
	if err := l.failure(); err != nil {
		return err
	}
	b := l.db.NewBatchWithSize(leastBatch + len(r) + len(r)/8)
	defer func() {
		if l.failure() == nil { // else the commit may be under way for ever
			b.Close()
		}
	}()
	if err := r.Edits(func(e format.Edit, key, value []byte) error { return applyEdit(b, e, key, value) }); err != nil {
		return fmt.Errorf("commit to ledger %s: %w", l.dir, err)
	}
	err := l.call(func() error { return b.Commit(pebble.Sync) })
	if failed := l.failure(); failed != nil {
		return failed
	}
	if err != nil {
		return fmt.Errorf("commit to ledger %s: %w", l.dir, err)
	}
	l.remember(r)
	if l.o.Records != nil {
		l.o.Records(r)
	}
	return nil
}

func applyEdit(b *pebble.Batch, e format.Edit, key, value []byte) error {
	switch e {
	case format.EditSet:
		return b.Set(key, value, nil)
	case format.EditDelete:
		return b.Delete(key, nil)
	}
	return b.DeleteRange(key, value, nil)
}

// remember takes over what of an applied record is kept in memory, too: the clock, when the first host of a partition is due, and where
// queues begin.
func (l *Ledger) remember(r format.Record) {
	l.due.mu.Lock()
	defer l.due.mu.Unlock()
	l.queues.mu.Lock()
	defer l.queues.mu.Unlock()
	_ = r.Edits(func(e format.Edit, key, value []byte) error { // it was read before
		if e != format.EditSet || len(key) < format.PrefixBytes {
			return nil
		}
		switch own := binary.BigEndian.Uint16(key) >= weburl.Partitions; {
		case !own && format.Kind(key[2]) == format.KindQueue:
			l.queues.lower(key)
		case !own && format.Kind(key[2]) == format.KindDue:
			if due, h, ok := format.DueEntryOf(key); ok {
				l.due.lower(due, h)
			}
		case own && len(value) == 8 && string(key) == clockKey:
			l.clock = format.TimeOf(binary.BigEndian.Uint64(value))
		}
		return nil
	})
}

var clockKey = string(format.AppendMeta(nil, format.MetaClock))

// EachKey reads every key with its value, as they are stored, in order, until visit returns an error. Two ledgers are replicas of each
// other when it gives the same for both.
func (l *Ledger) EachKey(visit func(key, value []byte) error) error {
	snap := l.db.NewSnapshot()
	defer snap.Close()
	return l.scan(snap, nil, visit)
}
