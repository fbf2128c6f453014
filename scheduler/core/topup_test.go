package core

import (
	"slices"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/scheduler/schedulertest"
)

// holdTurn seeds n URLs of a.test and lets a holder have their first turn, of nine.
func holdTurn(t *testing.T, n int, set func(*crawler.Job)) (*desk, crawler.Task) {
	t.Helper()
	job := schedulertest.Job()
	job.TurnTime = 10 * time.Second
	if set != nil {
		set(&job)
	}
	d := newDesk(t, job, schedulertest.NewLedger())
	d.seed(urlsOf("a.test", n)...)
	task := d.take()
	if a := d.ask(task, 1); a.Verdict != crawler.Granted || len(a.More) > 0 {
		t.Fatalf("grant: %+v", a)
	}
	return d, task
}

// more asks for further URLs, knowing of a part.
func (d *desk) more(task crawler.Task, part int) crawler.Answer {
	d.t.Helper()
	ask := crawler.Ask{Turn: task.Turn, Host: task.Host, Holder: crawler.HolderID{1}, Fetcher: "f", Renewal: true, More: true, Part: part}
	d.step(gathered{asks: []crawler.Ask{ask}})
	return d.answers[0]
}

// fetched reports URLs of a task as fetched, in one part.
func (d *desk) fetched(task crawler.Task, number int, urls []crawler.TaskURL) {
	d.t.Helper()
	d.part(task, 1, number, func(p *crawler.Part) {
		for _, u := range urls {
			p.Results = append(p.Results, schedulertest.Fetched(u.URL.String()))
		}
	})
}

// leased is how many URLs the record of a.test's turn lists.
func (d *desk) leased() int { return len(d.led.Turns["a.test"].URLs) }

func TestARunningTurnIsToppedUp(t *testing.T) {
	inBubble(t, "with as many URLs as make up for those that are settled, listed in its record before the answer leaves", func(t *testing.T) {
		d, task := holdTurn(t, 20, nil)
		if a := d.more(task, 0); !a.Tops || !a.Rest || len(a.More) > 0 || d.leased() != 9 {
			t.Errorf("a turn that has enough: %+v", a)
		}
		d.fetched(task, 1, task.URLs[:8])
		a := d.more(task, 1)
		if len(a.More) != 8 || !a.Tops || !a.Rest || a.Settled != 1 || d.leased() != 9 {
			t.Fatalf("%d more, %d in the record: %+v", len(a.More), d.leased(), a)
		}
		for _, u := range a.More {
			if slices.Contains(task.URLs, u) {
				t.Errorf("%v is leased twice", u.URL)
			}
		}
		d.fetched(task, 2, append(a.More, task.URLs[8]))
		if a := d.more(task, 2); len(a.More) != 3 || a.Rest || d.leased() != 3 {
			t.Errorf("%d more of the last three: %+v", len(a.More), a)
		}
		if got := d.row(task.URLs[8].URL.String()).Outcome; got != crawler.Fetched {
			t.Errorf("a URL of the offer is %v", got)
		}
	})
	inBubble(t, "not with what a part brings that is not committed; the ask for it is not ripe", func(t *testing.T) {
		d, task := holdTurn(t, 20, nil)
		ask := crawler.Ask{Turn: task.Turn, Host: task.Host, Holder: crawler.HolderID{1}, More: true, Part: 1}
		if d.s.core.Ripe(&ask) {
			t.Error("an ask is ripe whose part is on its way")
		}
		if a := d.more(task, 1); len(a.More) > 0 || a.Settled != 0 || !a.Tops {
			t.Errorf("answered all the same: %+v", a)
		}
		d.fetched(task, 1, task.URLs)
		if !d.s.core.Ripe(&ask) {
			t.Error("an ask is not ripe whose part is committed")
		}
		ask.Part, ask.More = 7, false
		if !d.s.core.Ripe(&ask) {
			t.Error("a mere renewal has to wait")
		}
	})
	inBubble(t, "up to what a turn may have at once", func(t *testing.T) {
		d, task := holdTurn(t, crawler.MaxTurnURLs+200, func(j *crawler.Job) { j.TurnTime = time.Hour })
		d.fetched(task, 1, task.URLs[:100])
		if a := d.more(task, 1); len(a.More) != 100 || d.leased() != crawler.MaxTurnURLs {
			t.Errorf("%d more, %d in the record", len(a.More), d.leased())
		}
	})
	inBubble(t, "with links that it has found itself", func(t *testing.T) {
		d, task := holdTurn(t, 1, nil)
		d.part(task, 1, 1, func(p *crawler.Part) {
			p.Results = []crawler.Result{schedulertest.Fetched(task.URLs[0].URL.String())}
			p.Links = []crawler.PageLinks{{Page: task.URLs[0].URL, Links: []crawler.Link{{URL: mustURL("http://a.test/found")}}}}
		})
		if a := d.more(task, 1); len(a.More) != 1 || a.More[0].URL != mustURL("http://a.test/found") || a.More[0].Depth != 1 {
			t.Errorf("%+v", a)
		}
	})
}

func TestWhatATopUpLeasedIsNeverLost(t *testing.T) {
	inBubble(t, "when its answer was: it waits for the end of the turn, and the next turn has it", func(t *testing.T) {
		d, task := holdTurn(t, 12, nil)
		d.fetched(task, 1, task.URLs)
		lost := d.more(task, 1).More
		if len(lost) != 3 {
			t.Fatalf("%d more", len(lost))
		}
		if a := d.more(task, 1); len(a.More) > 0 || a.Rest {
			t.Errorf("leased again: %+v", a)
		}
		d.part(task, 1, 2, func(p *crawler.Part) { p.End = true })
		d.pass(2 * time.Second)
		if next := d.take(); !slices.Equal(next.URLs, lost) {
			t.Errorf("the next turn has %v, want %v", next.URLs, lost)
		}
	})
	inBubble(t, "when its holder was: a lapse gives all of it back", func(t *testing.T) {
		d, task := holdTurn(t, 12, nil)
		d.fetched(task, 1, task.URLs)
		d.more(task, 1)
		d.pass(22 * time.Second)
		if d.led.State.Tallies.Lapses != 1 || d.row("http://a.test/11").Lapses != 1 {
			t.Fatalf("%d lapses", d.led.State.Tallies.Lapses)
		}
		if next := d.take(); len(next.URLs) != 3 {
			t.Errorf("the next turn has %v", next.URLs)
		}
	})
	inBubble(t, "when the scheduler was: its result counts at the next start, and nothing is added to that turn", func(t *testing.T) {
		d, task := holdTurn(t, 20, nil)
		d.fetched(task, 1, task.URLs)
		more := d.more(task, 1).More
		d = newDesk(t, d.s.o.Job, d.led)
		d.fetched(task, 2, more)
		if got := d.row(more[0].URL.String()).Outcome; got != crawler.Fetched || d.led.State.Tallies.LateParts > 0 {
			t.Errorf("outcome %v", got)
		}
		if a := d.more(task, 2); a.Verdict != crawler.Granted || a.Tops || len(a.More) > 0 {
			t.Errorf("%+v", a)
		}
	})
}

func TestATurnIsNotToppedUp(t *testing.T) {
	for name, tt := range map[string]struct {
		job    func(*crawler.Job)
		before func(d *desk) // the ask
		more   int           // that it brings all the same
	}{
		"while another host waits for its slot": {nil, func(d *desk) {
			d.s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 1}})
			d.seed("http://b.test/")
		}, 0},
		"when its fetcher has more turns than others that could have it": {nil, func(d *desk) {
			d.s.SetFetchers([]crawler.FetcherStatus{{Name: "f", Slots: 100}, {Name: "idle", Slots: 100}})
			for _, host := range []string{"b", "c", "d"} {
				d.seed("http://" + host + ".test/")
				d.ask(d.take(), 1)
			}
		}, 0},
		"but when that host has one": {nil, func(d *desk) { d.seed("http://b.test/") }, 8},
		"for longer than a turn may last": {nil, func(d *desk) {
			for range crawler.MaxTurnSpan / (10 * time.Second) {
				d.pass(10 * time.Second)
				d.step(gathered{asks: []crawler.Ask{{Turn: d.led.Turns["a.test"].ID, Host: "a.test", Holder: crawler.HolderID{1}, Fetcher: "f", Renewal: true}}})
			}
		}, 0},
		"when settings changed since its grant": {nil, func(d *desk) {
			time.Sleep(time.Second)
			if refused, err := d.s.change(d.t.Context(), &crawler.Change{Settings: settings("delay", 2*time.Second)}); refused != nil || err != nil {
				d.t.Fatal(refused, err)
			}
		}, 0},
		"when the job is paused": {nil, func(d *desk) {
			pause := true
			if refused, err := d.s.change(d.t.Context(), &crawler.Change{Pause: &pause}); refused != nil || err != nil {
				d.t.Fatal(refused, err)
			}
		}, 0},
		"when the job stops":                   {nil, func(d *desk) { d.s.Stop() }, 0},
		"while nobody takes rows":              {nil, func(d *desk) { d.s.full = true }, 0},
		"beyond the pages of the job":          {func(j *crawler.Job) { j.MaxPages = 11 }, func(*desk) {}, 2},
		"beyond the pages of the host":         {func(j *crawler.Job) { j.MaxPerHost = 12 }, func(*desk) {}, 3},
		"with a URL that is to be alone":       {nil, func(d *desk) { d.lapsed("http://a.test/9", aloneLapses) }, 8},
		"when it has one that is to be alone":  {nil, func(d *desk) { d.s.core.state.turns.Get("a.test").Alone = true }, 0},
		"when it probes a host":                {nil, func(d *desk) { d.s.core.state.turns.Get("a.test").Probe = true }, 0},
		"when a robots.txt of others leads to": {nil, func(d *desk) { d.s.core.state.hosts.Get("a.test").Errands = 1 }, 0},
		"when its own waits for another host":  {nil, func(d *desk) { d.s.core.state.hosts.Get("a.test").RobotsWait = true }, 0},
		"while one URL is asked for at a time": {nil, func(d *desk) { d.s.core.state.job.Careful = 1 }, 0},
	} {
		inBubble(t, name, func(t *testing.T) {
			d, task := holdTurn(t, 20, tt.job)
			d.fetched(task, 1, task.URLs[:min(8, len(task.URLs))])
			tt.before(d)
			a := d.more(task, 1)
			if len(a.More) != tt.more || a.Tops != (tt.more > 0) {
				t.Errorf("%d more, want %d: %+v", len(a.More), tt.more, a)
			}
			for _, u := range a.More {
				if d.row(u.URL.String()).Lapses > 0 {
					t.Errorf("%v is not alone", u.URL)
				}
			}
		})
	}
}

// lapsed makes a row one of a URL that was in so many turns that lapsed.
func (d *desk) lapsed(url string, times int) {
	d.t.Helper()
	st := d.s.newStep()
	k := mustURL(url).Key()
	row := *d.row(url)
	row.Lapses = times
	st.put(d.led.AllRows[k], &row, false)
	if err := d.s.seal(st); err != nil {
		d.t.Fatal(err)
	}
}
