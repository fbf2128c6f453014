package ledger

import (
	"path/filepath"
	"testing"

	"trawl/crawler/ledgertest"
)

func TestTheLedgerOnDiskIsALedger(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Ledger {
		l, err := Open(filepath.Join(t.TempDir(), "ledger"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	})
}
