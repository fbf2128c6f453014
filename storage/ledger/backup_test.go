package ledger

import (
	"path/filepath"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/storage/storagetest"
)

func TestABackupIsTheLedgerOfThatMomentAndMayGetALifeOfItsOwn(t *testing.T) {
	m := storagetest.NewModel(31)
	l := open(t, filepath.Join(t.TempDir(), "ledger"), Options{})
	for range 30 {
		storagetest.Commit(t, l, m.Step())
	}
	dir := filepath.Join(t.TempDir(), "copy")
	if err := l.Backup(dir); err != nil {
		t.Fatal(err)
	}
	if err := l.Backup(dir); err == nil {
		t.Error("a backup was made over another")
	}
	backup := open(t, dir, Options{})
	check(t, m, backup)
	storagetest.Commit(t, l, m.Step())
	check(t, m, l)
	before := storagetest.Load(t, backup)
	if _, schema, err := backup.Summary(); schema != schemaFresh || err != nil {
		t.Errorf("its schema is %d, %v", schema, err)
	}
	if before.Origin != before.Life || !before.Restored.IsZero() || before.Recall || !before.Quiet.IsZero() {
		t.Errorf("a ledger that was never restored: %+v", before)
	}
	if err := backup.Restored(time.Unix(1000, 0)); err != nil {
		t.Fatal(err)
	}
	after := storagetest.Load(t, backup)
	if _, schema, err := backup.Summary(); schema != schemaRestored || err != nil {
		t.Errorf("after the restore its schema is %d, %v", schema, err)
	}
	if after.Life == before.Life || after.Origin != before.Origin || after.Position != before.Position || !after.Recall || !after.Restored.Equal(time.Unix(1000, 0)) {
		t.Errorf("after the restore: life %v, origin %v, restored %v, recall %v, position %d", after.Life, after.Origin, after.Restored, after.Recall, after.Position)
	}
}

func TestARestoreOfARestoredLedgerKeepsItsOriginAndComesLater(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "ledger"), Options{})
	origin := storagetest.Load(t, l).Origin
	at := time.Unix(5000, 0)
	for _, now := range []time.Time{at, at, at.Add(-time.Hour)} { // the clock of the other machine may be behind
		before := storagetest.Load(t, l)
		if err := l.Restored(now); err != nil {
			t.Fatal(err)
		}
		after := storagetest.Load(t, l)
		if after.Origin != origin || after.Life == before.Life || after.Restored.Unix() <= before.Restored.Unix() && !before.Restored.IsZero() {
			t.Errorf("restored at %v: %v after %v, origin kept: %v", now, after.Restored, before.Restored, after.Origin == origin)
		}
	}
}

func TestTheFirstStartEndsTheRecall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l := open(t, dir, Options{})
	if err := l.Restored(time.Unix(5000, 0)); err != nil {
		t.Fatal(err)
	}
	quiet := time.Unix(6000, 7).UTC()
	storagetest.Commit(t, l, &crawler.Changes{Now: time.Unix(5990, 0), Quiet: quiet})
	storagetest.Commit(t, l, &crawler.Changes{Now: time.Unix(5991, 0), Sequence: 3})
	if s := storagetest.Load(t, l); s.Recall || !s.Quiet.Equal(quiet) {
		t.Errorf("recall %v, quiet until %v", s.Recall, s.Quiet)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if s := storagetest.Load(t, open(t, dir, Options{})); s.Recall || !s.Quiet.Equal(quiet) {
		t.Errorf("opened again: recall %v, quiet until %v", s.Recall, s.Quiet)
	}
}
