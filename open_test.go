package trawl_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"trawl"
	"trawl/cluster/control"
	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/internal/webfarm"
	"trawl/internal/webfarm/webfarmtest"
	"trawl/storage"
	"trawl/storage/export"
)

// open opens a target until the test ends.
func open(t *testing.T, target string) trawl.Target {
	t.Helper()
	at, err := trawl.Open(t.Context(), target, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(at.Close)
	return at
}

// answers are what a job says of itself, whoever is asked.
type answers struct {
	status  crawler.Status
	row     crawler.Outcome
	export  string
	backups int // rows
}

// ask asks a target for all that can be asked in either state.
func ask(t *testing.T, at trawl.Target, u weburl.URL) (a answers) {
	t.Helper()
	var err error
	if a.status, err = at.Status(t.Context()); err != nil {
		t.Errorf("status: %v", err)
	}
	e, err := at.Explain(t.Context(), u)
	if err != nil || e.Row == nil {
		t.Fatalf("explain: %+v, %v", e, err)
	}
	if a.row, err = crawler.ParseOutcome(e.Row.Outcome); err != nil {
		t.Error(err)
	}
	var rows bytes.Buffer
	n, err := at.Export(t.Context(), &rows, trawl.ExportQuery{Format: export.CSV, Filter: trawl.Filter{Hosts: []weburl.Host{u.Host()}}})
	if a.export = rows.String(); err != nil || int64(strings.Count(a.export, "\n")) != n+1 {
		t.Errorf("export: %d rows, %v:\n%s", n, err, a.export)
	}
	info, err := trawl.Backup(t.Context(), at, filepath.Join(t.TempDir(), "b"))
	if a.backups = int(info.Rows); err != nil {
		t.Errorf("backup: %v", err)
	}
	return a
}

func TestAJobAnswersAlikeWhetherItRunsOrRests(t *testing.T) {
	f := webfarmtest.Start(t, webfarm.Options{Hosts: 2, PagesPerHost: 5})
	dir := t.TempDir()
	c, err := trawl.New(farmJob(), trawl.Options{Dir: dir, Stay: true, Seeds: trawl.ReadSeeds(f.Seeds()[:1], nil), Logger: testLogger(t, 0)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-c.Seeded()
	u, err := weburl.Parse(f.Seeds()[0])
	if err != nil {
		t.Fatal(err)
	}

	at := open(t, dir)
	if added, err := at.Add(ctx, strings.NewReader(f.Seeds()[1]+"\n")); err != nil || added.New != 1 {
		t.Errorf("%+v, %v", added, err)
	}
	until(t, func() bool { s := c.Status(); return s.Fetched > 1 && s.Waiting+s.Leased == 0 })
	pause := true
	if err := at.Change(ctx, crawler.Change{Pause: &pause}); err != nil {
		t.Error(err)
	}
	if _, err := at.Check(ctx, false); !errors.Is(err, storage.ErrInUse) || !strings.Contains(err.Error(), "trawl stop "+dir) {
		t.Errorf("the check of a running job: %v", err)
	}
	running := ask(t, at, u)
	if err := at.Stop(ctx); err != nil {
		t.Error(err)
	}
	if err := errors.Join(<-ended, c.Close()); err != nil {
		t.Fatal(err)
	}

	at = open(t, dir)
	for what, err := range map[string]error{
		"change": at.Change(t.Context(), crawler.Change{Pause: &pause}), "stop": at.Stop(t.Context()), "add": errorOf(at.Add(t.Context(), strings.NewReader(""))),
	} {
		if !errors.Is(err, control.ErrNotRunning) {
			t.Errorf("%s of a job at rest: %v", what, err)
		}
	}
	if report, err := at.Check(t.Context(), false); err != nil || !report.OK {
		t.Errorf("%+v, %v", report, err)
	}
	atRest := ask(t, at, u)
	if running.status.State != "paused" || atRest.status.State == "paused" || running.status.Seen != atRest.status.Seen || running.status.Bytes != atRest.status.Bytes {
		t.Errorf("running it says\n%+v, at rest\n%+v", running.status, atRest.status)
	}
	running.status, atRest.status = crawler.Status{}, crawler.Status{}
	if running.row != crawler.Fetched || running.row != atRest.row || running.export != atRest.export || running.backups != atRest.backups {
		t.Errorf("running it says\n%+v, at rest\n%+v", running, atRest)
	}
}

func errorOf[T any](_ T, err error) error { return err }

func TestATargetIsADirectoryOrAnAddress(t *testing.T) {
	for _, target := range []string{filepath.Join(t.TempDir(), "gone"), "localhost", "localhost:", ":7948"} {
		if _, err := trawl.Open(t.Context(), target, nil); !errors.Is(err, trawl.ErrUsage) {
			t.Errorf("%s: %v", target, err)
		}
	}
	_, err := open(t, "127.0.0.1:1").Status(t.Context())
	if !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err := open(t, t.TempDir()).Status(t.Context()); !errors.Is(err, trawl.ErrUsage) {
		t.Errorf("an empty directory: %v", err)
	}
}
