package core

import "trawl/crawler"

// owe numbers the rows that the step makes final, so that the same batch says that they are owed to the reader of the stream.
func (st *Step) owe() {
	if !st.o.Streams {
		return
	}
	for _, k := range st.order {
		if st.madeFinal(st.rows[k]) {
			st.owed++
			st.changes.Owed = append(st.changes.Owed, crawler.OwedRow{Number: st.owed, Key: k})
		}
	}
}

func (st *Step) madeFinal(e *rowEdit) bool {
	return e.new.Outcome.Final() && (e.old == nil || !e.old.Outcome.Final())
}

// Deliver stores that owed rows up to a number were delivered.
func Deliver(upTo uint64) Order {
	return func(st *Step) bool {
		st.changes.Delivered = upTo
		return true
	}
}
