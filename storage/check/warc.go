package check

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage"
	"trawl/storage/archive"
	"trawl/storage/archive/warc"
)

// allWARCs reads the WARC files that are there, in the order of the pointers.
func (v *archiveVerifier) allWARCs() error {
	for i := range v.onDisk {
		if err := v.oneWARC(uint32(i)); err != nil {
			return err
		}
	}
	return nil
}

// warcWalk reads one WARC file beside the pointers into it.
type warcWalk struct {
	*archiveVerifier
	number  uint32
	name    string
	arrives bool // it is still growing: what is missing at its end is on its way
	fetcher string
	reader  *warc.Reader
}

func (v *archiveVerifier) oneWARC(number uint32) error {
	w := &warcWalk{archiveVerifier: v, number: number, name: v.names[number], fetcher: archive.FetcherOf(v.names[number])}
	f, err := v.root.Open(w.name)
	if err != nil {
		return w.unreadable(err)
	}
	defer f.Close() // it is only read
	info, err := f.Stat()
	if err != nil {
		return w.unreadable(err)
	}
	v.Files++
	w.arrives = !archive.IsFinal(info)
	w.reader = warc.NewReader(storage.Until(v.ctx, f))
	for {
		e, err := w.reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return w.rest(nil)
		case v.ctx.Err() != nil:
			return v.ctx.Err()
		case err != nil:
			return w.stopped(err)
		}
		if err := w.record(e); err != nil {
			return err
		}
	}
}

// pointer is the next pointer into this file, nil when there is none.
func (w *warcWalk) pointer() *pointer {
	if p := w.pointers.peek(); p != nil && p.file == w.number {
		return p
	}
	return nil
}

// record compares a record with the pointers to it.
func (w *warcWalk) record(e *warc.Entry) error {
	for p := w.pointer(); p != nil && p.offset < e.Offset; p = w.pointer() {
		w.broken(p, w.name, fmt.Errorf("no record begins at byte %d", p.offset))
		if err := w.pointers.next(); err != nil {
			return err
		}
	}
	if p := w.pointer(); p == nil || p.offset != e.Offset {
		return w.orphan(e)
	}
	for first := true; ; first = false {
		p := w.pointer()
		if p == nil || p.offset != e.Offset {
			return nil
		}
		at, err := *p, error(nil)
		if first {
			err = w.verify(e, p)
		} else {
			err = w.alone(p)
		}
		if w.ctx.Err() != nil {
			return w.ctx.Err()
		}
		w.judged(&at, err)
		if err := w.pointers.next(); err != nil {
			return err
		}
	}
}

func (w *warcWalk) judged(p *pointer, err error) {
	if err != nil {
		w.broken(p, w.name, err)
		return
	}
	w.Verified++
}

// verify reads the record that the reader stands on.
func (w *warcWalk) verify(e *warc.Entry, p *pointer) error {
	r, err := archive.RecordAt(w.reader, e, p.length, w.ctx.Err)
	if err != nil {
		return err
	}
	if err := r.Verify(p.digest, p.bytes); err != nil {
		return fmt.Errorf("record at byte %d: %w", p.offset, err)
	}
	return w.sameURL(e, p)
}

// sameURL compares the record's URL with the row's. A robots file may have been redirected.
func (w *warcWalk) sameURL(e *warc.Entry, p *pointer) error {
	if p.robots > 0 {
		return nil
	}
	target := e.Get("WARC-Target-URI")
	if u, err := weburl.Parse(strings.Trim(target, "<>")); err != nil || u.Key() != p.key {
		return fmt.Errorf("record at byte %d is that of %q", p.offset, target)
	}
	return nil
}

// alone reads a record by itself.
func (w *warcWalk) alone(p *pointer) error {
	l := crawler.Locator{File: w.name, Offset: p.offset, Length: p.length}
	r, err := archive.OpenRecord(w.dir, l)
	if err != nil {
		return err
	}
	err = w.sameURL(&warc.Entry{Header: r.Header}, p)
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	return archive.VerifyCut(w.dir, l, p.digest, p.bytes)
}

// stopped reports a file that cannot be read on. Records after that place are read one by one.
func (w *warcWalk) stopped(err error) error {
	bad, _ := errors.AsType[*warc.Error](err)
	switch {
	case bad != nil && bad.Torn && w.arrives && w.remote(w.fetcher):
		w.note("%s: has not arrived whole from fetcher %s", w.name, w.fetcher)
	case bad != nil && bad.Torn && w.arrives:
		w.note("%s: its end from byte %d on was torn when its fetcher was stopped; it is cut off at the next start", w.name, bad.Offset)
	default:
		w.note("%s: cannot be read to its end: %v; the records of rows after that were read one by one", w.name, err)
	}
	return w.rest(err)
}

// rest takes the pointers behind the place where reading ended; at is why, nil at the end of the file.
func (w *warcWalk) rest(at error) error {
	for p := w.pointer(); p != nil; p = w.pointer() {
		here, err := *p, errors.New("the file ends before it")
		if at != nil {
			err = w.alone(p)
		}
		if w.ctx.Err() != nil {
			return w.ctx.Err()
		}
		bad, _ := errors.AsType[*warc.Error](err)
		if missing := at == nil || bad != nil && bad.Torn || errors.Is(err, io.ErrUnexpectedEOF); err != nil && missing && w.arrives && w.remote(w.fetcher) {
			w.shipping(w.fetcher, &here)
		} else {
			w.judged(&here, err)
		}
		if err := w.pointers.next(); err != nil {
			return err
		}
	}
	return nil
}

// unreadable reports a file that cannot be opened.
func (w *warcWalk) unreadable(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("it went away meanwhile")
	}
	for p := w.pointer(); p != nil; p = w.pointer() {
		here := *p
		w.judged(&here, err)
		if err := w.pointers.next(); err != nil {
			return err
		}
	}
	w.note("%s: %v", w.name, err)
	return nil
}

// orphan says what a record is that no row points to.
func (w *warcWalk) orphan(e *warc.Entry) error {
	kind := OrphanOther
	switch warc.Type(e.Get("WARC-Type")) {
	case warc.TypeInfo:
		kind = OrphanInfo
	case warc.TypeRequest:
		kind = OrphanRequest
	case warc.TypeResponse:
		var err error
		if kind, err = w.orphanAnswer(e); err != nil {
			return err
		}
	}
	w.Orphans[kind]++
	return nil
}

func (w *warcWalk) orphanAnswer(e *warc.Entry) (Orphan, error) {
	u, err := weburl.Parse(strings.Trim(e.Get("WARC-Target-URI"), "<>"))
	if err != nil {
		return OrphanUnknown, nil
	}
	rows, err := w.l.Rows([]weburl.URLKey{u.Key()})
	if err != nil {
		return "", err
	}
	switch r := rows[0]; {
	case r == nil && u.Path() == "/robots.txt":
		return OrphanRobots, nil
	case r == nil || r.URL != u:
		return OrphanUnknown, nil
	case r.Archive.IsZero():
		return OrphanUnsettled, nil
	}
	return OrphanRepeated, nil
}
