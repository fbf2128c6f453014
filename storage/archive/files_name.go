package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"trawl/crawler"
	"trawl/storage/crawldir"
)

// bodiesDir is where bodies lie that are to become files; see [crawler.BodyName].
const bodiesDir = crawldir.IncomingDir + "/bodies"

// maxStoredName is the most bytes of a path below the crawl directory: that of a file name with a few marks.
const maxStoredName = crawler.MaxNameBytes + 1024

// ErrName says that a name of a shipment or locator is not one that trawl stores under.
var ErrName = errors.New("not the name of a stored file")

// CheckName refuses names that no row of ours has: anything but one file below archive/, a path below files/, or
// a body on its way there.
func CheckName(name string) error {
	rest, ok := strings.CutPrefix(name, crawldir.FilesDir+"/")
	if !ok {
		return checkShipment(name)
	}
	ok = fs.ValidPath(name) && len(name) <= maxStoredName && rest != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '\\'
	})
	for s := range strings.SplitSeq(rest, "/") {
		ok = ok && len(s) <= crawler.MaxSegmentBytes
	}
	if !ok {
		return badStoredName(name)
	}
	return nil
}

// checkShipment refuses names that no fetcher gives to what it ships: anything but WARC files and bodies. The names that
// people see are the scheduler's.
func checkShipment(name string) error {
	if _, _, ok := crawler.ParseBodyName(name); ok {
		return nil
	}
	top, rest, _ := strings.Cut(name, "/")
	plain := fs.ValidPath(name) && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' })
	if top != crawldir.ArchiveDir || !plain || len(rest) > crawler.MaxSegmentBytes || !IsWARC(rest) {
		return badStoredName(name)
	}
	return nil
}

func badStoredName(name string) error { return fmt.Errorf("%w: %.200q", ErrName, name) }

// IsWARC reports whether a file in archive/ is a WARC file: of ours, or one that a user put there.
func IsWARC(name string) bool {
	return !strings.ContainsAny(name, "/\\") && !strings.HasPrefix(name, ".") &&
		(strings.HasSuffix(name, ".warc") || strings.HasSuffix(name, ".warc.gz"))
}
