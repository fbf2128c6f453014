package archive

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"trawl/crawler"
	"trawl/internal/durable"
	"trawl/storage/crawldir"
)

// maxPending is the most files that Pending lists at a time; the rest comes when these are shipped.
const maxPending = 10_000

// Outbox is a fetcher's own directory as a store of files on their way to the scheduler's. Safe for
// concurrent use.
type Outbox struct {
	dir  string
	root *os.Root
	warc *WARC // the archive that writes here, nil when it is one of plain files
}

// NewOutbox opens the directory of a fetcher whose archive is already open: w, or nil when it
// is not a [WARC]. WARC files that an earlier run left, under whatever name, are recovered and final.
func NewOutbox(dir string, w *WARC, log *slog.Logger) (*Outbox, error) {
	return newOutbox(dir, w, log, durable.System)
}

func newOutbox(dir string, w *WARC, log *slog.Logger, fsync durable.Fsync) (*Outbox, error) {
	log = cmp.Or(log, slog.New(slog.DiscardHandler))
	if err := crawldir.MakeDurable(fsync, dir, crawldir.ArchiveDir, crawldir.IncomingDir); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	// Those of w's own name were recovered when w was opened, and one of them may be growing by now.
	others := func(n warcName) bool { return w == nil || n.prefix != w.o.Prefix }
	if _, err := recoverWARCs(dir, log, fsync, others); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	if err := root.MkdirAll(bodiesDir, durable.PrivateDir); err != nil {
		return nil, errors.Join(fmt.Errorf("open outbox: %w", err), root.Close())
	}
	return &Outbox{dir: dir, root: root, warc: w}, nil
}

// Pending lists what is to be shipped, WARC files first, at most 10,000 files. A WARC file that grows is listed with
// what is durable, which ends with a whole exchange; all others are final.
func (o *Outbox) Pending() ([]crawler.Shipment, error) {
	// Asked before the directory is read: a file that is closed in between is listed as growing once more.
	growing, safe, number := o.growing()
	entries, err := fs.ReadDir(o.root.FS(), crawldir.ArchiveDir)
	if err != nil {
		return nil, fmt.Errorf("list outbox: %w", err)
	}
	var list []crawler.Shipment
	for _, e := range entries {
		name := crawldir.ArchiveDir + "/" + e.Name()
		if !e.Type().IsRegular() || checkShipment(name) != nil || len(list) == maxPending {
			continue
		}
		if e.Name() == growing {
			if safe > 0 {
				list = append(list, crawler.Shipment{Name: name, Size: safe})
			}
			continue
		}
		s, ok, err := o.pendingWARC(name, e, number)
		if err != nil {
			return nil, fmt.Errorf("list outbox: %w", err)
		}
		if ok {
			list = append(list, s)
		}
	}
	return o.pendingFiles(list)
}

// pendingWARC lists a file that does not grow, unless it came into being since the archive was asked.
func (o *Outbox) pendingWARC(name string, e fs.DirEntry, number int) (crawler.Shipment, bool, error) {
	n, ours := parseWARCName(e.Name())
	if ours && o.warc != nil && n.prefix == o.warc.o.Prefix && n.number > number {
		return crawler.Shipment{}, false, nil
	}
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return crawler.Shipment{}, false, nil
	}
	if err != nil {
		return crawler.Shipment{}, false, err
	}
	return crawler.Shipment{Name: name, Size: info.Size(), Final: true}, true, nil
}

// growing reports what the archive that writes here says of itself ([WARC.open]).
func (o *Outbox) growing() (name string, safe int64, number int) {
	if o.warc == nil {
		return "", 0, 0
	}
	return o.warc.open()
}

func (o *Outbox) pendingFiles(list []crawler.Shipment) ([]crawler.Shipment, error) {
	err := fs.WalkDir(o.root.FS(), bodiesDir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // shipped meanwhile
		case err != nil:
			return err
		case len(list) == maxPending:
			return fs.SkipAll
		case !e.Type().IsRegular() || checkShipment(name) != nil:
			return nil
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			list = append(list, crawler.Shipment{Name: name, Size: info.Size(), Final: true})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list outbox: %w", err)
	}
	return list, nil
}

// Open opens a pending file. It ends at what is durable. What it returns is an io.Seeker and an io.ReaderAt too.
func (o *Outbox) Open(name string) (io.ReadCloser, error) {
	if err := checkShipment(name); err != nil {
		return nil, fmt.Errorf("open outbox file: %w", err)
	}
	growing, safe, _ := o.growing()
	f, err := o.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open outbox file: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open outbox file: %w", err), f.Close())
	}
	size := info.Size()
	if name == crawldir.ArchiveDir+"/"+growing {
		size = safe
	}
	return &section{io.NewSectionReader(f, 0, size), f}, nil
}

type section struct {
	*io.SectionReader
	io.Closer
}

// Shipped removes a final file. A body that was fetched again since Open is the same under the same name, so what is
// removed has been shipped. A file that is gone is no error.
func (o *Outbox) Shipped(name string) error {
	if err := checkShipment(name); err != nil {
		return fmt.Errorf("remove shipped file: %w", err)
	}
	if growing, _, _ := o.growing(); name == crawldir.ArchiveDir+"/"+growing {
		return fmt.Errorf("remove shipped file: %s still grows", name)
	}
	if err := o.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove shipped file: %w", err)
	}
	return nil
}

// Close closes the outbox. Files that are open stay readable.
func (o *Outbox) Close() error { return o.root.Close() }
