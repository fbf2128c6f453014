package ledger

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"trawl/crawler"
	"trawl/storage"
	"trawl/storage/ledger/format"
	"trawl/storage/storagetest"
)

// small is a ledger in memory whose tables are so small that flushes and compactions take part.
func small(fs vfs.FS) Options {
	return Options{FS: fs, CacheBytes: 4 << 20, MemtableBytes: 256 << 10}
}

func open(tb testing.TB, dir string, o Options) *Ledger {
	tb.Helper()
	l, err := Open(dir, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

// check compares a ledger with the model of it, and lets it check itself.
func check(tb testing.TB, m *storagetest.Model, l *Ledger) {
	tb.Helper()
	m.Check(tb, l)
	b, err := l.Verify(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	for _, d := range b.Differences {
		tb.Errorf("Verify: %s", d)
	}
	m.CheckCounts(tb, &b.Tallies, b.Turns, b.Errands)
}

func closeLedger(tb testing.TB, l *Ledger) {
	tb.Helper()
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
}

func TestTheLedgerAnswersAsTheModel(t *testing.T) {
	for seed := range uint64(3) {
		fs := vfs.NewMem()
		m := storagetest.NewModel(seed)
		l := open(t, "ledger", small(fs))
		for i := range 400 {
			storagetest.Commit(t, l, m.Step())
			m.CheckDue(t, l, 1+i%7)
			switch {
			case i%97 == 50:
				check(t, m, l)
			case i%97 == 96:
				closeLedger(t, l)
				l = open(t, "ledger", small(fs))
				check(t, m, l)
			}
			if t.Failed() {
				t.Fatalf("seed %d, step %d", seed, i)
			}
		}
		check(t, m, l)
		closeLedger(t, l)
	}
}

func TestWhatWasCommittedSurvivesAPowerCut(t *testing.T) {
	fs := vfs.NewCrashableMem()
	m := storagetest.NewModel(11)
	l := open(t, "ledger", small(fs))
	for i := range 120 {
		storagetest.Commit(t, l, m.Step())
		if i%20 != 19 {
			continue
		}
		after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: i % 3 * 50, RNG: rand.New(rand.NewPCG(uint64(i), 1))})
		again := open(t, "ledger", small(after))
		check(t, m, again)
		closeLedger(t, again)
		if t.Failed() {
			t.Fatalf("step %d", i)
		}
	}
}

func TestACommitThatIsCutOffIsThereWholeOrNotAtAll(t *testing.T) {
	fs := vfs.NewCrashableMem()
	m := storagetest.NewModel(12)
	l := open(t, "ledger", small(fs))
	for i := range 60 {
		before := m.Position
		change := m.Step()
		var clone *vfs.MemFS
		var cut sync.WaitGroup
		cut.Go(func() {
			clone = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(uint64(i), 2))})
		})
		storagetest.Commit(t, l, change)
		cut.Wait()
		again := open(t, "ledger", small(clone))
		s, err := again.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.Position != before && s.Position != m.Position {
			t.Fatalf("step %d: position %d is there, neither %d nor %d", i, s.Position, before, m.Position)
		}
		b, err := again.Verify(t.Context())
		if err != nil || !b.OK() {
			t.Fatalf("step %d: %v %v", i, b.Differences, err)
		}
		closeLedger(t, again)
	}
}

func TestAFreshLedgerHasALifeThatItKeeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l := open(t, dir, Options{})
	first, err := l.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !first.Fresh || first.Life == (crawler.Life{}) || !first.Clock.IsZero() {
		t.Errorf("a new ledger says %+v", first)
	}
	storagetest.Commit(t, l, &crawler.Changes{Now: time.Unix(50, 0)})
	storagetest.Commit(t, l, &crawler.Changes{Now: time.Unix(20, 0)})
	closeLedger(t, l)
	again, err := open(t, dir, Options{}).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again.Fresh || again.Life != first.Life || !again.Clock.Equal(time.Unix(50, 0)) {
		t.Errorf("opened again it says %+v", again)
	}
	other, err := open(t, filepath.Join(t.TempDir(), "ledger"), Options{}).Load(t.Context())
	if err != nil || other.Life == first.Life {
		t.Errorf("another ledger has the same life (%v)", err)
	}
}

func TestALedgerInUseIsRefusedWithItsName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	open(t, dir, Options{})
	for _, o := range []Options{{}, {ReadOnly: true}} {
		_, err := Open(dir, o)
		if !errors.Is(err, storage.ErrInUse) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "trawl is running on") {
			t.Errorf("opening it twice: %v", err)
		}
	}
}

func TestALedgerOfAnotherFormatIsRefusedInOneLine(t *testing.T) {
	for name, tt := range map[string]struct {
		schema byte
		want   error
		says   string
	}{
		"newer": {Schema + 1, storage.ErrNewer, "use that trawl"},
		"older": {OldestSchema - 1, storage.ErrOlder, "`fresh`"},
		"first": {1, storage.ErrOlder, "schema 1, this trawl reads 3 and later"},
	} {
		fs := vfs.NewMem()
		l := open(t, "ledger", small(fs))
		if err := l.db.Set(format.AppendMeta(nil, format.MetaSchema), []byte{tt.schema}, pebble.Sync); err != nil {
			t.Fatal(err)
		}
		closeLedger(t, l)
		_, err := Open("ledger", small(fs))
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("a %s schema: %v", name, err)
		}
	}
}

func TestALedgerOfAnOlderFormatIsReadAndBecomesOneOfToday(t *testing.T) {
	for before, after := range map[byte]uint64{3: schemaFresh, 4: schemaRestored, schemaFresh: schemaFresh, schemaRestored: schemaRestored} {
		fs := vfs.NewMem()
		l := open(t, "ledger", small(fs))
		if err := l.db.Set(format.AppendMeta(nil, format.MetaSchema), []byte{before}, pebble.Sync); err != nil {
			t.Fatal(err)
		}
		closeLedger(t, l)
		reading := small(fs)
		reading.ReadOnly = true
		for _, step := range []struct {
			o    Options
			want uint64
		}{{reading, uint64(before)}, {small(fs), after}, {small(fs), after}} {
			l := open(t, "ledger", step.o)
			if got, _, err := l.metaUint(l.db, format.MetaSchema); got != step.want || err != nil {
				t.Errorf("schema %d is %d after it was opened (read only: %v), %v; want %d", before, got, step.o.ReadOnly, err, step.want)
			}
			closeLedger(t, l)
		}
	}
}

func TestAnotherDatabaseIsNotTakenForALedger(t *testing.T) {
	fs := vfs.NewMem()
	db, err := pebble.Open("ledger", &pebble.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set([]byte("k"), nil, pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("ledger", small(fs)); !errors.Is(err, storage.ErrDamaged) {
		t.Errorf("another database: %v", err)
	}
}

func TestALedgerForReadingOnlyReadsAndRefusesToCommit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	if _, err := Open(dir, Options{ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is not there: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading made a directory: %v", err)
	}
	m := storagetest.NewModel(13)
	l := open(t, dir, Options{})
	storagetest.Commit(t, l, m.Step())
	closeLedger(t, l)
	l = open(t, dir, Options{ReadOnly: true})
	check(t, m, l)
	if err := l.Commit(&crawler.Changes{Now: m.Now}); err == nil {
		t.Error("it took a commit")
	}
	closeLedger(t, l)
	if err := l.Close(); err != nil {
		t.Errorf("closing it twice: %v", err)
	}
}

func TestADamagedLedgerIsAnErrorThatSaysWhatToDo(t *testing.T) {
	for pattern, harms := range map[string][]string{
		"MANIFEST-*": {"removed", "emptied", "overwritten"}, "*.sst": {"removed", "emptied", "overwritten"}, "marker.manifest*": {"removed"},
	} {
		for _, harm := range harms {
			t.Run(pattern+" "+harm, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "ledger")
				m := storagetest.NewModel(14)
				l := open(t, dir, Options{})
				for range 50 {
					storagetest.Commit(t, l, m.Step())
				}
				closeLedger(t, l)
				damage(t, filepath.Join(dir, pattern), harm)
				l, err := Open(dir, Options{})
				if err == nil { // damage of a block is met when it is read
					_, err = l.Verify(t.Context())
					if err == nil {
						_, err = l.Load(t.Context())
					}
					_ = l.Close()
				}
				if err == nil {
					t.Fatal("it was not noticed")
				}
				if !errors.Is(err, storage.ErrDamaged) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "`fresh`") {
					t.Errorf("error: %v", err)
				}
			})
		}
	}
}

func damage(t *testing.T, pattern, harm string) {
	files, _ := filepath.Glob(pattern)
	if len(files) == 0 {
		t.Fatalf("no file %s", pattern)
	}
	for _, f := range files {
		var err error
		switch harm {
		case "removed":
			err = os.Remove(f)
		case "emptied":
			err = os.Truncate(f, 0)
		case "overwritten":
			b, readErr := os.ReadFile(f)
			for i := range b {
				b[i] ^= 0x5a
			}
			err = errors.Join(readErr, os.WriteFile(f, b, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAfterAFailedWriteNothingIsTakenAnyMore(t *testing.T) {
	mem := vfs.NewCrashableMem()
	var full atomic.Bool
	disk := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.ENOSPC
		}
		return nil
	}))
	m := storagetest.NewModel(15)
	var log bytes.Buffer
	o := small(disk)
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	l := open(t, "ledger", o)
	for range 20 {
		storagetest.Commit(t, l, m.Step())
	}
	before := m.Position
	full.Store(true)
	if err := l.Commit(m.Step()); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "mend the disk") {
		t.Fatalf("a commit to a full disk: %v", err)
	}
	full.Store(false)
	if err := l.Commit(m.Step()); err == nil {
		t.Error("another commit was taken")
	}
	if _, err := l.Load(t.Context()); err == nil {
		t.Error("what was not durable could be read")
	}
	if err := l.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close: %v", err)
	}
	if !strings.Contains(log.String(), "cannot be written any more") {
		t.Errorf("the log says %q", log.String())
	}
	again := open(t, "ledger", small(mem.CrashClone(vfs.CrashCloneCfg{})))
	s, err := again.Load(t.Context())
	if err != nil || s.Position != before {
		t.Errorf("after a new start position %d is there, not %d (%v)", s.Position, before, err)
	}
	if b, err := again.Verify(t.Context()); err != nil || !b.OK() {
		t.Errorf("Verify: %v, %v", b.Differences, err)
	}
}
