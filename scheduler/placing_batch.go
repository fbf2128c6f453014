package scheduler

import (
	"context"
	"errors"

	"trawl/crawler"
)

// placed is what came of putting bodies under their names, for the loop to commit.
type placed struct {
	done      []crawler.Unplaced // looked at, as they were
	rows      []placedRow
	awaits    []crawler.Await
	endAwaits []crawler.Await
	reply     chan struct{} // closed when it is durable
}

func (p *placed) size() int { return len(p.done) + len(p.rows) + len(p.awaits) + len(p.endAwaits) }

// placedRow is a row that has its file, or fails for it.
type placedRow struct {
	key    crawler.URLKey
	was    crawler.Outcome
	digest crawler.Digest // of its body then
	file   crawler.Locator
	reason crawler.Reason // of its failure, "" = it has the file
	detail string
	came   crawler.Digest // with reason digest
}

// placeBatch gathers what is done under one sync and one commit. For one goroutine.
type placeBatch struct {
	s   *Scheduler
	ctx context.Context
	placed
}

// flush makes what was done durable: first the names, then that they are there.
func (b *placeBatch) flush() error {
	if b.size() == 0 {
		return nil
	}
	if err := b.s.o.Bodies.Sync(); err != nil {
		return err
	}
	if b.s.o.Fault != nil {
		b.s.o.Fault("place")
	}
	p := b.placed
	b.placed = placed{}
	p.reply = make(chan struct{})
	select {
	case b.s.placed <- p:
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
	select {
	case <-p.reply:
		return nil
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
}

// one looks at a row.
func (b *placeBatch) one(u crawler.Unplaced) error {
	rows, err := b.s.o.Ledger.Rows([]crawler.URLKey{u.Key})
	if err != nil {
		return err
	}
	row, finished := rows[0], true
	switch {
	case row == nil:
	case row.Outcome == crawler.Fetched && !row.Archive.IsZero():
		finished, err = b.fetched(row)
	case row.Outcome == crawler.Redirected:
		err = b.redirected(row)
	}
	if err != nil {
		return err
	}
	if finished {
		b.done = append(b.done, u)
	}
	if b.size() >= placePage {
		return b.flush()
	}
	return b.ctx.Err()
}

// fetched puts a body under the names of its URL and of the lines that were redirected to it. finished is false while the
// body is not there.
func (b *placeBatch) fetched(row *crawler.Row) (finished bool, err error) {
	from, err := b.body(row)
	if errors.Is(err, crawler.ErrNoBody) {
		return false, nil
	}
	if refused, ok := errors.AsType[*crawler.NameRefused](err); ok {
		b.rows = append(b.rows, failedRow(row, crawler.ReasonArchive, refused.Error()))
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if !row.Want.IsZero() && row.Want != row.Digest { // a line asked for it later
		r := failedRow(row, crawler.ReasonDigest, "")
		r.came = row.Digest
		b.rows = append(b.rows, r)
		return true, nil
	}
	if err := b.aliases(row, from, row.Digest); err != nil {
		return false, err
	}
	for {
		lines, err := b.s.o.Names.Awaiting(row.Key(), placePage)
		if err != nil || len(lines) == 0 {
			return err == nil, err
		}
		if err := b.lines(row, from, lines); err != nil {
			return false, err
		}
	}
}

// body puts the body under its row's own name. Where redirects led and the first line's name is refused, another line's
// will do: that line is the one that fails.
func (b *placeBatch) body(row *crawler.Row) (from string, err error) {
	place := func(to string) error {
		return b.s.o.Bodies.Place(b.ctx, row.URL, row.Digest, row.Archive.Length, to)
	}
	first := place(row.Archive.File)
	if _, refused := errors.AsType[*crawler.NameRefused](first); !refused || row.Listed() {
		return row.Archive.File, first
	}
	lines, err := b.lineRows(row)
	if err != nil {
		return "", err
	}
	for _, line := range lines {
		if line == nil || file(line) == row.Archive.File {
			continue
		}
		err := place(file(line))
		if err == nil {
			b.rows = append(b.rows, placedRow{key: row.Key(), was: row.Outcome, digest: row.Digest, file: crawler.Locator{File: file(line), Length: row.Archive.Length}})
			return file(line), nil
		}
		if _, refused := errors.AsType[*crawler.NameRefused](err); !refused {
			return "", err
		}
	}
	return "", first
}

func (b *placeBatch) lineRows(row *crawler.Row) ([]*crawler.Row, error) {
	lines, err := b.s.o.Names.Awaiting(row.Key(), placePage)
	if err != nil {
		return nil, err
	}
	return b.s.o.Ledger.Rows(sorted(lines))
}

// lines puts a body under the names of a page of lines that were redirected to it.
func (b *placeBatch) lines(row *crawler.Row, from string, lines []crawler.URLKey) error {
	rows, err := b.s.o.Ledger.Rows(sorted(lines))
	if err != nil {
		return err
	}
	for i, k := range lines {
		b.endAwaits = append(b.endAwaits, crawler.Await{At: row.Key(), Line: k})
		line := rows[i]
		if line == nil || line.Outcome != crawler.Redirected {
			continue
		}
		if err := b.line(row, from, line); err != nil {
			return err
		}
	}
	return b.flush()
}

func (b *placeBatch) line(row *crawler.Row, from string, line *crawler.Row) error {
	if !line.Want.IsZero() && line.Want != row.Digest {
		r := failedRow(line, crawler.ReasonDigest, "")
		r.came = row.Digest
		b.rows = append(b.rows, r)
		return nil
	}
	if to := file(line); to != from {
		err := b.s.o.Bodies.Link(b.ctx, from, to)
		if refused, ok := errors.AsType[*crawler.NameRefused](err); ok {
			b.rows = append(b.rows, failedRow(line, crawler.ReasonArchive, refused.Error()))
			return nil
		}
		if err != nil {
			return err
		}
	}
	if err := b.aliases(line, from, row.Digest); err != nil {
		return err
	}
	b.rows = append(b.rows, placedRow{key: line.Key(), was: line.Outcome, digest: line.Digest, file: crawler.Locator{File: file(line), Length: row.Archive.Length}})
	return nil
}

// aliases puts the bytes under the further names of a row. One that the file system refuses, or that asks for other
// bytes, is said and passed over: the URL has its file.
func (b *placeBatch) aliases(row *crawler.Row, from string, digest crawler.Digest) error {
	if row.Aliases == 0 {
		return nil
	}
	for after := uint64(0); ; {
		list, err := b.s.o.Names.Aliases(row.Key(), after, placePage)
		if err != nil {
			return err
		}
		for _, a := range list {
			after = a.Sequence
			if !a.Want.IsZero() && a.Want != digest {
				b.s.log.Warn("a further name of a URL asks for another body, and gets no file", "url", row.URL, "name", a.Name, "asked", a.Want, "came", digest)
				continue
			}
			err := b.s.o.Bodies.Link(b.ctx, from, crawler.FilesDir+"/"+a.Name)
			if refused, ok := errors.AsType[*crawler.NameRefused](err); ok {
				b.s.log.Warn("a further name of a URL is refused by the file system, and gets no file", "url", row.URL, "name", a.Name, "error", refused)
			} else if err != nil {
				return err
			}
		}
		if len(list) < placePage {
			return nil
		}
	}
}

// redirected sends the lines that wait at a row, and the row's own, to where it leads.
func (b *placeBatch) redirected(row *crawler.Row) error {
	end, err := b.chainEnd(row)
	if err != nil || end.IsZero() {
		return err
	}
	if row.Listed() {
		b.awaits = append(b.awaits, crawler.Await{At: end.Key(), Line: row.Key()})
	}
	for {
		lines, err := b.s.o.Names.Awaiting(row.Key(), placePage)
		if err != nil || len(lines) == 0 {
			return err
		}
		for _, k := range lines {
			b.awaits = append(b.awaits, crawler.Await{At: end.Key(), Line: k})
			b.endAwaits = append(b.endAwaits, crawler.Await{At: row.Key(), Line: k})
		}
		if err := b.flush(); err != nil {
			return err
		}
	}
}

// chainEnd follows redirects from row to row, to the first that is none; the zero URL where they lead to none.
func (b *placeBatch) chainEnd(row *crawler.Row) (crawler.URL, error) {
	for range maxChain {
		if row.RedirectTo.IsZero() {
			return crawler.URL{}, nil
		}
		rows, err := b.s.o.Ledger.Rows([]crawler.URLKey{row.RedirectTo.Key()})
		if err != nil || rows[0] == nil {
			return crawler.URL{}, err
		}
		if row = rows[0]; row.Outcome != crawler.Redirected {
			return row.URL, nil
		}
	}
	return crawler.URL{}, nil
}

func failedRow(row *crawler.Row, reason crawler.Reason, detail string) placedRow {
	return placedRow{key: row.Key(), was: row.Outcome, digest: row.Digest, reason: reason, detail: detail}
}
