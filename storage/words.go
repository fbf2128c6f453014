package storage

import "errors"

// Sentinels of directories and ledgers. The errors that wrap them say which directory, and what to do.
var (
	// ErrInUse: another process, or another user of this one, has the directory open.
	ErrInUse = errors.New("in use")
	// ErrNewer: written by a newer trawl than this one.
	ErrNewer = errors.New("written by a newer trawl")
	// ErrOlder: written by a trawl so old that this one cannot read it.
	ErrOlder = errors.New("written by an older trawl")
	// ErrNotCrawl: there is no crawl in the directory.
	ErrNotCrawl = errors.New("not a crawl directory")
	// ErrHoldsCrawl: a backup is not restored over something that is there.
	ErrHoldsCrawl = errors.New("not empty")
	// ErrDamaged: what is stored cannot be read as what it should be.
	ErrDamaged = errors.New("damaged")
	// ErrUnwritable: a write failed, and nothing more is written. What was committed before is safe.
	ErrUnwritable = errors.New("cannot be written")
)
