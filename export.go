package trawl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"trawl/cluster"
	"trawl/crawler"
	"trawl/storage"
)

// Filter chooses rows: all that meet every field that is set.
type Filter = storage.RowFilter

// ExportOptions say what is exported and where to.
type ExportOptions struct {
	Out    string    // file, or "-" for Stdout
	Format string    // "" = by the ending of Out; for "-" JSONL
	Filter Filter    // zero = all rows
	Stdout io.Writer // for "-"
}

// Export writes the rows of a crawl directory, also of one in which a crawl is running. A file appears under
// its name only when it is whole. It returns the number of rows, -1 where the running crawl wrote them.
func Export(ctx context.Context, dir string, o ExportOptions) (int64, error) {
	q := exportRequest{filter: o.Filter}
	var err error
	if q.format, err = formatOf(o.Out, o.Format); err != nil {
		return 0, usageError(err)
	}
	if place := filepath.Dir(o.Out); o.Out != "-" && !isDir(place) {
		return 0, fmt.Errorf("-o %s: there is no directory %s: make it, or choose another place", o.Out, place)
	}
	ledger, done, err := openAtRest(dir)
	switch {
	case errors.Is(err, storage.ErrInUse):
		return -1, exportRunning(ctx, dir, o, q)
	case err != nil:
		return 0, err
	}
	defer done()
	if o.Out == "-" {
		return storage.Export(o.Stdout, q.format, q.rows(ledger))
	}
	n, err := storage.ExportFile(o.Out, q.format, q.rows(ledger))
	if err != nil {
		return 0, fmt.Errorf("export %s: %w", o.Out, err)
	}
	return n, nil
}

func formatOf(out, format string) (storage.Format, error) {
	switch {
	case format != "":
		return storage.ParseFormat(format)
	case out == "-":
		return storage.FormatJSONL, nil
	}
	return storage.FormatOf(out)
}

// exportRunning lets the crawl that runs in the directory write the rows.
func exportRunning(ctx context.Context, dir string, o ExportOptions, q exportRequest) error {
	socket, err := storage.ControlSocket(dir)
	if err != nil {
		return err
	}
	client := cluster.NewControlClient(socket, nil)
	defer client.Close()
	if o.Out == "-" {
		return client.Export(ctx, o.Stdout, q.values())
	}
	return wholeFile(o.Out, func(w io.Writer) error { return client.Export(ctx, w, q.values()) })
}

// wholeFile writes a file that gets its name only when it is whole and durable.
func wholeFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("export %s: %w", name, err)
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("export %s: %w", name, err), os.Remove(f.Name()))
	}
	return nil
}

// exportRequest is an export as it travels to a running crawl.
type exportRequest struct {
	format storage.Format
	filter Filter
}

func (q exportRequest) values() url.Values {
	v := url.Values{"format": {string(q.format)}}
	for _, o := range q.filter.Outcomes {
		v.Add("outcome", o.String())
	}
	for _, h := range q.filter.Hosts {
		v.Add("host", string(h))
	}
	if !q.filter.Since.IsZero() {
		v.Set("since", q.filter.Since.Format(time.RFC3339Nano))
	}
	return v
}

func readExportRequest(v url.Values) (q exportRequest, err error) {
	if q.format, err = storage.ParseFormat(v.Get("format")); err != nil {
		return q, err
	}
	for _, word := range v["outcome"] {
		o, err := crawler.ParseOutcome(word)
		if err != nil {
			return q, err
		}
		q.filter.Outcomes = append(q.filter.Outcomes, o)
	}
	for _, h := range v["host"] {
		q.filter.Hosts = append(q.filter.Hosts, crawler.Host(h))
	}
	if since := v.Get("since"); since != "" {
		if q.filter.Since, err = time.Parse(time.RFC3339Nano, since); err != nil {
			return q, fmt.Errorf("since: %w", err)
		}
	}
	return q, nil
}

func (q exportRequest) rows(l *storage.Ledger) iter.Seq2[*Row, error] {
	if len(q.filter.Hosts) > 0 {
		return q.filter.Rows(l.RowsOf(q.filter.Hosts...))
	}
	return q.filter.Rows(l.All())
}

// streamRows writes rows to standard output as they become final, when the options ask for it.
func (c *Crawl) streamRows() (func([]*Row) error, error) {
	if !slices.Contains(c.o.Exports, "-") {
		return nil, nil
	}
	w, err := storage.NewRowWriter(c.o.Stdout, storage.FormatJSONL)
	if err != nil {
		return nil, err
	}
	return func(rows []*Row) error {
		for _, row := range rows {
			if err := w.Write(row); err != nil {
				return err
			}
		}
		return w.Flush()
	}, nil
}
