package machine

import (
	"log/slog"
	"math"

	"golang.org/x/sys/unix"
)

// A process may open so many files, connections among them. (The soft limit is the hard one here: Go's runtime raises it at the
// start.) This is how they are divided up, and the only place that does:
//
//	workers <= (limit - filesBase - filesLedger) / (filesLane * lanes of a turn)
//
// What that leaves is for connections that outlive their turns.
const (
	// filesBase is for standard streams, logs, archive and exports, and the sockets of queue, gossip, control and resolver.
	filesBase = 64
	// filesLedger is for the ledger's tables. With less it opens them again and again; with a low limit it gets a quarter,
	// but leastFilesLedger in any case.
	filesLedger      = 500
	leastFilesLedger = 74
	// filesLane is for a lane's connection, and for the file of a body that is too large for memory.
	filesLane = 2
)

// openFileLimit is how many files this process may open.
func openFileLimit() int {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil || l.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(l.Cur)
}

// LedgerFiles is how many files the ledger of this process may keep open.
func LedgerFiles() int { return ledgerFiles(openFileLimit()) }

func ledgerFiles(limit int) int { return max(leastFilesLedger, min(limit/4, filesLedger)) }

// filesLeft are those that turns may take.
func filesLeft(limit int, ledger bool) int {
	if ledger {
		limit -= ledgerFiles(limit)
	}
	return limit - filesBase
}

// fitWorkers is [FitWorkers] for a limit of open files.
func fitWorkers(workers, lanes, limit int, ledger bool) int {
	return max(1, min(workers, filesLeft(limit, ledger)/(filesLane*max(1, lanes))))
}

// fitIdle is [FitIdle] for a limit of open files.
func fitIdle(idle, workers, lanes, limit int, ledger bool) int {
	return max(0, min(idle, filesLeft(limit, ledger)-workers*filesLane*max(1, lanes)))
}

// FitIdle is how many connections may be open that no turn has, beside so many workers: idle at most, and none where files are
// short. ledger tells that the ledger is in this process.
func FitIdle(idle, workers, lanes int, ledger bool) int {
	return fitIdle(idle, workers, lanes, openFileLimit(), ledger)
}

// FitWorkers is how many turns with so many lanes this process can work on, workers at most and 1 at least. ledger tells that the ledger
// is in this process. It logs when they are fewer than was asked for.
func FitWorkers(workers, lanes int, ledger bool, log *slog.Logger) int {
	limit := openFileLimit()
	fit := fitWorkers(workers, lanes, limit, ledger)
	if fit < workers {
		log.Warn("fewer hosts are asked at the same time, for this process may not open more files: raise the limit (ulimit -n)",
			"limit", limit, "workers", fit, "asked_for", workers)
	}
	return fit
}
