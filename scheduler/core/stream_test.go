package core

import (
	"strings"
	"testing"
	"testing/synctest"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

func TestARowThatIsFinalAtOnceIsOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, schedulertest.Job(), schedulertest.NewLedger())
		d.s.core.o.Streams = true
		d.seed("http://h.example/")
		task := d.take()
		d.ask(task, 1)
		trap := "http://h.example" + strings.Repeat("/x", 9) + "/"
		page := crawler.PageLinks{Page: mustURL("http://h.example/"), Links: []crawler.Link{{URL: mustURL(trap)}, {URL: mustURL("http://h.example/waits")}}}
		d.part(task, 1, 1, func(p *crawler.Part) { p.Links = []crawler.PageLinks{page} })
		if len(d.led.Owed) != 1 || d.led.Owed[0].Key != mustURL(trap).Key() {
			t.Errorf("owed: %v", d.led.Owed)
		}
		final := *d.row(trap)
		st := d.s.newStep()
		st.put(d.row(trap), &final, false) // and once only
		if st.owe(); len(st.changes.Owed) != 0 {
			t.Errorf("owed again: %v", st.changes.Owed)
		}
	})
}
