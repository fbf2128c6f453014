package export

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/url"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Query says which rows an export has, and in which format. It travels to a running crawl as the values of a URL.
type Query struct {
	Format Format
	Filter Filter // zero = all rows
}

// Source is a ledger's rows, each from one moment.
type Source interface {
	All() iter.Seq2[*crawler.Row, error]
	RowsOf(hosts ...weburl.Host) iter.Seq2[*crawler.Row, error]
}

// Write writes the rows of the query to w and returns how many. The end of ctx ends it with its error.
func (q *Query) Write(ctx context.Context, w io.Writer, from Source) (int64, error) {
	rows := from.All
	if len(q.Filter.Hosts) > 0 {
		rows = func() iter.Seq2[*crawler.Row, error] { return from.RowsOf(q.Filter.Hosts...) }
	}
	return Rows(w, q.Format, whileAlive(ctx, q.Filter.Rows(rows())))
}

// Values is the query as [ParseQuery] reads it.
func (q *Query) Values() url.Values {
	v := url.Values{"format": {string(q.Format)}}
	for _, o := range q.Filter.Outcomes {
		v.Add("outcome", o.String())
	}
	for _, h := range q.Filter.Hosts {
		v.Add("host", string(h))
	}
	if !q.Filter.Since.IsZero() {
		v.Set("since", q.Filter.Since.Format(time.RFC3339Nano))
	}
	return v
}

// ParseQuery reads what [Query.Values] wrote.
func ParseQuery(v url.Values) (q Query, err error) {
	if q.Format, err = ParseFormat(v.Get("format")); err != nil {
		return q, err
	}
	for _, word := range v["outcome"] {
		o, err := crawler.ParseOutcome(word)
		if err != nil {
			return q, err
		}
		q.Filter.Outcomes = append(q.Filter.Outcomes, o)
	}
	for _, h := range v["host"] {
		q.Filter.Hosts = append(q.Filter.Hosts, weburl.Host(h))
	}
	if since := v.Get("since"); since != "" {
		if q.Filter.Since, err = time.Parse(time.RFC3339Nano, since); err != nil {
			return q, fmt.Errorf("since: %w", err)
		}
	}
	return q, nil
}
