package trawl

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"trawl/crawler"
	"trawl/storage/backup"
	"trawl/storage/export"
)

// Filter chooses rows: all that meet every field that is set.
type Filter = export.Filter

// ExportOptions say what is exported and where to.
type ExportOptions struct {
	Out    string    // file, or "-" for Stdout
	Format string    // "" = by the ending of Out; for "-" JSONL
	Filter Filter    // zero = all rows
	Stdout io.Writer // for "-"
}

// Export writes the rows of a job. A file appears under its name only when it is whole. It returns the number of rows, -1 where a
// running job does not report it. That nobody reads Stdout to its end is no error.
func Export(ctx context.Context, t Target, o ExportOptions) (int64, error) {
	q := ExportQuery{Format: export.JSONL, Filter: o.Filter}
	if o.Format != "" || o.Out != "-" {
		var err error
		if q.Format, err = export.FormatFor(o.Out, o.Format); err != nil {
			return 0, crawler.UsageError(err)
		}
	}
	if o.Out == "-" {
		n, err := t.Export(ctx, o.Stdout, q)
		if export.ReaderLeft(err) {
			err = nil
		}
		return n, err
	}
	if place := filepath.Dir(o.Out); !isDir(place) {
		return 0, fmt.Errorf("-o %s: there is no directory %s: make it, or choose another place", o.Out, place)
	}
	n, err := export.Write(ctx, o.Out, func(w io.Writer) (int64, error) { return t.Export(ctx, w, q) })
	if err != nil {
		return 0, fmt.Errorf("export %s: %w", o.Out, err)
	}
	return n, nil
}

// BackupInfo is what a backup says of itself.
type BackupInfo = backup.Info

// Backup writes a backup of a job to a file, which appears whole or not at all; an older one of that name is replaced then. The file
// is private: it holds what the job knows, credentials and cookies too. A pipe or a device is written to directly, and what
// the backup says of itself is zero then.
func Backup(ctx context.Context, t Target, file string) (BackupInfo, error) {
	if isDir(file) {
		return BackupInfo{}, crawler.UsageError(fmt.Errorf("%s is a directory: name a file in it", file))
	}
	plain := true // what is written to a pipe or a device cannot be read back
	if at, err := os.Stat(file); err == nil {
		plain = at.Mode().IsRegular()
	}
	err := backup.WriteFile(ctx, file, func(w io.Writer) error { return t.Backup(ctx, w) })
	if err != nil || !plain {
		return BackupInfo{}, err
	}
	return backup.InfoOf(file)
}
