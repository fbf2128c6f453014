package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trawl/cluster"
	"trawl/cluster/gossip"
	"trawl/crawler"
	"trawl/storage/backup"
	"trawl/storage/crawldir"
	"trawl/storage/ledger"
)

func TestWhereBackupsGo(t *testing.T) {
	for to, want := range map[string]string{
		"backups":                     "backups",
		"/var/backups":                "/var/backups",
		"file:///var/backups":         "/var/backups",
		"file://localhost/var":        "/var",
		"https://host.test/b?sig=x":   "https://host.test/b?sig=x",
		"http://me:word@host.test/":   "http://me:word@host.test/",
		"file://other/var":            "",
		"s3://bucket/b":               "",
		"https:///b":                  "",
		"https://me:word@host\x7f/ b": "",
	} {
		dir, at, err := backupPlace(to)
		got := dir
		if at != nil {
			got = at.String()
		}
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v, want %q", to, got, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "word") {
			t.Errorf("%s: the password is told: %v", to, err)
		}
	}
}

func TestTheNameOfABackup(t *testing.T) {
	for dir, want := range map[string]string{"./example.com.trawl": "example-com", "job": "job", "/var/crawls/a b/": "a-b"} {
		if got := backupName(dir); got != want {
			t.Errorf("%s: %s, want %s", dir, got, want)
		}
	}
}

// aCrawl is the directory of a new crawl with its ledger, closed at the end of the test.
func aCrawl(t *testing.T) (*crawldir.Dir, *ledger.Ledger, crawler.LedgerState) {
	t.Helper()
	d, err := crawldir.Open(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	l, err := ledger.Open(d.Ledger(), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s, err := l.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d, l, s
}

// aBackup writes a backup of a new crawl to each of the files, and tells its origin.
func aBackup(t *testing.T, files ...string) crawler.Life {
	t.Helper()
	d, l, s := aCrawl(t)
	for _, f := range files {
		err := backup.WriteFile(t.Context(), f, func(w io.Writer) error {
			_, err := backup.Write(t.Context(), d, w, l, "v1")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s.Origin
}

func TestOnlyTheNewestBackupsOfACrawlStay(t *testing.T) {
	dir := t.TempDir()
	in := func(names ...string) (paths []string) {
		for _, n := range names {
			paths = append(paths, filepath.Join(dir, n))
		}
		return paths
	}
	ours := in("job-20260101T000000Z.trawl-backup", "job-20260102T000000Z.trawl-backup", "job-20260103T000000Z.trawl-backup",
		"job-20260104T000000Z.trawl-backup", "job-20260105T000000Z.trawl-backup", "job-by-hand.trawl-backup")
	origin := aBackup(t, ours...)
	aBackup(t, in("job-20250101T000000Z.trawl-backup", "job-20260106T000000Z.trawl-backup")...) // another crawl's, of that name
	if err := os.WriteFile(filepath.Join(dir, "job-20240101T000000Z.trawl-backup"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &timedBackups{origin: origin, name: "job", dir: dir, remove: os.Remove}
	if err := b.prune(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, strings.TrimSuffix(strings.TrimPrefix(e.Name(), "job-"), backupEnding))
	}
	want := []string{"20240101T000000Z", "20250101T000000Z", "20260103T000000Z", "20260104T000000Z", "20260105T000000Z", "20260106T000000Z", "by-hand"}
	if !slices.Equal(left, want) {
		t.Errorf("left: %v, want %v", left, want)
	}
}

// The copy that was made is good, whatever becomes of the old ones.
func TestABackupThatWasMadeIsNoFailureWhereAnOldOneStays(t *testing.T) {
	d, l, s := aCrawl(t)
	var log bytes.Buffer
	a := &answers{ledger: l, dir: d, copies: make(chan struct{}, backupsAtOnce)}
	refused := 0
	b := &timedBackups{copy: a.Backup, origin: s.Origin, log: slog.New(slog.NewTextHandler(&log, nil)), name: "job", dir: t.TempDir(), remove: func(path string) error {
		refused++
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrPermission}
	}}
	b.last.Store(&newestBackup{})
	for i := range KeepBackups { // the oldest has to go
		old := filepath.Join(b.dir, fmt.Sprintf("job-2026010%dT000000Z.trawl-backup", i+1))
		if err := backup.WriteFile(t.Context(), old, func(w io.Writer) error { return a.Backup(t.Context(), w) }); err != nil {
			t.Fatal(err)
		}
	}
	b.once(t.Context())
	told := b.last.Load()
	if refused != 1 || told.at.IsZero() || told.problem != "" {
		t.Errorf("an old backup stayed (%d), and status says that the newest is of %v: %q", refused, told.at, told.problem)
	}
	if text := log.String(); !strings.Contains(text, "backed up") || !strings.Contains(text, "an old backup could not be removed") || strings.Contains(text, "the backup failed") {
		t.Errorf("logged:\n%s", text)
	}
}

func TestTooManyBackupsAtOnceAreRefused(t *testing.T) {
	a := &answers{copies: make(chan struct{}, backupsAtOnce)}
	for range backupsAtOnce {
		a.copies <- struct{}{}
	}
	if err := a.Backup(context.Background(), io.Discard); err == nil || !strings.Contains(err.Error(), "wait for one to end") {
		t.Errorf("ended with %v", err)
	}
}

func TestSchedulersInForce(t *testing.T) {
	scheduler := func(name string, origin, life byte, restored int64) gossip.Member {
		return gossip.Member{Name: name, Meta: gossip.Meta{Role: cluster.RoleScheduler, Origin: crawler.Life{origin}, Life: crawler.Life{life}, Restored: restored}}
	}
	fetcher := gossip.Member{Name: "fetcher", Meta: gossip.Meta{Role: cluster.RoleFetcher}}
	all := []gossip.Member{
		scheduler("first", 1, 1, 0), scheduler("restored later", 1, 3, 200), scheduler("restored", 1, 2, 100), fetcher,
		scheduler("another crawl's", 4, 4, 0), scheduler("the same life, elsewhere", 1, 3, 200), scheduler("of an older version", 0, 7, 0),
	}
	var names []string
	for _, m := range inForce(all) {
		names = append(names, m.Name)
	}
	want := []string{"restored later", "fetcher", "another crawl's", "the same life, elsewhere", "of an older version"}
	if !slices.Equal(names, want) {
		t.Errorf("in force: %v, want %v", names, want)
	}
}
