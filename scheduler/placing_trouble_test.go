package scheduler

import (
	"context"
	"errors"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/schedulertest"
)

// pickyBodies say of each name what comes of it.
type pickyBodies struct {
	says   map[string]error // by name without directory
	placed []string
}

func (b *pickyBodies) Place(_ context.Context, _ weburl.URL, _ crawler.Digest, _ int64, to string) error {
	b.placed = append(b.placed, to)
	return b.says[to[len(crawler.FilesDir)+1:]]
}
func (b *pickyBodies) Link(_ context.Context, _, to string) error {
	return b.says[to[len(crawler.FilesDir)+1:]]
}
func (b *pickyBodies) Sync() error { return nil }

func TestWhoseNameABodyGets(t *testing.T) {
	const a, b, e, end = "http://a.test/f", "http://b.test/f", "http://e.test/f", "http://end.test/f"
	full := errors.New("the disk is full")
	damaged := errors.New("damaged")
	no := func(name string) error { return &crawler.NameRefused{Name: name, Err: context.Canceled} }
	lines := []string{a + " n", b + " m", e + " o"}
	for name, tt := range map[string]struct {
		lines []string
		says  map[string]error
		names error // of the ledger
		from  string
		err   error // nil with from = "": it is refused
	}{
		"that of the first line":                    {lines, nil, damaged, "n", nil},
		"none where the disk has trouble":           {lines, map[string]error{"n": full}, nil, "", full},
		"none where the ledger cannot be read":      {lines, map[string]error{"n": no("n")}, damaged, "", damaged},
		"that of a line whose name is not refused":  {lines, map[string]error{"n": no("n"), "m": no("m")}, nil, "o", nil},
		"none where the disk has trouble with it":   {lines[:2], map[string]error{"n": no("n"), "m": full}, nil, "", full},
		"none where all are refused":                {lines, map[string]error{"n": no("n"), "m": no("m"), "o": no("o")}, nil, "", nil},
		"none where the body is not there":          {lines, map[string]error{"n": crawler.ErrNoBody, "m": crawler.ErrNoBody, "o": crawler.ErrNoBody}, nil, "", crawler.ErrNoBody},
		"none where it is not there, with a demand": {[]string{a + " n other", b + " m"}, map[string]error{"m": crawler.ErrNoBody}, nil, "", crawler.ErrNoBody},
	} {
		inBubble(t, name, func(t *testing.T) {
			d := newNameDesk(t, crawler.NameRule{})
			d.lines(tt.lines[0], "http://wait2.test/")
			d.fetch(map[string]string{a: end})
			d.lines(tt.lines[1:]...)
			d.fetch(map[string]string{b: end, e: end})
			if err := d.place(); err != nil {
				t.Fatal(err)
			}
			d.names.Broken = tt.names
			d.s.o.Bodies = &pickyBodies{says: tt.says}
			batch := &placeBatch{s: d.s, ctx: t.Context()}
			row := *d.row(end)
			row.Archive.File = row.File() // also where it failed before the other lines came
			from, err := batch.body(&row)
			want := ""
			if tt.from != "" {
				want = crawler.FilesDir + "/" + tt.from
			}
			_, refused := errors.AsType[*crawler.NameRefused](err)
			if from != want || tt.err != nil && !errors.Is(err, tt.err) || tt.err == nil && refused != (tt.from == "") {
				t.Errorf("%q, %v", from, err)
			}
			if other := tt.from != "" && tt.from != "n"; len(batch.Rows) == 1 != other || other && batch.Rows[0].File.File != want {
				t.Errorf("noted: %+v", batch.Rows)
			}
		})
	}
}

func TestBodiesOfOtherMachineryAreNotLookedAt(t *testing.T) {
	body := crawler.BodyName(mustURL("http://a.test/"), schedulertest.DigestOf("x"))
	for name, tt := range map[string]struct {
		name   string
		bodies Bodies
		want   int
	}{"a body": {body, newMemBodies(), 1}, "no body": {"archive/x", newMemBodies(), 0}, "with nobody for names": {body, nil, 0}} {
		s := &Scheduler{o: Options{Bodies: tt.bodies}, placing: newPlacing(nil)}
		if s.Arrived(tt.name); len(s.placing.queue) != tt.want {
			t.Errorf("%s: %d rows are looked at", name, len(s.placing.queue))
		}
	}
}

func TestLinesGoOnWhereARedirectLeadsOn(t *testing.T) {
	const a, b, c = "http://a.test/f", "http://b.test/f", "http://c.test/f"
	inBubble(t, "after they waited at it", func(t *testing.T) {
		d := newNameDesk(t, crawler.NameRule{})
		d.lines(a + " n")
		task := d.take()
		d.ask(task, 1)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Links = []crawler.PageLinks{{Page: mustURL(a), Links: []crawler.Link{{URL: mustURL(b), Kind: crawler.LinkRedirect}}}}
			p.Results = []crawler.Result{{URL: mustURL(a), Outcome: crawler.Redirected, Status: 302, RedirectTo: mustURL(b)}}
			p.End = true
		})
		if err := d.place(); err != nil || len(d.names.Awaits) != 1 {
			t.Fatalf("%v, %v", err, d.names.Awaits)
		}
		d.fetch(map[string]string{b: c})
		if err := d.place(); err != nil || !d.names.Awaits[crawler.Await{At: mustURL(c).Key(), Line: mustURL(a).Key()}] || len(d.names.Awaits) != 1 {
			t.Fatalf("%v, %v", err, d.names.Awaits)
		}
		d.arrive(c)
		if err := d.place(); err != nil || len(d.bodies.files) != 1 || len(d.names.Awaits)+len(d.names.ToPlace) != 0 {
			t.Errorf("%v, %v, left: %v, %v", err, d.files(), d.names.Awaits, d.names.ToPlace)
		}
	})
}
