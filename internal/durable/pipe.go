package durable

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// WriteFile makes a file appear whole, as ReplaceFile does, and removes first what others that wrote it left when they were
// killed. What is not a plain file (a pipe, a device) is written to directly: putting a file in its place would take it away
// from everybody. The end of ctx ends the writing to a pipe, also where nobody reads it.
func WriteFile(ctx context.Context, path string, mode fs.FileMode, write func(*os.File) error) error {
	removeStale(linkTarget(path))
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return writeDirectly(ctx, path, write)
	}
	return Fsync(System).ReplaceFile(path, mode, write)
}

// pipeLook is the time between two looks whether a named pipe has a reader.
const pipeLook = 100 * time.Millisecond

// writeDirectly writes to a pipe or a device. A named pipe is waited for until it has a reader.
func writeDirectly(ctx context.Context, path string, write func(*os.File) error) error {
	f, err := openPipe(ctx, path)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	// A device without deadlines (a disk) takes what it is given.
	defer context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(time.Unix(1, 0)) })()
	return errors.Join(write(f), f.Close())
}

// openPipe opens without waiting in the system, where nothing could end the waiting.
func openPipe(ctx context.Context, path string) (*os.File, error) {
	t := time.NewTicker(pipeLook)
	defer t.Stop()
	for {
		f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
		if !errors.Is(err, unix.ENXIO) {
			return f, err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("nobody reads %s: %w", path, ctx.Err())
		}
	}
}
