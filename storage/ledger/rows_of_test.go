package ledger

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage/storagetest"
)

// story is what people read of a row.
func story(r *crawler.Row) string {
	return fmt.Sprintf("%s %s %s %d", r.URL, r.Outcome, r.Reason, r.Attempts)
}

func storiesOf(tb testing.TB, rows func(func(*crawler.Row, error) bool)) (all []string, hosts map[weburl.Host][]string) {
	tb.Helper()
	hosts = map[weburl.Host][]string{}
	for r, err := range rows {
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, story(r))
		hosts[r.URL.Host()] = append(hosts[r.URL.Host()], story(r))
	}
	return all, hosts
}

// crowded is a ledger after many changes of a job, with rows of every outcome.
func crowded(t *testing.T) *Ledger {
	l := open(t, "ledger", small(vfs.NewMem()))
	m := storagetest.NewModel(7)
	for range 60 {
		storagetest.Commit(t, l, m.Step())
	}
	return l
}

func TestRowsOfHostsAreThoseThatAllReads(t *testing.T) {
	l := crowded(t)
	all, byHost := storiesOf(t, l.All())
	if len(byHost) < 4 {
		t.Fatalf("the model has %d hosts", len(byHost))
	}
	var names []weburl.Host
	for h, want := range byHost {
		names = append(names, h)
		if got, _ := storiesOf(t, l.RowsOf(h)); !slices.Equal(got, want) {
			t.Errorf("%s: %d rows, not the %d of All:\n%q\n%q", h, len(got), len(want), got, want)
		}
	}
	slices.Sort(names)
	twice := slices.Concat(names, []weburl.Host{"never.seen.example"}, names)
	if got, _ := storiesOf(t, l.RowsOf(twice...)); !slices.Equal(got, all) {
		t.Errorf("all hosts have %d rows, not %d in the order of All", len(got), len(all))
	}
	if got, _ := storiesOf(t, l.RowsOf("never.seen.example")); len(got) > 0 {
		t.Errorf("a host that was never seen has %q", got)
	}
	if got, _ := storiesOf(t, l.RowsOf()); len(got) > 0 {
		t.Errorf("no hosts have %q", got)
	}
}

func TestReadingRowsOfHostsMayEndEarly(t *testing.T) {
	l := crowded(t)
	var n int
	for range l.RowsOf("host0.example", "host1.example", "host2.example", "host3.example") {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d rows", n)
	}
}

// readRenewing is All with another number of rows for which iterators are kept.
func readRenewing(l *Ledger, every int) func(func(*crawler.Row, error) bool) {
	return l.read(func(s *stories, yield func(*crawler.Row) bool) error {
		s.renewEvery = every
		s.rows.next()
		_, err := s.tellWhile(func(weburl.HostKey) bool { return true }, yield)
		return err
	})
}

func TestRenewedIteratorsReadOn(t *testing.T) {
	l := crowded(t)
	want, _ := storiesOf(t, l.All())
	for _, every := range []int{1, 2, 7, len(want) - 1, len(want), len(want) + 1} {
		if got, _ := storiesOf(t, readRenewing(l, every)); !slices.Equal(got, want) {
			t.Errorf("renewed every %d rows: %d rows, not the %d of All", every, len(got), len(want))
		}
	}
}

// A reading of all rows goes on while the writer changes every one of them: it sees none of it, commits are
// not held up by it, and what it keeps from being freed is bounded.
func TestALongReadingHoldsUpNeitherCommitsNorMemory(t *testing.T) {
	const rows, every = 4000, 500
	o := small(vfs.NewMem())
	l := open(t, "ledger", o)
	version := func(i, v int) *crawler.Row {
		r := &crawler.Row{Result: crawler.Result{URL: weburl.MustParse(fmt.Sprintf("https://host%d.example/%d", i%20, i))}, Attempts: v}
		for n := range 8 {
			r.Detail += fmt.Sprintf("%x", uint64(i*v+n)*0x9E3779B97F4A7C15)
		}
		return r
	}
	write := func(v int) {
		for from := 0; from < rows; from += 100 {
			var c crawler.Changes
			for i := from; i < from+100; i++ {
				change := crawler.RowChange{New: version(i, v)}
				if v > 1 {
					change.Old = version(i, v-1)
				}
				c.Rows = append(c.Rows, change)
			}
			storagetest.Commit(t, l, &c)
		}
	}
	write(1)
	read, v := 0, 1
	for r, err := range readRenewing(l, every) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Attempts != 1 {
			t.Fatalf("%s is of version %d", r.URL, r.Attempts)
		}
		switch read++; {
		case read%every == 1 && read > 1: // the iterators are new, so what was flushed before is free
			if m := l.db.Metrics().MemTable; m.ZombieCount > 1 { // Pebble keeps one to use it again
				t.Errorf("after %d rows %d old memtables are kept", read, m.ZombieCount)
			}
		case read%every == every/2:
			v++
			write(v)
			flush(t, l.db)
			if m := l.db.Metrics().MemTable; m.ZombieCount > 1+3 {
				t.Errorf("after %d rows %d old memtables are kept", read, m.ZombieCount)
			}
		}
	}
	if read != rows {
		t.Errorf("%d rows", read)
	}
	if v < 5 {
		t.Errorf("the writer wrote %d versions only", v)
	}
}

func flush(tb testing.TB, db *pebble.DB) {
	tb.Helper()
	if err := db.Flush(); err != nil {
		tb.Fatal(err)
	}
}
