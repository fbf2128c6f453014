package trawl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"trawl/cluster/control"
	"trawl/crawler"
	"trawl/storage"
	"trawl/storage/backup"
)

// Restore makes the crawl directory dir from a backup: a file, file:///FILE, or an http(s) URL. The directory must be
// empty or not be there; bodies (archive/, files/) may have been copied before. The crawl there is a new life of the
// one that was backed up: where both run in one cluster, the one that was not restored, or restored earlier, stops.
// proxy is as in [Options].
func Restore(ctx context.Context, from, dir string, proxy func(*url.URL) (*url.URL, error)) (BackupInfo, error) {
	r, err := openBackup(ctx, from, proxy)
	if err != nil {
		return BackupInfo{}, err
	}
	info, err := backup.Restore(ctx, r, dir, time.Now())
	err = errors.Join(err, r.Close())
	if errors.Is(err, storage.ErrHoldsCrawl) {
		return info, crawler.UsageError(err)
	} else if err != nil {
		return info, fmt.Errorf("restore: %w", err)
	}
	return info, nil
}

func openBackup(ctx context.Context, from string, proxy func(*url.URL) (*url.URL, error)) (io.ReadCloser, error) {
	if strings.Contains(from, "://") {
		u, err := url.Parse(from)
		switch {
		case err != nil:
			return nil, crawler.UsageError(errors.New("that is no URL; give a file, or an https:// URL"))
		case u.Scheme == "http" && u.Host != "", u.Scheme == "https" && u.Host != "":
			return control.NewBackupStore(proxy).Get(ctx, u)
		case u.Scheme != "file" || u.Host != "" && u.Host != "localhost":
			return nil, crawler.UsageError(fmt.Errorf("%s: give a file, or an https:// URL", control.PublicURL(u)))
		}
		from = u.Path
	}
	f, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil, crawler.UsageError(fmt.Errorf("there is no backup: %w", err))
	} else if err != nil {
		return nil, fmt.Errorf("open backup: %w", err)
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return nil, errors.Join(crawler.UsageError(fmt.Errorf("%s is no backup: it is a directory", from)), err, f.Close())
	}
	return f, nil
}
