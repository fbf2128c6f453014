package crawldir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// LeaveExports notes the exports that an ending left to the next start; none removes the note. Paths are stored whole, as the
// next start may be made elsewhere.
func (d *Dir) LeaveExports(files []string) error {
	note := filepath.Join(d.path, leftName)
	if len(files) == 0 {
		if err := os.Remove(note); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the note of exports: %w", err)
		}
		return nil
	}
	whole := make([]string, len(files))
	for i, f := range files {
		var err error
		if whole[i], err = filepath.Abs(f); err != nil {
			return fmt.Errorf("note exports: %w", err)
		}
	}
	err := d.fsync.ReplaceFile(note, 0o600, func(f *os.File) error { return json.NewEncoder(f).Encode(whole) })
	if err != nil {
		return fmt.Errorf("note exports: %w", err)
	}
	return nil
}

// LeftExports lists the exports that the last ending left. A note that cannot be read is none: the files can be asked for again.
func (d *Dir) LeftExports() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(d.path, leftName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read the note of exports: %w", err)
	}
	var files []string
	if json.Unmarshal(text, &files) != nil {
		return nil, nil
	}
	return files, nil
}
