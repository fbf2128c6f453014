package fetcher

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/download"
	"trawl/fetcher/fetchertest"
)

func TestOptionsSayEverythingThatIsMissing(t *testing.T) {
	_, err := New(Options{Workers: -1})
	for _, want := range []string{"Name", "Workers", "Tasks", "Scheduler", "Reports", "Archive", "SpoolDir"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named in: %v", want, err)
		}
	}
}

func TestRunWaitsForASchedulerThatAnswers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.notice = func() (crawler.JobNotice, error) {
			if time.Since(w.began) < 20*time.Second {
				return crawler.JobNotice{}, fetchertest.ErrTest
			}
			return crawler.JobNotice{Job: w.job, Life: testLife}, nil
		}
		w.task(pages(1)...)
		w.turn(time.Minute)
		if e := w.happened("take"); len(e) != 1 || e[0].at < 20*time.Second {
			t.Errorf("taken: %v", e)
		}
	})
}

func TestRunEndsWhenTheJobIsOver(t *testing.T) {
	never := func() bool { return false }
	t.Run("by an answer", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.answer = func(int, crawler.Ask) (crawler.Answer, error) { return crawler.Answer{Verdict: crawler.Over}, nil }
			w.task(pages(1)...)
			if err := w.run(time.Minute, never); err != nil || w.words("ack") != "ack" {
				t.Errorf("Run: %v, %s", err, w.words("ack"))
			}
		})
	})
	t.Run("by the notice, before and after the start", func(t *testing.T) {
		for _, after := range []time.Duration{0, 3 * time.Second} {
			inWorld(t, func(t *testing.T, w *world) {
				w.notice = func() (crawler.JobNotice, error) {
					return crawler.JobNotice{Job: w.job, Life: testLife, Done: time.Since(w.began) >= after}, nil
				}
				if err := w.run(time.Minute, never); err != nil {
					t.Errorf("done after %v: %v", after, err)
				}
			})
		}
	})
	t.Run("not when it stays for the next one", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			over := func() bool { s := time.Since(w.began); return s > 15*time.Second && s < 50*time.Second }
			w.notice = func() (crawler.JobNotice, error) {
				return crawler.JobNotice{Job: w.job, Life: testLife, Done: over()}, nil
			}
			f := w.fetcher(func(o *Options) { o.Stay = true })
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
			defer stop()
			go func() {
				pause(ctx, 30*time.Second)
				w.task(pages(1)...)
			}()
			if err := f.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Run: %v", err)
			}
			if e := w.happened("take"); len(e) != 1 || e[0].at < 50*time.Second {
				t.Errorf("taken: %v", e)
			}
			if len(w.results()) != 1 {
				t.Error("the next job was not worked on")
			}
		})
	})
}

func TestLookReadsTheNoticeAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.notice = func() (crawler.JobNotice, error) {
			return crawler.JobNotice{Job: w.job, Life: testLife, Done: time.Since(w.began) >= 2*time.Second}, nil
		}
		f := w.fetcher(nil)
		go func() {
			pause(t.Context(), 2*time.Second)
			f.Look()
		}()
		if err := f.Run(t.Context()); err != nil || time.Since(w.began) != 2*time.Second {
			t.Errorf("Run: %v after %v", err, time.Since(w.began))
		}
	})
}

func TestRunEndsWhenTheTaskQueueFailsForGood(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.task(pages(3)...)
		close(w.tasks)
		err := w.run(time.Minute, func() bool { return false })
		if err == nil || !strings.Contains(err.Error(), "the queue is gone") {
			t.Errorf("Run: %v", err)
		}
		if len(w.results()) != 3 {
			t.Error("the turn under way was not finished")
		}
	})
}

func TestKillStopsEverythingAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.took = 10 * time.Second
		kill, killed := context.WithCancel(t.Context())
		f := w.fetcher(func(o *Options) { o.Kill = kill })
		w.task(pages(3)...)
		go func() {
			pause(t.Context(), 3*time.Second)
			killed()
		}()
		if err := f.Run(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		if time.Since(w.began) != 3*time.Second || len(w.happened("send")) > 0 {
			t.Errorf("ended at %v, sent %s", time.Since(w.began), w.words("send"))
		}
	})
}

func TestTaskIsTakenOnlyIntoAFreeSlot(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.job.Delay, w.took = 0, 5*time.Second
		for i := range 10 {
			w.offer(crawler.Task{Turn: crawler.TurnID{byte(i + 1)}, Host: "a.test", URLs: []crawler.TaskURL{{URL: fetchertest.MustURL(t, pages(10)[i])}}})
		}
		f := w.fetcher(func(o *Options) { o.Workers = 3 })
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- f.Run(ctx) }()
		pause(ctx, time.Second)
		if f.Slots() != 3 || f.Busy() != 3 || len(w.happened("take")) != 3 {
			t.Errorf("%d slots, %d busy, %d taken", f.Slots(), f.Busy(), len(w.happened("take")))
		}
		<-ended
		if f.Busy() != 0 || f.Pages() != 10 || w.mostFly != 3 {
			t.Errorf("%d busy, %d pages, %d at once", f.Busy(), f.Pages(), w.mostFly)
		}
	})
}

// sentLinks lists the links that were sent.
func (w *world) sentLinks() string {
	var out []string
	for _, p := range w.sentParts() {
		for _, l := range p.Links {
			for _, link := range l.Links {
				out = append(out, link.URL.String())
			}
		}
	}
	return strings.Join(out, " ")
}

func TestLinksAreCutByTheScopeAsItIsNow(t *testing.T) {
	seed := fetchertest.MustURL(t, "http://a.test/")
	found := func(_ context.Context, u download.Page) download.Finding {
		return download.Finding{Links: []crawler.Link{{URL: fetchertest.MustURL(t, u.URL.String()+"x")}, {URL: fetchertest.MustURL(t, "http://b.test"+u.URL.Path())}}}
	}
	scoped := func(w *world, epoch uint64, seeds ...weburl.URL) crawler.JobNotice {
		n := crawler.JobNotice{Job: w.job, Life: testLife, ScopeEpoch: epoch, ScopeWhole: true}
		s, err := crawler.NewScope(&w.job)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range seeds {
			n.ScopeKeys = append(n.ScopeKeys, s.SeedOf(u).Key())
		}
		return n
	}
	withEpoch := func(w *world, epoch func(n int) uint64) {
		w.answer = func(n int, _ crawler.Ask) (crawler.Answer, error) {
			a := w.grant()
			a.ScopeEpoch = epoch(n)
			return a, nil
		}
	}
	t.Run("when the copy is whole", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.page = found
			w.notice = func() (crawler.JobNotice, error) { return scoped(w, 1, seed), nil }
			withEpoch(w, func(int) uint64 { return 1 })
			w.task(pages(1)...)
			w.turn(time.Minute)
			if got := w.sentLinks(); got != "http://a.test/0x" || len(w.happened("notice")) != 1 {
				t.Errorf("sent %s, after %s", got, w.words("notice"))
			}
			if d := w.sentParts()[0].State.Dropped; len(d) != 1 || d[crawler.DropScope] != 1 {
				t.Errorf("tally %v", d)
			}
		})
	})
	t.Run("not when it is not whole", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.page = found
			w.task(pages(1)...)
			w.turn(time.Minute)
			if got := w.sentLinks(); got != "http://a.test/0x http://b.test/0" {
				t.Errorf("sent %s", got)
			}
		})
	})
	t.Run("after it was read again", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.page = found
			opened := func() bool { return time.Since(w.began) >= 5*time.Second }
			w.notice = func() (crawler.JobNotice, error) {
				if opened() {
					return scoped(w, 2, seed, fetchertest.MustURL(t, "http://b.test/")), nil
				}
				return scoped(w, 1, seed), nil
			}
			withEpoch(w, func(n int) uint64 { return uint64(min(n, 2)) })
			w.task(pages(7)...)
			w.turn(time.Minute)
			if got := w.sentLinks(); strings.Contains(got, "b.test/4") || !strings.Contains(got, "b.test/5") {
				t.Errorf("sent %s", got)
			}
		})
	})
	t.Run("not while it cannot be read again", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.page = found
			w.notice = func() (crawler.JobNotice, error) {
				if time.Since(w.began) > 0 {
					return crawler.JobNotice{}, fetchertest.ErrTest
				}
				return scoped(w, 1, seed), nil
			}
			w.answer = func(int, crawler.Ask) (crawler.Answer, error) {
				pause(t.Context(), time.Millisecond)
				a := w.grant()
				a.ScopeEpoch = 2
				return a, nil
			}
			w.task(pages(1)...)
			w.turn(time.Minute)
			if got := w.sentLinks(); got != "http://a.test/0x http://b.test/0" {
				t.Errorf("sent %s", got)
			}
		})
	})
}

func TestTargetOfARedirectIsSentWithThePageWhateverTheScope(t *testing.T) {
	for _, kind := range []crawler.Kind{crawler.Crawl, crawler.Download} {
		inWorld(t, func(t *testing.T, w *world) {
			w.job = crawler.NewJob(kind)
			w.job.IgnoreRobots = true
			w.notice = func() (crawler.JobNotice, error) {
				return crawler.JobNotice{Job: w.job, Life: testLife, ScopeWhole: true}, nil
			}
			w.page = func(context.Context, download.Page) download.Finding {
				f := moved(t, "http://b.test/there")
				f.Links = []crawler.Link{{URL: fetchertest.MustURL(t, "http://a.test/link")}}
				return f
			}
			w.task(pages(1)...)
			w.turn(time.Minute)
			if got := w.sentLinks(); got != "http://b.test/there" || w.sentParts()[0].Links[0].Links[0].Kind != crawler.LinkRedirect {
				t.Errorf("%s: sent %s", kind, got)
			}
		})
	}
}
