package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"trawl/fetcher/fetchertest"
	"trawl/internal/durable"
)

func testPartials(t testing.TB, dir string) *Partials {
	t.Helper()
	ps, err := NewPartials(dir, slog.New(slog.DiscardHandler), durable.System)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

// keepBody puts a beginning of a body of total bytes aside, as an interrupted exchange does.
func keepBody(t testing.TB, ps *Partials, url string, body []byte, total int64) {
	t.Helper()
	p := ps.Lend(fetchertest.MustURL(t, url))
	p.Begin(Info{ETag: `"v1"`, Total: total})
	f, err := p.create()
	if err != nil {
		t.Fatal(err)
	}
	n, err := f.Write(body)
	if err != nil {
		t.Fatal(err)
	}
	p.Size += int64(n)
	p.Release(true)
}

// found is how many bytes are there to continue.
func foundBytes(t testing.TB, ps *Partials, url string) int64 {
	t.Helper()
	p := ps.Lend(fetchertest.MustURL(t, url))
	p.Load(t.Context(), make([]byte, 100))
	defer p.Release(true)
	return p.Size
}

func TestBodiesPutAsideAreFoundByALaterProcess(t *testing.T) {
	dir := t.TempDir()
	ps := testPartials(t, dir)
	for n := range 3 {
		keepBody(t, ps, fmt.Sprintf("http://a.test/%d", n), fetchertest.Noise(1000*(n+1)), 9000)
	}
	later := testPartials(t, dir)
	for n := range 3 {
		if got := foundBytes(t, later, fmt.Sprintf("http://a.test/%d", n)); got != int64(1000*(n+1)) {
			t.Errorf("%d: found %d bytes", n, got)
		}
	}
	if got := foundBytes(t, later, "http://a.test/other"); got != 0 {
		t.Errorf("of another URL: found %d bytes", got)
	}
}

func TestOfABodyThatIsWholeTheLastByteIsAskedForAgain(t *testing.T) {
	ps := testPartials(t, t.TempDir())
	keepBody(t, ps, "http://a.test/", fetchertest.Noise(1000), 1000)
	for range 2 { // nothing is lost by looking
		if got := foundBytes(t, ps, "http://a.test/"); got != 999 {
			t.Errorf("found %d bytes", got)
		}
	}
}

func TestBytesThatAreNotDurableAreCutOff(t *testing.T) {
	dir := t.TempDir()
	ps := testPartials(t, dir)
	keepBody(t, ps, "http://a.test/", fetchertest.Noise(1000), 9000)
	file := filepath.Join(dir, ps.idle[partialKey("http://a.test/")].File)
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Write(make([]byte, 500)) // came after the last sync
	f.Close()
	later := testPartials(t, dir)
	if got := foundBytes(t, later, "http://a.test/"); got != 1000 {
		t.Errorf("found %d bytes", got)
	}
	if info, err := os.Stat(file); err != nil || info.Size() != 1000 {
		t.Errorf("file of %v, error %v", info, err)
	}
}

func TestABodyHasOnePlaceAtATime(t *testing.T) {
	ps := testPartials(t, t.TempDir())
	keepBody(t, ps, "http://a.test/", fetchertest.Noise(1000), 9000)
	p := ps.Lend(fetchertest.MustURL(t, "http://a.test/"))
	if ps.Lend(fetchertest.MustURL(t, "http://a.test/")) != nil {
		t.Error("lent twice")
	}
	p.Release(true)
	if got := foundBytes(t, ps, "http://a.test/"); got != 1000 {
		t.Errorf("found %d bytes after it was given back", got)
	}
}

func TestASidecarThatMakesNoSenseIsRemovedWithItsBody(t *testing.T) {
	key := partialKey("http://a.test/")
	good := Info{URL: "http://a.test/", File: key + "-x.part", ETag: `"v"`, Total: 9000, Size: 1000, Saved: time.Now()}
	for name, spoil := range map[string]func(*Info){
		"it says more than there is":    func(i *Info) { i.Size = 1001 },
		"it says that there is nothing": func(i *Info) { i.Size = 0 },
		"it names no body":              func(i *Info) { i.File = "" },
		"it names a body of another":    func(i *Info) { i.File = "0-x.part" },
		"it names a file elsewhere":     func(i *Info) { i.File = key + "-/../../x.part" },
		"it is of another URL":          func(i *Info) { i.URL = "http://a.test/2" },
		"it is too old":                 func(i *Info) { i.Saved = time.Now().Add(-partialAge - time.Minute) },
		"its body is gone":              func(i *Info) { i.File = key + "-y.part" },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			info := good
			spoil(&info)
			text, _ := json.Marshal(info)
			write := func(name string, b []byte) {
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(key+".json", text)
			write(good.File, fetchertest.Noise(1000))
			ps := testPartials(t, dir)
			if left := fetchertest.Names(t, dir); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
			if got := foundBytes(t, ps, "http://a.test/"); got != 0 {
				t.Errorf("found %d bytes", got)
			}
		})
	}
}

func TestLeftoversOfAKilledProcessAreRemoved(t *testing.T) {
	dir := t.TempDir()
	ps := testPartials(t, dir)
	keepBody(t, ps, "http://a.test/", fetchertest.Noise(1000), 9000)
	kept := fetchertest.Names(t, dir)
	for _, name := range []string{"1-x.part", partialKey("http://a.test/") + ".json.tmp", "2.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	testPartials(t, dir)
	if left := fetchertest.Names(t, dir); !slices.Equal(left, kept) || len(kept) != 2 {
		t.Errorf("left %v, want %v", left, kept)
	}
}

func TestTheOldestBodiesGoWhenThereAreTooMany(t *testing.T) {
	var log strings.Builder
	dir := t.TempDir()
	ps, err := NewPartials(dir, slog.New(slog.NewTextHandler(&log, nil)), durable.System)
	if err != nil {
		t.Fatal(err)
	}
	ps.bytes = 2500
	for n := range 4 {
		keepBody(t, ps, fmt.Sprintf("http://a.test/%d", n), fetchertest.Noise(1000), 9000)
	}
	for n, want := range []int64{0, 0, 1000, 1000} {
		if got := foundBytes(t, ps, fmt.Sprintf("http://a.test/%d", n)); got != want {
			t.Errorf("%d: found %d bytes, want %d", n, got, want)
		}
	}
	if left := fetchertest.Names(t, dir); len(left) != 4 {
		t.Errorf("left: %v", left)
	}
	if !strings.Contains(log.String(), "http://a.test/0") || !strings.Contains(log.String(), "http://a.test/1") {
		t.Errorf("logged: %s", log.String())
	}
}

func TestABodyIsSyncedAsItComes(t *testing.T) {
	p := &Partial{from: &Partials{Every: partialSync}, Info: Info{Size: 100}, synced: time.Unix(1000, 0)}
	for _, c := range []struct {
		fresh int64
		after time.Duration
		want  bool
	}{
		{partialSync, 0, true},
		{partialSync - 1, 0, false},
		{partialSyncLeast, partialSyncTime, true},
		{partialSyncLeast, partialSyncTime - 1, false},
		{partialSyncLeast - 1, time.Hour, false},
	} {
		p.Size = p.Info.Size + c.fresh
		if got := p.due(p.synced.Add(c.after)); got != c.want {
			t.Errorf("%d bytes, %v: %v", c.fresh, c.after, got)
		}
	}
}

func TestWithoutFilesTheBeginningOfABodyIsKept(t *testing.T) {
	const url = "http://a.test/big"
	ps := testPartials(t, t.TempDir())
	keepBody(t, ps, url, make([]byte, 1000), 5000)
	p := ps.Lend(fetchertest.MustURL(t, url))
	fetchertest.WithoutFiles(t, func() {
		if short := p.Load(t.Context(), make([]byte, 100)); !errors.Is(short, syscall.EMFILE) {
			t.Errorf("load: %v", short)
		}
	})
	p.Release(true)
	if n := foundBytes(t, ps, url); n != 1000 {
		t.Errorf("%d bytes are left", n)
	}
}
