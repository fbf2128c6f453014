package trawl_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trawl"
	"trawl/cluster/trust"
	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/internal/webfarm"
	"trawl/internal/webfarm/webfarmtest"
)

// What the fetcher stored cannot travel: it looks for the scheduler's control where its gossip is, and does not find it, as
// behind a firewall.
func TestAJobWhoseBodiesDidNotArriveIsNotDone(t *testing.T) {
	t.Parallel()
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 2, PagesPerHost: 5})
	s, dir, store := newStaying(t), t.TempDir(), filepath.Join(t.TempDir(), "f")
	scheduler := s.ending(trawl.Options{Dir: dir, Serve: &trawl.Cluster{Control: "127.0.0.2:0"}, Seeds: trawl.ReadSeeds(f.Seeds(), nil)})
	worker := s.fetcher("f", store, scheduler.at)
	if got := scheduler.done(); got != trawl.Incomplete {
		t.Errorf("the job ended %q, want %q", got, trawl.Incomplete)
	}
	var pointing int64
	for _, r := range kept(t, dir) {
		if r.Archive.File != "" {
			pointing++
		}
	}
	missing := scheduler.crawl.Missing()
	if len(missing) != 1 || missing[0].Fetcher != "f" || missing[0].Files == 0 || missing[0].Rows != pointing || pointing == 0 {
		t.Errorf("missing: %+v, and %d rows point to what f stored", missing, pointing)
	}
	if err := worker.end(); err != nil || !worker.fetcher.Unshipped() {
		t.Errorf("the fetcher ended with %v, and says that it kept files: %v", err, worker.fetcher.Unshipped())
	}

	lost := copyDir(t, dir)
	for name, way := range map[string]struct {
		dir, store string
		repair     bool
	}{
		"the fetcher is started again with its directory": {dir, store, false},
		"what it had is fetched again":                    {lost, filepath.Join(t.TempDir(), "g"), true},
	} {
		if way.repair {
			if _, err := open(t, way.dir).Check(t.Context(), true); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Remove(filepath.Join(way.dir, "members")); err != nil { // the two are not to meet
			t.Fatal(err)
		}
		s.lines, s.secret = &lines{}, newSecret(t)
		scheduler := s.ending(trawl.Options{Dir: way.dir})
		worker := s.fetcher("f", way.store, scheduler.at)
		if got := scheduler.done(); got != trawl.Done || len(scheduler.crawl.Missing()) != 0 {
			t.Errorf("%s: the job ended %q, missing: %+v", name, got, scheduler.crawl.Missing())
		}
		rows := kept(t, way.dir)
		compare(t, name, facts(rows), expected(f, rows))
		verifyRecords(t, way.dir, rows)
		if err := worker.end(); err != nil || worker.fetcher.Unshipped() {
			t.Errorf("%s: the fetcher ended with %v, and says that it kept files: %v", name, err, worker.fetcher.Unshipped())
		}
	}
}

func newSecret(t *testing.T) trust.Secret {
	secret, err := trust.ParseSecret(trust.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// A fetcher that stays and has shipped all is not waited for; the next job finds it at work.
func TestTheEndOfAJobDoesNotWaitForFetchersThatStay(t *testing.T) {
	t.Parallel()
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 4, PagesPerHost: 5})
	s, bind := newStaying(t), freeBind(t)
	var workers []*running
	for i, seeds := range [][]string{f.Seeds()[:2], f.Seeds()[2:]} {
		dir := t.TempDir()
		scheduler := s.ending(trawl.Options{Dir: dir, Serve: &trawl.Cluster{Bind: bind}, Seeds: trawl.ReadSeeds(seeds, nil)})
		if i == 0 {
			for _, name := range []string{"one", "two"} {
				workers = append(workers, s.fetcher(name, filepath.Join(t.TempDir(), name), scheduler.at))
			}
		}
		if got := scheduler.done(); got != trawl.Done {
			t.Errorf("job %d ended %q", i+1, got)
		}
		verifyRecords(t, dir, kept(t, dir))
		if s.lines.have("a fetcher did not leave") {
			t.Fatalf("job %d waited for a fetcher that stays", i+1)
		}
	}
	for _, w := range workers {
		if err := w.end(); err != nil {
			t.Error(err)
		}
	}
}

// Seeds come when the fetcher has begun again: a turn that it took at that moment would be offered again a minute later.
func TestAFetcherKeepsBodiesAsARestartedSchedulerWantsThem(t *testing.T) {
	for name, tt := range map[string]struct {
		archive  crawler.ArchiveKind // at first; then warc
		compress crawler.Compression // then
		ending   string              // of the files then
	}{
		"which wants them now":       {crawler.ArchiveNone, crawler.CompressGzip, ".warc.gz"},
		"which wants another coding": {crawler.ArchiveWARC, crawler.CompressNone, ".warc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := webfarmtest.Start(t, webfarm.Options{Hosts: 2, PagesPerHost: 5})
			s, dir, bind := newStaying(t), t.TempDir(), freeBind(t)
			run := func(seeds ...string) *running {
				return s.scheduler(trawl.Options{Dir: dir, Serve: &trawl.Cluster{Bind: bind}, Seeds: trawl.ReadSeeds(seeds, nil)})
			}
			idle := func(r *running, seeds int64) func() bool {
				return func() bool {
					st := r.crawl.Status()
					return st.Hosts >= seeds && st.Fetched >= seeds && st.Waiting+st.Leased == 0
				}
			}
			s.job.Archive = tt.archive
			first := run(f.Seeds()[0])
			worker := s.fetcher("f", filepath.Join(t.TempDir(), "f"), first.at)
			until(t, idle(first, 1))
			if err := first.end(); err != nil {
				t.Fatal(err)
			}
			before := make(map[weburl.URL]bool)
			for _, r := range kept(t, dir) {
				before[r.URL] = true
			}
			s.job.Archive, s.job.Compress = crawler.ArchiveWARC, tt.compress
			again := run()
			until(t, func() bool { return s.lines.count("working for") == 2 })
			if err := again.end(); err != nil {
				t.Fatal(err)
			}
			again = run(f.Seeds()[1])
			until(t, idle(again, 2))
			for _, r := range []*running{worker, again} {
				if err := r.end(); err != nil {
					t.Error(err)
				}
			}
			rows := kept(t, dir)
			if len(rows) == len(before) {
				t.Error("nothing was fetched after the restart")
			}
			for _, r := range rows {
				if !before[r.URL] && r.Outcome == crawler.Fetched && !strings.HasSuffix(r.Archive.File, tt.ending) {
					t.Errorf("%s is in %q, want a file with the ending %s", r.URL, r.Archive.File, tt.ending)
				}
			}
		})
	}
}
