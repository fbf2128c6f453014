package storage

import (
	"path/filepath"
	"testing"
)

func TestABackupIsTheLedgerOfThatMomentAndMayGetALifeOfItsOwn(t *testing.T) {
	m := newModel(31)
	l := open(t, filepath.Join(t.TempDir(), "ledger"), LedgerOptions{})
	for range 30 {
		commit(t, l, m.step(t))
	}
	dir := filepath.Join(t.TempDir(), "copy")
	if err := l.Backup(dir); err != nil {
		t.Fatal(err)
	}
	if err := l.Backup(dir); err == nil {
		t.Error("a backup was made over another")
	}
	backup := open(t, dir, LedgerOptions{})
	m.check(t, backup)
	commit(t, l, m.step(t))
	m.check(t, l)
	before, err := backup.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := backup.NewLife(); err != nil {
		t.Fatal(err)
	}
	after, err := backup.Load(t.Context())
	if err != nil || after.Life == before.Life || after.Position != before.Position {
		t.Errorf("after NewLife: %v, %v", after, err)
	}
}
