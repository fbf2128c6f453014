package ledger

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"trawl/storage/storagetest"
)

// Pebble flushes what its log has when it opens, and tries that again and again.
func TestALedgerOnAFullDiskIsNotOpened(t *testing.T) {
	for name, refuses := range map[string]func(op errorfs.Op) bool{
		"nothing can be written":  func(op errorfs.Op) bool { return op.Kind.ReadOrWrite() == errorfs.OpIsWrite },
		"no table can be written": func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".sst") },
		"the list cannot be written": func(op errorfs.Op) bool {
			return op.Kind == errorfs.OpFileWrite && strings.Contains(op.Path, "MANIFEST")
		},
		"no table can be made durable": func(op errorfs.Op) bool {
			return (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) && strings.HasSuffix(op.Path, ".sst")
		},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			m := storagetest.NewModel(20)
			l := open(t, "ledger", small(mem))
			for range 20 {
				storagetest.Commit(t, l, m.Step())
			}
			left := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0}) // the log alone
			var full atomic.Bool
			full.Store(true)
			var log bytes.Buffer
			o := small(errorfs.Wrap(left, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if full.Load() && refuses(op) {
					return syscall.ENOSPC
				}
				return nil
			})))
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			before := left.CrashClone(vfs.CrashCloneCfg{})
			_, err := Open("ledger", o)
			if !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "ledger ledger") {
				t.Errorf("open: %v", err)
			}
			if log.Len() > 0 {
				t.Errorf("logged beside: %s", log.String())
			}
			again := open(t, "ledger", small(before))
			if s, err := again.Load(t.Context()); err != nil || s.Position != m.Position {
				t.Errorf("with room again: position %d, want %d (%v)", s.Position, m.Position, err)
			}
		})
	}
}
