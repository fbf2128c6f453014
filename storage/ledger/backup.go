package ledger

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"trawl/crawler"
	"trawl/storage/ledger/format"
)

// Backup makes a copy of the ledger, as of a moment during the call, in a directory that is not there yet.
// Commits go on meanwhile. The copy is a ledger like any other; where the file system can, it shares its
// tables with this one and takes little space, more as this one goes on.
func (l *Ledger) Backup(dir string) error {
	if err := l.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("back up ledger %s to %s: %w", l.dir, dir, err)
	}
	return l.failure()
}

// Restored makes the ledger one that goes on from a copy: it gets a new life, keeps its origin, and notes the
// time, which is later than that of every restore before. Whoever continues from a copy calls it before anything
// else, so that a scheduler that still works on the original, and the fetchers of both, notice that there are two,
// and the first start ends the turns of the life before. One record: it is done or not.
func (l *Ledger) Restored(now time.Time) error {
	var s crawler.LedgerState
	if err := l.lineage(l.db, &s); err != nil {
		return err
	}
	if after := s.Restored.Add(time.Second); now.Before(after) {
		now = after
	}
	err := l.write(func(w *format.Writer) {
		w.Number(format.MetaSchema, schemaRestored)
		w.Bytes(format.MetaOrigin, s.Origin[:])
		w.Bytes(format.MetaLife, newLife())
		w.Time(format.MetaRestored, now)
		w.Bytes(format.MetaRecall, nil)
	})
	if err != nil {
		return fmt.Errorf("give ledger %s a new life: %w", l.dir, err)
	}
	return nil
}

// lineage reads which life of which crawl this is, and what a restore left to be done.
func (l *Ledger) lineage(r pebble.Reader, s *crawler.LedgerState) error {
	found, err := l.metaLife(r, format.MetaLife, &s.Life)
	if err == nil && !found {
		err = l.damage("its life", format.ErrLength)
	}
	if err == nil {
		if found, err = l.metaLife(r, format.MetaOrigin, &s.Origin); err == nil && !found {
			s.Origin = s.Life
		}
	}
	if err == nil {
		s.Restored, _, err = l.metaTime(r, format.MetaRestored)
	}
	if err == nil {
		s.Quiet, _, err = l.metaTime(r, format.MetaQuiet)
	}
	if err == nil {
		_, s.Recall, err = l.get(r, format.AppendMeta(nil, format.MetaRecall))
	}
	return err
}

func (l *Ledger) metaLife(r pebble.Reader, name string, to *crawler.Life) (found bool, err error) {
	b, found, err := l.get(r, format.AppendMeta(nil, name))
	if err == nil && found && len(b) != len(to) {
		err = l.damage("its "+name, format.ErrLength)
	}
	copy(to[:], b)
	return found, err
}

// Summary is what is told of a ledger without reading its rows.
type Summary struct {
	Life     string              `json:"life"`
	Origin   string              `json:"origin"`
	Restored time.Time           `json:"restored,omitzero"` // when the ledger was restored from a copy
	Clock    time.Time           `json:"clock"`             // of the scheduler, at the newest commit
	Position uint64              `json:"position"`          // of the result log, settled up to here
	Job      string              `json:"job"`
	Kind     crawler.Kind        `json:"kind"`
	Archive  crawler.ArchiveKind `json:"archive"` // where the bodies are
	Finished time.Time           `json:"finished,omitzero"`
	Rows     int64               `json:"rows"`
	Hosts    int64               `json:"hosts"`
	Counts   map[string]int64    `json:"counts"` // rows by outcome
}

// Summary reads it, and the version of the ledger's keys and values; see [Schema].
func (l *Ledger) Summary() (m Summary, schema uint64, err error) {
	var s crawler.LedgerState
	snap := l.db.NewSnapshot()
	defer snap.Close()
	schema, _, err = l.metaUint(snap, format.MetaSchema)
	for _, read := range []func() error{
		func() error { return l.lineage(snap, &s) },
		func() (err error) { s.Clock, _, err = l.metaTime(snap, format.MetaClock); return },
		func() (err error) { s.Position, _, err = l.metaUint(snap, format.MetaPosition); return },
		func() error { return l.metaJSON(snap, format.MetaTallies, &s.Tallies) },
		func() error { return l.metaJSON(snap, format.MetaState, &s.State) },
	} {
		if err == nil {
			err = read()
		}
	}
	if err != nil {
		return m, 0, err
	}
	m = Summary{
		Life: s.Life.String(), Origin: s.Origin.String(), Restored: s.Restored, Clock: s.Clock, Position: s.Position,
		Job: s.State.Job.Name, Kind: s.State.Job.Kind, Archive: s.State.Job.Archive, Finished: s.State.Finished, Rows: s.Tallies.Seen(), Hosts: s.Tallies.Hosts,
		Counts: make(map[string]int64),
	}
	for o, n := range s.Tallies.Counts {
		if n > 0 {
			m.Counts[crawler.Outcome(o).String()] = n
		}
	}
	return m, schema, nil
}
