package trawl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"trawl/cluster/control"
	"trawl/cluster/trust"
	"trawl/storage"
	"trawl/storage/backup"
	"trawl/storage/crawldir"
)

// BackupInfo is what a backup says of itself.
type BackupInfo = backup.Info

// backupsAtOnce is how many copies of a running ledger may be on their way: each keeps the tables on disk that it was
// made of.
const backupsAtOnce = 2

// Backup writes a copy of a crawl's ledger to w, with what else is needed to go on from it; the bodies are not in it.
// target is a crawl directory on this machine, whose job may be running or not, or HOST:PORT of a running scheduler's
// control address. A running job goes on meanwhile. After an error what was written is of no use.
func Backup(ctx context.Context, target string, keys *trust.Keyring, w io.Writer) error {
	client, err := running(target, keys)
	if err != nil {
		return err
	}
	defer client.Close()
	if err = client.Backup(ctx, w); !errors.Is(err, control.ErrNotRunning) || !isDir(target) {
		return err
	}
	dir, err := crawldir.Open(target, false)
	if errors.Is(err, storage.ErrNotCrawl) {
		return usageError(err)
	} else if err != nil {
		return err
	}
	_, err = backup.Write(ctx, dir, w, nil, Version())
	return errors.Join(err, dir.Close())
}

// BackupFile is Backup to a file, which appears whole or not at all; an older one of that name is replaced then. The file
// is private: it holds what the job knows, credentials and cookies too. A pipe or a device is written to directly, and what
// the backup says of itself is zero then.
func BackupFile(ctx context.Context, target string, keys *trust.Keyring, file string) (BackupInfo, error) {
	if isDir(file) {
		return BackupInfo{}, usageError(fmt.Errorf("%s is a directory: name a file in it", file))
	}
	plain := true // what is written to a pipe or a device cannot be read back
	if at, err := os.Stat(file); err == nil {
		plain = at.Mode().IsRegular()
	}
	err := backup.WriteFile(ctx, file, func(w io.Writer) error { return Backup(ctx, target, keys, w) })
	if err != nil || !plain {
		return BackupInfo{}, err
	}
	return readBackupInfo(file)
}

func readBackupInfo(file string) (BackupInfo, error) {
	f, err := os.Open(file)
	if err != nil {
		return BackupInfo{}, fmt.Errorf("read backup: %w", err)
	}
	defer f.Close()
	return backup.ReadInfo(f)
}

// errManyBackups: more would only fill the disk.
var errManyBackups = fmt.Errorf("%d backups are on their way: wait for one to end", backupsAtOnce)

// backup writes a copy of the ledger of the running job.
func (r *run) backup(ctx context.Context, w io.Writer) error {
	select {
	case r.copies <- struct{}{}:
		defer func() { <-r.copies }()
	default:
		return errManyBackups
	}
	_, err := backup.Write(ctx, r.dir, w, r.ledger, Version())
	return err
}
