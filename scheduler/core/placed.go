package core

import (
	"slices"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Placed is what came of putting bodies under their names.
type Placed struct {
	Done      []crawler.Unplaced // looked at, as they were
	Rows      []PlacedRow
	Awaits    []crawler.Await
	EndAwaits []crawler.Await
}

// PlacedRow is a row that has its file, or fails for it.
type PlacedRow struct {
	Key    weburl.URLKey
	Was    crawler.Outcome
	Digest crawler.Digest // of its body then
	File   crawler.Locator
	Reason crawler.Reason // of its failure, "" = it has the file
	Detail string
	Came   crawler.Digest // with reason digest
}

// applyPlaced takes over what came of putting bodies under their names.
func (st *Step) applyPlaced(p *Placed) {
	keys := make([]weburl.URLKey, 0, len(p.Rows)+len(p.Awaits))
	for i := range p.Rows {
		keys = append(keys, p.Rows[i].Key)
	}
	for _, a := range p.Awaits {
		keys = append(keys, a.At)
	}
	rows := st.load(weburl.Sorted(keys))
	for i := range p.Rows {
		st.placedRow(&p.Rows[i], rows)
	}
	n := &st.changes.Names
	n.EndAwaits = append(n.EndAwaits, p.EndAwaits...)
	n.Awaits = append(n.Awaits, p.Awaits...)
	for _, a := range p.Awaits {
		if at := rows[a.At]; at != nil && at.Outcome.Final() {
			st.unplaced(a.At)
		}
	}
	for _, u := range p.Done {
		version, found, err := st.o.Names.UnplacedVersion(u.Key)
		st.fail(err, "read names")
		again := slices.ContainsFunc(n.Unplaced, func(x crawler.Unplaced) bool { return x.Key == u.Key })
		if found && version == u.Version && !again {
			n.Placed = append(n.Placed, u.Key)
		}
	}
}

// placedRow notes the file of a row, or fails the row, unless it was settled otherwise meanwhile.
func (st *Step) placedRow(p *PlacedRow, rows map[weburl.URLKey]*crawler.Row) {
	row := rows[p.Key]
	if row == nil || row.Outcome != p.Was || row.Digest != p.Digest {
		return
	}
	fresh := *row
	fresh.Archive = p.File
	switch p.Reason {
	case "":
		if p.Was == crawler.Failed { // a line takes what the others did not
			fresh.Outcome, fresh.Reason, fresh.Detail = crawler.Fetched, "", ""
		}
	case crawler.ReasonDigest:
		refuseDigest(&fresh, p.Came)
	default:
		fresh.Outcome, fresh.Reason, fresh.Detail = crawler.Failed, p.Reason, p.Detail
	}
	if fresh == *row {
		return
	}
	st.put(row, &fresh, false)
	rows[p.Key] = &fresh
}
