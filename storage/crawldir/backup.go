package crawldir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// backupTemp begins the names of directories for copies on their way into a backup.
const backupTemp = ".backup-"

// BackupDir makes a directory for a copy of the ledger on its way into a backup; the caller removes it.
func (d *Dir) BackupDir() (string, error) { return os.MkdirTemp(d.path, backupTemp+"*") }

// BackupSpool makes a private file in the directory for a backup on its way elsewhere; the caller closes and removes it.
func (d *Dir) BackupSpool() (*os.File, error) {
	f, err := os.CreateTemp(d.path, backupTemp+"*")
	if err != nil {
		return nil, fmt.Errorf("make room for a backup: %w", err)
	}
	return f, nil
}

// RemoveStaleBackups removes the copies that a process left which was killed while it made a backup. None may be under
// way.
func (d *Dir) RemoveStaleBackups() error {
	left, err := filepath.Glob(filepath.Join(escapeGlob(d.path), backupTemp+"*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		return fmt.Errorf("remove what is left of a backup: %w", err)
	}
	return nil
}

var globMeta = regexp.MustCompile(`[*?\[\\]`)

func escapeGlob(path string) string { return globMeta.ReplaceAllString(path, `\$0`) }
