package crawldir

import (
	"fmt"
	"os"

	"trawl/internal/durable"
)

// WriteJob replaces the file with the current settings, for people. A crash leaves the old file or the new one.
func (d *Dir) WriteJob(text []byte) error {
	err := d.fsync.ReplaceFile(d.JobFile(), durable.PrivateFile, func(f *os.File) error {
		_, err := f.Write(text)
		return err
	})
	if err != nil {
		return fmt.Errorf("write %s: %w", d.JobFile(), err)
	}
	return nil
}
