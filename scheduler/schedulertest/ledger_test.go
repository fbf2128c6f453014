package schedulertest

import (
	"testing"

	"trawl/crawler/ledgertest"
)

func TestTheLedgerInMemoryIsALedger(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledgertest.Ledger {
		l := NewLedger()
		l.Lenient = true // the tests put single records
		return l
	})
}
