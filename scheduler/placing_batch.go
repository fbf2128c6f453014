package scheduler

import (
	"context"
	"errors"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/core"
)

// placedEvent is what came of a batch, for the loop to commit.
type placedEvent struct {
	placed *core.Placed
	reply  chan struct{} // closed when it is durable
}

// placeBatch gathers what is done under one sync and one commit. For one goroutine.
type placeBatch struct {
	s   *Scheduler
	ctx context.Context
	core.Placed
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
	p := placedEvent{placed: new(b.Placed), reply: make(chan struct{})}
	b.Placed = core.Placed{}
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
	rows, err := b.s.o.Ledger.Rows([]weburl.URLKey{u.Key})
	if err != nil {
		return err
	}
	row, finished := rows[0], true
	switch {
	case row == nil:
	case row.Outcome == crawler.Fetched && !row.Archive.IsZero():
		finished, err = b.fetched(row)
	case failedForALine(row):
		finished, err = b.again(row)
	case row.Outcome == crawler.Redirected:
		err = b.redirected(row)
	}
	if err != nil {
		return err
	}
	if finished {
		b.Done = append(b.Done, u)
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
	if errors.Is(err, errOtherBody) {
		b.otherBody(row, row.Digest)
		return true, nil
	}
	if refused, ok := errors.AsType[*crawler.NameRefused](err); ok {
		b.Rows = append(b.Rows, failedRow(row, crawler.ReasonArchive, refused.Error()))
		return true, nil
	}
	if err != nil {
		return false, err
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

// failedForALine reports whether a body came, and only the line that led to it did not take it: another one may.
func failedForALine(row *crawler.Row) bool {
	why := row.Reason == crawler.ReasonArchive || row.Reason == crawler.ReasonDigest
	return row.Outcome == crawler.Failed && why && !row.Listed() && !row.Digest.IsZero()
}

// again tries the lines that were redirected to a URL since it failed for one of them. Its body is kept until the job is done.
func (b *placeBatch) again(row *crawler.Row) (finished bool, err error) {
	fresh := *row
	fresh.Archive = crawler.Locator{File: row.File(), Length: row.Bytes}
	return b.fetched(&fresh)
}

// errOtherBody says that a line asks for another body.
var errOtherBody = errors.New("the line asks for another body")

// body puts the body under its row's own name. Where redirects led and the line that was the first does not take it, since its
// name is refused or it asks for another body, another line's name will do: that line is the one that fails.
func (b *placeBatch) body(row *crawler.Row) (from string, err error) {
	place := func(to string, want crawler.Digest) error {
		if want.Refuses(row.Digest) {
			return errOtherBody
		}
		return b.s.o.Bodies.Place(b.ctx, row.URL, row.Digest, row.Archive.Length, to)
	}
	want := row.Want
	if row.Archive.File != row.File() { // it has that of another line already
		want = crawler.Digest{}
	}
	took := func(to string) (string, error) {
		if to != row.Archive.File || row.Outcome == crawler.Failed {
			b.Rows = append(b.Rows, core.PlacedRow{Key: row.Key(), Was: row.Outcome, Digest: row.Digest, File: crawler.Locator{File: to, Length: row.Archive.Length}})
		}
		return to, nil
	}
	first := place(row.Archive.File, want)
	switch {
	case first == nil:
		return took(row.Archive.File)
	case !mayHaveAnother(first) || row.Listed():
		return "", first
	}
	lines, err := b.lineRows(row)
	if err != nil {
		return "", err
	}
	for _, line := range lines {
		if line == nil || line.Outcome != crawler.Redirected || line.File() == row.Archive.File {
			continue
		}
		switch err := place(line.File(), line.Want); {
		case err == nil:
			return took(line.File())
		case !mayHaveAnother(err):
			return "", err
		case errors.Is(err, crawler.ErrNoBody):
			first = err
		}
	}
	return "", first
}

// mayHaveAnother reports whether another line's name may do: this line does not take the body, or a crash came after it got
// another's name, and so it is not there.
func mayHaveAnother(err error) bool {
	_, refused := errors.AsType[*crawler.NameRefused](err)
	return refused || errors.Is(err, errOtherBody) || errors.Is(err, crawler.ErrNoBody)
}

// otherBody fails a row that asks for another body than the one that came.
func (b *placeBatch) otherBody(row *crawler.Row, came crawler.Digest) {
	r := failedRow(row, crawler.ReasonDigest, "")
	r.Came = came
	b.Rows = append(b.Rows, r)
}

func (b *placeBatch) lineRows(row *crawler.Row) ([]*crawler.Row, error) {
	lines, err := b.s.o.Names.Awaiting(row.Key(), placePage)
	if err != nil {
		return nil, err
	}
	return b.s.o.Ledger.Rows(weburl.Sorted(lines))
}

// lines puts a body under the names of a page of lines that were redirected to it.
func (b *placeBatch) lines(row *crawler.Row, from string, lines []weburl.URLKey) error {
	rows, err := b.s.o.Ledger.Rows(weburl.Sorted(lines))
	if err != nil {
		return err
	}
	for i, k := range lines {
		b.EndAwaits = append(b.EndAwaits, crawler.Await{At: row.Key(), Line: k})
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
	if line.Want.Refuses(row.Digest) {
		b.otherBody(line, row.Digest)
		return nil
	}
	if to := line.File(); to != from {
		err := b.s.o.Bodies.Link(b.ctx, from, to)
		if refused, ok := errors.AsType[*crawler.NameRefused](err); ok {
			b.Rows = append(b.Rows, failedRow(line, crawler.ReasonArchive, refused.Error()))
			return nil
		}
		if err != nil {
			return err
		}
	}
	if err := b.aliases(line, from, row.Digest); err != nil {
		return err
	}
	b.Rows = append(b.Rows, core.PlacedRow{Key: line.Key(), Was: line.Outcome, Digest: line.Digest, File: crawler.Locator{File: line.File(), Length: row.Archive.Length}})
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
			if a.Want.Refuses(digest) {
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
		b.Awaits = append(b.Awaits, crawler.Await{At: end.Key(), Line: row.Key()})
	}
	for {
		lines, err := b.s.o.Names.Awaiting(row.Key(), placePage)
		if err != nil || len(lines) == 0 {
			return err
		}
		for _, k := range lines {
			b.Awaits = append(b.Awaits, crawler.Await{At: end.Key(), Line: k})
			b.EndAwaits = append(b.EndAwaits, crawler.Await{At: row.Key(), Line: k})
		}
		if err := b.flush(); err != nil {
			return err
		}
	}
}

// chainEnd follows redirects from row to row, to the first that is none; the zero URL where they lead to none.
func (b *placeBatch) chainEnd(row *crawler.Row) (weburl.URL, error) {
	for range maxChain {
		if row.RedirectTo.IsZero() {
			return weburl.URL{}, nil
		}
		rows, err := b.s.o.Ledger.Rows([]weburl.URLKey{row.RedirectTo.Key()})
		if err != nil || rows[0] == nil {
			return weburl.URL{}, err
		}
		if row = rows[0]; row.Outcome != crawler.Redirected {
			return row.URL, nil
		}
	}
	return weburl.URL{}, nil
}

func failedRow(row *crawler.Row, reason crawler.Reason, detail string) core.PlacedRow {
	return core.PlacedRow{Key: row.Key(), Was: row.Outcome, Digest: row.Digest, Reason: reason, Detail: detail}
}

func (b *placeBatch) size() int { return len(b.Done) + len(b.Rows) + len(b.Awaits) + len(b.EndAwaits) }
