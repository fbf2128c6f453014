package scheduler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler/core"
	"trawl/scheduler/schedulertest"
)

func TestRowsToBePlacedAreTakenInPages(t *testing.T) {
	key := func(n int) weburl.URLKey { return weburl.URLKey{URL: uint64(n)} }
	p := newPlacing(nil)
	if keys, scan := p.take(); len(keys) != 0 || !scan || p.idle() {
		t.Errorf("at a start: %v, the ledger is read: %v, idle: %v", keys, scan, p.idle())
	}
	if keys, scan := p.take(); len(keys) != 0 || scan || !p.idle() {
		t.Errorf("then: %v, the ledger is read: %v, idle: %v", keys, scan, p.idle())
	}
	for n := range placePage + 1 {
		p.add(key(n))
		p.add(key(n))
	}
	if p.idle() {
		t.Error("idle with rows to be looked at")
	}
	for _, want := range []int{placePage, 1, 0} {
		keys, scan := p.take()
		if len(keys) != want || scan || p.idle() != (want == 0) {
			t.Errorf("%d rows, want %d; the ledger is read: %v, idle: %v", len(keys), want, scan, p.idle())
		}
	}
	p.add(key(1))
	if keys, _ := p.take(); len(keys) != 1 {
		t.Errorf("a row that comes again is taken %d times", len(keys))
	}
	p.take()
	select {
	case <-p.wake:
	default:
	}
	for name, f := range map[string]func(){"add": func() { p.add(key(1)) }, "rescan": p.rescan} {
		f()
		f()
		select {
		case <-p.wake:
		default:
			t.Errorf("%s wakes nobody", name)
		}
	}
	if keys, scan := p.take(); len(keys) != 1 || !scan {
		t.Errorf("%v, the ledger is read: %v", keys, scan)
	}
	for n := range maxToPlace {
		p.add(key(n))
	}
	if p.scan {
		t.Error("the ledger is to be read though all rows are in memory")
	}
	if p.add(key(maxToPlace)); !p.scan || len(p.queue) != maxToPlace {
		t.Errorf("with one more, the ledger is to be read: %v; %d rows in memory", p.scan, len(p.queue))
	}
}

func TestBodiesGetAllTheirNames(t *testing.T) {
	const a, b, c = "http://a.test/f", "http://b.test/f", "http://c.test/f"
	long := func(n int) (lines []string) {
		for i := range n {
			lines = append(lines, fmt.Sprintf("%s n%03d", a, i))
		}
		return lines
	}
	numbered := func(n int) (files []string) {
		for i := range n {
			files = append(files, fmt.Sprintf("n%03d %s", i, a))
		}
		return files
	}
	for name, tt := range map[string]struct {
		lines  []string
		leads  map[string]string
		refuse []string
		files  []string          // with whose body it is
		rows   map[string]string // file or reason, by URL; those that are not named are not looked at
	}{
		"one":                             {[]string{a + " n"}, nil, nil, []string{"n " + a}, map[string]string{a: "files/n"}},
		"further ones":                    {[]string{a + " n", a + " m", a + " o"}, nil, nil, []string{"m " + a, "n " + a, "o " + a}, map[string]string{a: "files/n"}},
		"a page of them":                  {long(placePage + 1), nil, nil, numbered(placePage + 1), map[string]string{a: "files/n000"}},
		"more":                            {long(placePage + 2), nil, nil, numbered(placePage + 2), map[string]string{a: "files/n000"}},
		"one that is refused":             {[]string{a + " n"}, nil, []string{"n"}, nil, map[string]string{a: "archive"}},
		"a further one that is refused":   {[]string{a + " n", a + " m", a + " o"}, nil, []string{"m"}, []string{"n " + a, "o " + a}, map[string]string{a: "files/n"}},
		"one that asks for another body":  {[]string{a + " n", a + " m other", a + " o " + a}, nil, nil, []string{"n " + a, "o " + a}, map[string]string{a: "files/n"}},
		"of a line that was redirected":   {[]string{a + " n"}, map[string]string{a: b}, nil, []string{"n " + b}, map[string]string{a: "files/n", b: "files/n"}},
		"of one that was redirected on":   {[]string{a + " n"}, map[string]string{a: b, b: c}, nil, []string{"n " + c}, map[string]string{a: "files/n", c: "files/n"}},
		"of two that lead to one":         {[]string{a + " n", b + " m"}, map[string]string{a: c, b: c}, nil, []string{"m " + c, "n " + c}, map[string]string{a: "files/n", b: "files/m"}},
		"of a line and where another led": {[]string{a + " n", c + " m"}, map[string]string{a: c}, nil, []string{"m " + c, "n " + c}, map[string]string{a: "files/n", c: "files/m"}},
		"further ones of one that led on": {[]string{a + " n", a + " m"}, map[string]string{a: b}, nil, []string{"m " + b, "n " + b}, map[string]string{a: "files/n"}},
		"of a line whose name is refused": {[]string{a + " n", c + " m"}, map[string]string{a: c}, []string{"n"}, []string{"m " + c}, map[string]string{a: "archive", c: "files/m"}},
		"of two, both refused":            {[]string{a + " n", b + " m"}, map[string]string{a: c, b: c}, []string{"n", "m"}, nil, map[string]string{c: "archive"}},
		"none where redirects go round":   {[]string{a + " n"}, map[string]string{a: b, b: a}, nil, nil, map[string]string{b: "too_many_redirects"}},
	} {
		for _, when := range []string{"as they come", "after a start", "where the body comes first"} {
			inBubble(t, name+", "+when, func(t *testing.T) {
				d := newNameDesk(t, crawler.NameRule{})
				for _, n := range tt.refuse {
					d.bodies.refuse["files/"+n] = true
				}
				if when == "where the body comes first" {
					d.arrive(a, b, c)
				}
				d.lines(tt.lines...)
				d.fetch(tt.leads)
				if when == "as they come" {
					if err := d.place(); err != nil || len(d.bodies.files) > 0 || !d.s.Placed() {
						t.Fatalf("before any body came: %v, %v, placed: %v", err, d.files(), d.s.Placed())
					}
				}
				d.arrive(a, b, c)
				if when == "after a start" {
					d.start(t, d.led)
				}
				if err := d.place(); err != nil || !d.s.Placed() {
					t.Fatalf("%v, placed: %v", err, d.s.Placed())
				}
				if got := d.files(); !slices.Equal(got, tt.files) {
					t.Errorf("files %q, want %q", got, tt.files)
				}
				if len(d.names.ToPlace)+len(d.names.Awaits) > 0 && len(tt.files) > 0 {
					t.Errorf("left: %v, %v", d.names.ToPlace, d.names.Awaits)
				}
				for url, want := range tt.rows {
					r := d.row(url)
					got := r.Archive.File
					if r.Outcome == crawler.Failed {
						got = string(r.Reason)
					} else if r.Archive.Length != 10 {
						t.Errorf("%s: %d bytes", url, r.Archive.Length)
					}
					if got != want {
						t.Errorf("%s has %q (%s), want %q", url, got, r.Detail, want)
					}
				}
			})
		}
	}
}

// A URL that lines were redirected to has the name, and the wished body, of the line that led there first.
func TestABodyThatOneLineDoesNotTakeGoesToAnother(t *testing.T) {
	const a, b = "http://a.test/f", "http://b.test/f"
	lines := map[string][2]string{ // of the first line, and what it fails with
		"whose name is refused":      {a + " n", "archive"},
		"that asks for another body": {a + " n other", "digest"},
	}
	come := map[string]func(d *nameDesk, c, line string){
		"and both wait for it": func(d *nameDesk, c, line string) {
			d.lines(line, "http://wait.test/")
			d.fetch(map[string]string{a: c})
			d.lines(b + " m")
			d.fetch(map[string]string{b: c})
			if err := d.place(); err != nil {
				d.t.Fatal(err)
			}
			d.arrive(c)
		},
		"and it is looked at before them": func(d *nameDesk, c, line string) {
			d.arrive(c)
			d.lines(line, "http://wait.test/")
			d.fetch(map[string]string{a: c})
			d.lines(b + " m")
			d.fetch(map[string]string{b: c})
			d.start(d.t, d.led)
		},
		"and the other line comes later": func(d *nameDesk, c, line string) {
			d.arrive(c)
			d.lines(line, "http://wait.test/")
			d.fetch(map[string]string{a: c})
			if err := d.place(); err != nil || d.row(c).Outcome != crawler.Failed || len(d.bodies.files) != 0 {
				d.t.Fatalf("%v, %+v, files %q", err, d.row(c), d.files())
			}
			d.lines(b + " m")
			d.fetch(map[string]string{b: c})
		},
		"and the body comes later still": func(d *nameDesk, c, line string) {
			d.lines(line, "http://wait.test/")
			d.fetch(map[string]string{a: c})
			if err := d.place(); err != nil {
				d.t.Fatal(err)
			}
			d.lines(b + " m")
			d.fetch(map[string]string{b: c})
			if err := d.place(); err != nil {
				d.t.Fatal(err)
			}
			d.arrive(c)
		},
		"and a crash came before the ledger heard of it": func(d *nameDesk, c, line string) {
			d.lines(line, "http://wait.test/")
			d.fetch(map[string]string{a: c})
			d.lines(b + " m")
			d.fetch(map[string]string{b: c})
			d.bodies.files["files/m"] = schedulertest.DigestOf(c)
			d.start(d.t, d.led)
		},
	}
	for why, line := range lines {
		for when, f := range come {
			for _, c := range []string{"http://e.test/f", "http://g.test/f"} { // the ledger has one between the lines, and one before them
				inBubble(t, why+", "+when+", at "+c, func(t *testing.T) {
					d := newNameDesk(t, crawler.NameRule{})
					d.bodies.refuse["files/n"] = line[1] == "archive"
					f(d, c, line[0])
					if err := d.place(); err != nil || !d.s.Placed() || !slices.Equal(d.files(), []string{"m " + c}) {
						t.Errorf("%v, files %q", err, d.files())
					}
					if len(d.names.Awaits) != 0 || len(d.names.ToPlace) > 1 {
						t.Errorf("left: %v, %v", d.names.ToPlace, d.names.Awaits)
					}
					for url, want := range map[string]crawler.Outcome{b: crawler.Redirected, c: crawler.Fetched} {
						if r := d.row(url); r.Outcome != want || r.Archive != (crawler.Locator{File: "files/m", Length: 10}) || r.Reason != "" || r.Detail != "" {
							t.Errorf("%s: %+v", url, r)
						}
					}
					if r := d.row(a); r.Outcome != crawler.Failed || string(r.Reason) != line[1] || r.Detail == "" {
						t.Errorf("%s: %+v", a, r)
					}
				})
			}
		}
	}
}

func TestABodyThatIsNotWhatALineAsksForFailsTheLine(t *testing.T) {
	const a, b, c = "http://a.test/f", "http://b.test/f", "http://c.test/f"
	inBubble(t, "asked for after it was settled", func(t *testing.T) {
		d := newNameDesk(t, crawler.NameRule{})
		d.lines(a+" n", "http://wait.test/")
		d.fetch(nil)
		d.lines(a + " n other")
		d.arrive(a)
		if err := d.place(); err != nil {
			t.Fatal(err)
		}
		if r := d.row(a); r.Reason != crawler.ReasonDigest || !strings.Contains(r.Detail, schedulertest.DigestOf(a).String()+" came") || len(d.names.ToPlace) != 1 {
			t.Errorf("%+v", r)
		}
	})
	inBubble(t, "by a line that was redirected, and by that one only", func(t *testing.T) {
		d := newNameDesk(t, crawler.NameRule{})
		d.lines(a+" n", b+" m other")
		d.fetch(map[string]string{a: c, b: c})
		d.arrive(c)
		if err := d.place(); err != nil {
			t.Fatal(err)
		}
		if r := d.row(b); r.Reason != crawler.ReasonDigest || !strings.Contains(r.Detail, schedulertest.DigestOf("other").String()) || !strings.Contains(r.Detail, schedulertest.DigestOf(c).String()+" came") {
			t.Errorf("%+v", r)
		}
		if r := d.row(a); r.Outcome != crawler.Redirected || r.Archive.File != "files/n" || !slices.Equal(d.files(), []string{"n " + c}) {
			t.Errorf("%+v, %v", r, d.files())
		}
	})
}

func TestWhatWasPlacedIsCommittedOnlyAsItWasSeen(t *testing.T) {
	const a = "http://a.test/f"
	for name, tt := range map[string]struct {
		change func(*core.Placed)
		has    bool // the row has what was placed
		done   bool
	}{
		"as it was":                       {func(*core.Placed) {}, true, true},
		"a row that is gone":              {func(p *core.Placed) { p.Rows[0].Key.URL++ }, false, true},
		"a row that was settled again":    {func(p *core.Placed) { p.Rows[0].Was = crawler.Failed }, false, true},
		"a row that has another body now": {func(p *core.Placed) { p.Rows[0].Digest = schedulertest.DigestOf("other") }, false, true},
		"names that were changed since":   {func(p *core.Placed) { p.Done[0].Version++ }, true, false},
		"names that nobody looks at":      {func(p *core.Placed) { p.Done[0].Key.URL++ }, true, false},
	} {
		inBubble(t, name, func(t *testing.T) {
			d := newNameDesk(t, crawler.NameRule{})
			d.lines(a + " n")
			d.fetch(nil)
			r := d.row(a)
			p := placedEvent{&core.Placed{
				Rows: []core.PlacedRow{{Key: r.Key(), Was: r.Outcome, Digest: r.Digest, File: crawler.Locator{File: "files/z", Length: 3}}},
				Done: []crawler.Unplaced{{Key: r.Key(), Version: d.names.ToPlace[r.Key()]}},
			}, make(chan struct{})}
			tt.change(p.placed)
			d.step(gathered{placed: []placedEvent{p}})
			select {
			case <-p.reply:
			default:
				t.Error("nobody hears that it is durable")
			}
			if has, done := d.row(a).Archive.File == "files/z", len(d.names.ToPlace) == 0; has != tt.has || done != tt.done {
				t.Errorf("has it %v, done with %v; want %v and %v", has, done, tt.has, tt.done)
			}
		})
	}
}

func TestTroubleWithTheDiskIsTriedAgain(t *testing.T) {
	const a, b = "http://a.test/f", "http://b.test/f"
	trouble := errors.New("disk full")
	for name, leads := range map[string]map[string]string{"a body": nil, "a line that was redirected": {a: b}} {
		inBubble(t, name, func(t *testing.T) {
			d := newNameDesk(t, crawler.NameRule{})
			d.lines(a+" n", a+" m")
			d.fetch(leads)
			for _, where := range []*error{&d.bodies.broken, &d.names.Broken} {
				*where = trouble
				d.arrive(a, b)
				if err := d.place(); !errors.Is(err, trouble) {
					t.Errorf("it says %v", err)
				}
				*where = nil
				if len(d.names.ToPlace) == 0 || d.row(a).Reason != "" {
					t.Fatalf("given up: %v, %+v", d.names.ToPlace, d.row(a))
				}
				d.s.placing.rescan()
			}
			if err := d.place(); err != nil || len(d.bodies.files) != 2 || len(d.names.ToPlace) != 0 {
				t.Errorf("%v, %v", err, d.files())
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		d := newNameDesk(t, crawler.NameRule{})
		d.lines(a + " n")
		d.fetch(nil)
		var steps []string
		d.s.o.Fault = func(step string) { steps = append(steps, step) }
		d.bodies.there[crawler.BodyName(mustURL(a), schedulertest.DigestOf(a))] = true
		d.bodies.broken = trouble
		go d.s.Run(t.Context())
		time.Sleep(placeAgain - time.Millisecond)
		if synctest.Wait(); d.s.Placed() || d.bodies.synced != 0 {
			t.Errorf("placed %v, %d syncs", d.s.Placed(), d.bodies.synced)
		}
		d.bodies.Lock()
		d.bodies.broken = nil
		d.bodies.Unlock()
		time.Sleep(2 * time.Millisecond)
		if synctest.Wait(); !d.s.Placed() || d.bodies.synced != 1 || !slices.Equal(d.files(), []string{"n " + a}) || !slices.Contains(steps, "place") {
			t.Errorf("placed %v, %d syncs, %v, %v", d.s.Placed(), d.bodies.synced, d.files(), steps)
		}
	})
}
