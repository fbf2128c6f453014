package trawl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path/filepath"
	"time"

	"trawl/cluster/control"
	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage"
	"trawl/storage/crawldir"
	"trawl/storage/export"
	"trawl/storage/ledger"
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

// Export writes the rows of a crawl directory, also of one in which a crawl is running. A file appears under
// its name only when it is whole. It returns the number of rows, -1 where the running crawl does not report it. That nobody reads
// Stdout to its end is no error.
func Export(ctx context.Context, dir string, o ExportOptions) (int64, error) {
	q := exportRequest{filter: o.Filter}
	var err error
	if q.format, err = formatOf(o.Out, o.Format); err != nil {
		return 0, usageError(err)
	}
	if place := filepath.Dir(o.Out); o.Out != "-" && !isDir(place) {
		return 0, fmt.Errorf("-o %s: there is no directory %s: make it, or choose another place", o.Out, place)
	}
	l, done, err := openAtRest(dir)
	switch {
	case errors.Is(err, storage.ErrInUse):
		return exportRunning(ctx, dir, o, q)
	case err != nil:
		return 0, err
	}
	defer done()
	if o.Out == "-" {
		n, err := export.Rows(o.Stdout, q.format, q.rows(l))
		return n, unlessLeft(err)
	}
	n, err := export.File(ctx, o.Out, q.format, q.rows(l))
	if err != nil {
		return 0, fmt.Errorf("export %s: %w", o.Out, err)
	}
	return n, nil
}

func formatOf(out, format string) (export.Format, error) {
	switch {
	case format != "":
		return export.ParseFormat(format)
	case out == "-":
		return export.JSONL, nil
	}
	return export.FormatOf(out)
}

// unlessLeft passes over the error that nobody reads standard output any more.
func unlessLeft(err error) error {
	if readerLeft(err) {
		return nil
	}
	return err
}

// exportRunning lets the crawl that runs in the directory write the rows, into a file that is made here: by the same rules,
// and with the rights of whoever asks.
func exportRunning(ctx context.Context, dir string, o ExportOptions, q exportRequest) (int64, error) {
	socket, err := crawldir.ControlSocket(dir)
	if err != nil {
		return 0, err
	}
	client := control.NewClient(socket, nil)
	defer client.Close()
	if o.Out == "-" {
		n, err := client.Export(ctx, o.Stdout, q.values())
		return n, unlessLeft(err)
	}
	n, err := export.Write(ctx, o.Out, func(w io.Writer) (int64, error) { return client.Export(ctx, w, q.values()) })
	if err != nil {
		return 0, fmt.Errorf("export %s: %w", o.Out, err)
	}
	return n, nil
}

// exportRequest is an export as it travels to a running crawl.
type exportRequest struct {
	format export.Format
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
	if q.format, err = export.ParseFormat(v.Get("format")); err != nil {
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
		q.filter.Hosts = append(q.filter.Hosts, weburl.Host(h))
	}
	if since := v.Get("since"); since != "" {
		if q.filter.Since, err = time.Parse(time.RFC3339Nano, since); err != nil {
			return q, fmt.Errorf("since: %w", err)
		}
	}
	return q, nil
}

func (q exportRequest) rows(l *ledger.Ledger) iter.Seq2[*Row, error] {
	if len(q.filter.Hosts) > 0 {
		return q.filter.Rows(l.RowsOf(q.filter.Hosts...))
	}
	return q.filter.Rows(l.All())
}
