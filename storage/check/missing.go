package check

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage/ledger"
)

// Missing is what a fetcher has not shipped, though rows point to it.
type Missing struct {
	Fetcher string // "" or the scheduler's own: the bodies are lost
	Files   int64
	Rows    int64
}

// FindMissing looks which bodies are not in a crawl directory, though rows point to them. It reads the ledger's lists of what is still
// to come, so it costs little when all is there.
func FindMissing(ctx context.Context, dir string, l *ledger.Ledger) ([]Missing, error) {
	by := make(map[string]*Missing)
	count := func(fetcher string, rows int64) {
		if by[fetcher] == nil {
			by[fetcher] = &Missing{Fetcher: fetcher}
		}
		by[fetcher].Files++
		by[fetcher].Rows += rows
	}
	for u, err := range l.Unplaced() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		rows, err := l.Rows([]weburl.URLKey{u.Key})
		if err != nil {
			return nil, err
		}
		if row := rows[0]; row != nil && row.Outcome == crawler.Fetched {
			count(row.Fetcher, 1)
		}
	}
	files, err := Unshipped(dir, l)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		count(f.Fetcher, f.Rows)
	}
	var list []Missing
	for _, name := range slices.Sorted(maps.Keys(by)) {
		list = append(list, *by[name])
	}
	return list, nil
}

// Unshipped lists the files that rows point into and of which bytes are missing that a row needs.
func Unshipped(dir string, l *ledger.Ledger) (files []crawler.ShippedFile, err error) {
	for f, err := range l.ShippedFiles() {
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(f.Name)))
		switch {
		case err == nil && info.Size() >= f.End:
		case err == nil || errors.Is(err, fs.ErrNotExist):
			files = append(files, f)
		default:
			return nil, err
		}
	}
	return files, nil
}
