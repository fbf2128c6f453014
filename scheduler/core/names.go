package core

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Names are given in the batch that admits the row. What is put under them, and when, is in placing.go of the shell.

// giveName gives the URL the name, or one like it that is free. known is true when the URL had it before.
func (st *Step) giveName(u weburl.URL, name string) (full string, known bool) {
	if st.page == nil {
		st.page = st.s.names.Page()
	}
	given, full, known, err := st.page.Give(u, name)
	if st.fail(err, "give a name"); err == nil && !known {
		st.changes.Names.Given = append(st.changes.Names.Given, given)
	}
	return full, known
}

// rowName is the name of a row that is admitted: "" for the one that is made from its URL.
func (st *Step) rowName(c *candidate) string {
	if st.s.names == nil || c.inherits {
		return c.name
	}
	own := crawler.FileName(c.url)
	if full, _ := st.giveName(c.url, cmp.Or(c.name, own)); full != own {
		return full
	}
	return ""
}

// furtherName is for a line of a list whose URL is known: it gets its name beside the one that the row has.
func (st *Step) furtherName(k weburl.URLKey, row *crawler.Row, c *candidate) {
	if st.s.names == nil || !c.line || c.name == "" && c.want.IsZero() && row.Listed() {
		return
	}
	if e, edited := st.rows[k]; edited {
		row = e.new
	}
	fresh := *row
	wished := cmp.Or(c.name, crawler.FileName(c.url))
	if c.name == "" && row.Listed() {
		wished = row.FileOf()
	}
	if full, known := st.giveName(c.url, wished); !known {
		st.sequence++
		fresh.Aliases++
		st.changes.Names.Aliases = append(st.changes.Names.Aliases, crawler.Alias{Of: k, Sequence: st.sequence, Name: full, Want: c.want})
	} else if !c.want.IsZero() && row.Want.IsZero() {
		fresh.Want = c.want
	}
	if st.err != nil || fresh.Aliases == row.Aliases && fresh.Want == row.Want {
		return
	}
	st.put(row, &fresh, false)
	if row.Outcome.Final() {
		st.unplaced(k)
	}
}

// unplaced notes that a settled row's names are to be looked at.
func (st *Step) unplaced(k weburl.URLKey) {
	list := &st.changes.Names.Unplaced
	if slices.ContainsFunc(*list, func(u crawler.Unplaced) bool { return u.Key == k }) {
		return
	}
	var id [16]byte
	st.draw(&id)
	*list = append(*list, crawler.Unplaced{Key: k, Version: binary.BigEndian.Uint64(id[:])})
}

// nameResult gives a fetched body its file, and fails it when the list asks for another one. Where a line was redirected it
// is looked at with its name whether another line takes what came.
func (st *Step) nameResult(row *crawler.Row) {
	judgedLater := st.s.names != nil && !row.Listed() && isBody(row)
	switch {
	case row.Outcome == crawler.Fetched && row.Want.Refuses(row.Digest) && !judgedLater:
		refuseDigest(row, row.Digest)
	case st.s.names == nil:
	case row.Outcome == crawler.Fetched && isBody(row):
		row.Archive = crawler.Locator{File: row.File(), Length: row.Archive.Length}
		st.unplaced(row.Key())
	case row.Outcome == crawler.Redirected && st.s.job.Job.Kind == crawler.Download:
		st.unplaced(row.Key())
	}
}

// isBody reports whether the row's body is on its way to become a file.
func isBody(row *crawler.Row) bool {
	k, digest, ok := crawler.ParseBodyName(row.Archive.File)
	return ok && k == row.Key() && digest == row.Digest
}

// refuseDigest fails a row whose body is not the one that its list asks for.
func refuseDigest(row *crawler.Row, came crawler.Digest) {
	row.Outcome, row.Reason = crawler.Failed, crawler.ReasonDigest
	row.Detail = "the list asks for " + row.Want.String() + ", and " + came.String() + " came"
	row.Archive = crawler.Locator{}
}

// shipped notes that a row points into a file that its fetcher is to ship.
func (st *Step) shipped(fetcher string, l crawler.Locator) {
	if st.o.Shipped == nil || fetcher == st.o.LocalFetcher || !strings.HasPrefix(l.File, "archive/") {
		return
	}
	list := &st.changes.Names.Shipped
	i := slices.IndexFunc(*list, func(f crawler.ShippedFile) bool { return f.Name == l.File })
	if i < 0 {
		f, known := st.s.files.Get(l.File)
		if !known {
			var err error
			f, _, err = st.o.Shipped.ShippedFile(l.File)
			st.fail(err, "read shipped file %s", l.File)
		}
		f.Name, f.Fetcher = l.File, fetcher
		i, *list = len(*list), append(*list, f)
	}
	f := &(*list)[i]
	f.Rows, f.End = f.Rows+1, max(f.End, l.Offset+l.Length)
}

// namesApplied takes over what a committed step says about names.
func (s *state) namesApplied(st *Step) {
	for _, f := range st.changes.Names.Shipped {
		s.files.Put(f)
	}
	if st.page != nil {
		s.names.Take(st.page)
	}
}

// nameRule keeps the rule by which the ledger's names were given; what the file system says now is for a new ledger.
func (s *state) nameRule(o *Options) {
	if o.Names == nil || s.job.Job.Archive != crawler.ArchiveFiles {
		return
	}
	if s.job.Names == nil {
		rule := o.NameRule
		s.job.Names = &rule
		return
	}
	if before, now := *s.job.Names, o.NameRule; now.Case && !before.Case || now.Form && !before.Form {
		s.notes = append(s.notes, "the crawl directory has moved to a file system that takes names for one that were two where the crawl began: of such files the later one replaces the other; fetch what was lost in a new directory")
	}
}
