package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage/archive"
	"trawl/storage/ledger"
	"trawl/storage/storagetest"
)

// kept is a ledger with an archive, to be proved.
type kept struct {
	t      *testing.T
	dir    string
	ledger *ledger.Ledger
	job    crawler.Job
	next   uint64
	gone   []string // keys of what Gone told
	robots []string
}

func newKept(t *testing.T, bodies crawler.ArchiveKind) *kept {
	l, err := ledger.Open("ledger", ledger.Options{FS: vfs.NewMem(), CacheBytes: 4 << 20, MemtableBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	k := &kept{t: t, dir: t.TempDir(), ledger: l, job: crawler.NewJob(crawler.Crawl)}
	k.job.Archive = bodies
	return k
}

// warcOf writes WARC files, in the name of f1 where no other is given.
func warcOf(t *testing.T, dir string, o archive.WARCOptions) *archive.WARC {
	t.Helper()
	if o.Prefix == "" {
		o.Prefix = "f1"
	}
	w, err := archive.NewWARC(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// row adds a row whose record lies at the locator.
func (k *kept) row(url string, l crawler.Locator, change func(*crawler.Row)) *crawler.Row {
	k.t.Helper()
	k.next++
	r := &crawler.Row{Result: crawler.Result{URL: weburl.MustParse(url), Outcome: crawler.Fetched, Archive: l, Digest: storagetest.Digest(url)}, Sequence: k.next, Fetcher: "f1"}
	if change != nil {
		change(r)
	}
	storagetest.Commit(k.t, k.ledger, &crawler.Changes{Rows: []crawler.RowChange{{New: r}}, Sequence: k.next})
	return r
}

// warc writes WARC files into the directory.
func (k *kept) warc(o archive.WARCOptions) *archive.WARC { return warcOf(k.t, k.dir, o) }

// put stores a body that is the URL itself.
func (k *kept) put(w *archive.WARC, url string) crawler.Locator {
	k.t.Helper()
	return storagetest.Put(k.t, w, storagetest.Exchange(url, url))
}

func (k *kept) verify() Balance {
	k.t.Helper()
	k.gone, k.robots = nil, nil
	b, err := Archive(k.t.Context(), k.dir, k.ledger, Options{
		Job: &k.job, Local: "f1",
		Gone: func(u weburl.URLKey) {
			rows, err := k.ledger.Rows([]weburl.URLKey{u})
			if err != nil || rows[0] == nil {
				k.t.Fatalf("told of the unknown row %v (%v)", u, err)
			}
			k.gone = append(k.gone, rows[0].URL.Path())
		},
		GoneRobots: func(h weburl.Host, scheme string) { k.robots = append(k.robots, scheme+"://"+string(h)) },
	})
	if err != nil {
		k.t.Fatal(err)
	}
	slices.Sort(k.gone)
	return b
}

// want is the one difference that must be told, of the row with the path.
func (k *kept) want(b *Balance, path, text string) {
	k.t.Helper()
	if len(b.Differences) != 1 || !strings.Contains(b.Differences[0], text) || strings.Contains(b.Differences[0], "\n") || b.OK() {
		k.t.Errorf("differences %q, want one with %q", b.Differences, text)
	}
	if fmt.Sprint(k.gone) != "["+path+"]" {
		k.t.Errorf("gone are %v, want %s", k.gone, path)
	}
}

// archived has 30 pages in WARC files of fetcher f1, closed.
func archived(t *testing.T, o archive.WARCOptions) (*kept, []*crawler.Row) {
	k := newKept(t, crawler.ArchiveWARC)
	w := k.warc(o)
	var rows []*crawler.Row
	for i := range 30 {
		url := fmt.Sprintf("http://h%d.test/%d", i%3, i)
		rows = append(rows, k.row(url, k.put(w, url), nil))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return k, rows
}

// alter changes a stored file.
func alter(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil { // it may be read-only
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o400); err != nil {
		t.Fatal(err)
	}
}

func TestAWholeArchiveIsProved(t *testing.T) {
	for name, o := range map[string]archive.WARCOptions{"one file": {}, "many files": {MaxSize: 4 << 10}, "plain records": {Compress: crawler.CompressNone}} {
		t.Run(name, func(t *testing.T) {
			k, _ := archived(t, o)
			b := k.verify()
			if !b.OK() || b.Pointers != 30 || b.Verified != 30 || len(b.Notes)+len(k.gone) > 0 {
				t.Errorf("%+v", b)
			}
			if b.Orphans[OrphanRequest] != 30 || b.Orphans[OrphanInfo] != b.Files || len(b.Orphans) != 2 {
				t.Errorf("%v orphans in %d files", b.Orphans, b.Files)
			}
		})
	}
}

func TestEachWayToLoseARecordIsFound(t *testing.T) {
	t.Run("its file is gone", func(t *testing.T) {
		k, rows := archived(t, archive.WARCOptions{MaxSize: 1})
		if err := os.Remove(filepath.Join(k.dir, rows[7].Archive.File)); err != nil {
			t.Fatal(err)
		}
		b := k.verify()
		k.want(&b, "/7", "row of http://h1.test/7: "+rows[7].Archive.File+" is not there")
	})
	t.Run("another digest", func(t *testing.T) {
		k, _ := archived(t, archive.WARCOptions{})
		w := k.warc(archive.WARCOptions{})
		k.row("http://h0.test/x", k.put(w, "http://h0.test/x"), func(r *crawler.Row) { r.Digest = storagetest.Digest("another") })
		b := k.verify()
		k.want(&b, "/x", archive.ErrDigest.Error())
	})
	t.Run("a record of another URL", func(t *testing.T) {
		k, rows := archived(t, archive.WARCOptions{})
		k.row("http://h0.test/x", rows[3].Archive, func(r *crawler.Row) { r.Digest = rows[3].Digest })
		b := k.verify()
		k.want(&b, "/x", `is that of "http://h0.test/3"`)
	})
	t.Run("no record begins there", func(t *testing.T) {
		k, rows := archived(t, archive.WARCOptions{})
		l := rows[3].Archive
		l.Offset++
		k.row("http://h0.test/x", l, nil)
		b := k.verify()
		k.want(&b, "/x", "no record begins at byte")
	})
	t.Run("the file ends before it", func(t *testing.T) {
		k, rows := archived(t, archive.WARCOptions{})
		l := rows[3].Archive
		l.Offset += 1 << 20
		k.row("http://h0.test/x", l, nil)
		b := k.verify()
		k.want(&b, "/x", "the file ends before it")
	})
	t.Run("another length", func(t *testing.T) {
		k, rows := archived(t, archive.WARCOptions{})
		storagetest.Commit(t, k.ledger, &crawler.Changes{Rows: []crawler.RowChange{{Old: rows[3], New: func() *crawler.Row {
			r := *rows[3]
			r.Archive.Length--
			return &r
		}()}}})
		b := k.verify()
		k.want(&b, "/3", "the row says")
	})
	t.Run("a byte that changed in the middle of a file costs its record alone", func(t *testing.T) {
		for _, compress := range []crawler.Compression{crawler.CompressGzip, crawler.CompressNone} {
			k, rows := archived(t, archive.WARCOptions{Compress: compress})
			at := rows[9].Archive
			alter(t, filepath.Join(k.dir, at.File), func(b []byte) []byte {
				b[at.Offset+at.Length-20] ^= 0x55
				return b
			})
			b := k.verify()
			if b.Verified != 29 {
				t.Errorf("%s: %d records verified", compress, b.Verified)
			}
			k.want(&b, "/9", "row of http://h0.test/9: ")
		}
	})
	t.Run("a row that was fetched names no record", func(t *testing.T) {
		k, _ := archived(t, archive.WARCOptions{})
		k.row("http://h0.test/x", crawler.Locator{}, nil)
		b := k.verify()
		k.want(&b, "/x", "names no record, though `archive` is warc")
	})
	t.Run("a name that leads out of the directory", func(t *testing.T) {
		for _, name := range []string{"../x.warc.gz", "/etc/passwd", "files/../../x", "ledger/LOCK"} {
			k := newKept(t, crawler.ArchiveNone)
			k.row("http://h0.test/x", crawler.Locator{File: name, Length: 1}, nil)
			if b := k.verify(); len(b.Differences) != 1 || b.Verified != 0 {
				t.Errorf("%s: %+v", name, b)
			}
		}
	})
}

func TestARowWithoutARecordIsFineWhereNoneIsKept(t *testing.T) {
	k := newKept(t, crawler.ArchiveNone)
	k.row("http://h0.test/x", crawler.Locator{}, nil)
	if b := k.verify(); !b.OK() {
		t.Errorf("%+v", b)
	}
}

func TestACutBodyIsProvedUpToWhereItWasCut(t *testing.T) {
	k := newKept(t, crawler.ArchiveWARC)
	w := k.warc(archive.WARCOptions{})
	x := storagetest.Coded(t, "http://h0.test/cut", "gzip", strings.Repeat("body ", 1000))
	k.row("http://h0.test/cut", storagetest.Put(t, w, x), func(r *crawler.Row) {
		r.Truncated, r.Bytes, r.Digest = true, 100, storagetest.Digest(strings.Repeat("body ", 20))
	})
	if b := k.verify(); !b.OK() || b.Verified != 1 {
		t.Errorf("%+v", b)
	}
}

func TestWhatIsOnItsWayIsToldApart(t *testing.T) {
	k := newKept(t, crawler.ArchiveWARC)
	far := t.TempDir()
	w := warcOf(t, far, archive.WARCOptions{Prefix: "far"})
	var sent *crawler.Row
	for i := range 4 {
		url := fmt.Sprintf("http://a.test/%d", i)
		sent = k.row(url, k.put(w, url), func(r *crawler.Row) { r.Fetcher = "far" })
	}
	k.row("http://a.test/file", crawler.Locator{File: "files/a.test/file", Length: 4}, func(r *crawler.Row) { r.Fetcher = "near" })
	b := k.verify()
	if want := map[string]int64{"far": 4, "near": 1}; b.OK() || len(b.Differences) > 0 || !maps.Equal(b.Shipping, want) || len(k.gone) != 5 {
		t.Errorf("nothing has arrived: %+v, gone %v", b, k.gone)
	}

	// A part has arrived; the file is writable while it grows.
	storagetest.Sync(t, w)
	name := sent.Archive.File
	whole, err := os.ReadFile(filepath.Join(far, name))
	if err != nil {
		t.Fatal(err)
	}
	third, found, err := k.ledger.Row(weburl.MustParse("http://a.test/2"))
	if err != nil || !found {
		t.Fatal(err)
	}
	d, err := archive.NewDepot(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Append(t.Context(), name, 0, strings.NewReader(string(whole)), third.Archive.Offset+50); err != nil {
		t.Fatal(err)
	}
	b = k.verify()
	if want := map[string]int64{"far": 2, "near": 1}; b.Verified != 2 || len(b.Differences) > 0 || !maps.Equal(b.Shipping, want) {
		t.Errorf("a part has arrived: %+v", b)
	}

	// All of it has.
	if err := d.Append(t.Context(), name, third.Archive.Offset+50, strings.NewReader(string(whole[third.Archive.Offset+50:])), int64(len(whole))-third.Archive.Offset-50); err != nil {
		t.Fatal(err)
	}
	placed := filepath.Join(k.dir, "files/a.test/file")
	if err := errors.Join(os.MkdirAll(filepath.Dir(placed), 0o777), os.WriteFile(placed, []byte("http://a.test/file"), 0o666)); err != nil {
		t.Fatal(err)
	}
	b = k.verify()
	k.want(&b, "/file", "file has 18 bytes, the row says 4")
	if b.Verified != 4 || len(b.Shipping) > 0 {
		t.Errorf("all of it has arrived: %+v", b)
	}
}

func TestTheTornEndOfAKilledFetcherHarmsNoRow(t *testing.T) {
	k := newKept(t, crawler.ArchiveWARC)
	w := k.warc(archive.WARCOptions{})
	k.row("http://a.test/1", k.put(w, "http://a.test/1"), nil)
	lost := k.put(w, "http://a.test/2") // settled by nobody
	storagetest.Sync(t, w)
	if err := os.Truncate(filepath.Join(k.dir, lost.File), lost.Offset+lost.Length-3); err != nil {
		t.Fatal(err)
	}
	b := k.verify()
	if !b.OK() || b.Verified != 1 || len(b.Notes) != 1 || !strings.Contains(b.Notes[0], "torn") {
		t.Errorf("%+v", b)
	}
}

func TestOrphansAreExplainedByKind(t *testing.T) {
	k := newKept(t, crawler.ArchiveWARC)
	w := k.warc(archive.WARCOptions{})
	k.put(w, "http://a.test/again")
	k.row("http://a.test/again", k.put(w, "http://a.test/again"), nil)
	k.put(w, "http://a.test/unsettled")
	k.row("http://a.test/unsettled", crawler.Locator{}, func(r *crawler.Row) { r.Outcome = crawler.Waiting })
	k.put(w, "http://a.test/robots.txt")
	k.put(w, "http://b.test/elsewhere")
	if err := os.MkdirAll(filepath.Join(k.dir, "files/a.test"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(k.dir, "files/a.test/left"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	b := k.verify()
	want := map[Orphan]int64{OrphanInfo: 1, OrphanRequest: 5, OrphanRepeated: 1, OrphanUnsettled: 1, OrphanRobots: 1, OrphanUnknown: 1, OrphanFile: 1}
	if !b.OK() || !maps.Equal(b.Orphans, want) {
		t.Errorf("orphans %v, want %v", b.Orphans, want)
	}
}

func TestRobotsFilesPointToRecordsToo(t *testing.T) {
	k := newKept(t, crawler.ArchiveWARC)
	w := k.warc(archive.WARCOptions{})
	l := k.put(w, "http://a.test/robots.txt")
	robots := func(l crawler.Locator) {
		storagetest.Commit(t, k.ledger, &crawler.Changes{
			Hosts:  []crawler.HostChange{{New: &crawler.HostState{Host: "a.test"}}},
			Robots: []crawler.RobotsChange{{Host: "a.test", File: crawler.HostRobots{RobotsFile: crawler.RobotsFile{Scheme: "https", Status: crawler.RobotsRules, Archive: l}}}},
		})
	}
	robots(l)
	if b := k.verify(); !b.OK() || b.Robots != 1 || b.Verified != 1 || b.Orphans[OrphanRobots] != 0 {
		t.Errorf("%+v", b)
	}
	l.Offset--
	robots(l)
	b := k.verify()
	if len(b.Differences) != 1 || !strings.HasPrefix(b.Differences[0], "robots.txt (https) of host a.test: ") || fmt.Sprint(k.robots) != "[https://a.test]" || len(k.gone) > 0 {
		t.Errorf("%+v, robots %v, rows %v", b, k.robots, k.gone)
	}
}

func TestPlainFilesAreProved(t *testing.T) {
	k := newKept(t, crawler.ArchiveFiles)
	f, err := archive.NewFiles(k.dir, archive.FilesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []*crawler.Row
	for _, url := range []string{"http://a.test/x", "http://a.test/y/x", "http://a.test/z"} {
		l := storagetest.Put(t, f, storagetest.Exchange(url, url))
		l.File = "files/" + crawler.FileName(weburl.MustParse(url)) // as it is settled
		rows = append(rows, k.row(url, l, nil))
	}
	storagetest.Sync(t, f)
	if b := k.verify(); !b.OK() || b.Verified != 3 || b.Unnamed != 3 {
		t.Errorf("before they have their names: %+v", b)
	}
	bodies, err := archive.NewBodies(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer bodies.Close()
	for _, r := range rows {
		if err := bodies.Place(t.Context(), r.URL, r.Digest, r.Archive.Length, r.Archive.File); err != nil {
			t.Fatal(err)
		}
	}
	if b := k.verify(); !b.OK() || b.Verified != 3 || b.Unnamed != 0 || len(b.Orphans) > 0 {
		t.Errorf("%+v", b)
	}
	alter(t, filepath.Join(k.dir, rows[2].Archive.File), func(b []byte) []byte { b[0]++; return b })
	b := k.verify()
	k.want(&b, "/z", archive.ErrDigest.Error())
	if err := os.Remove(filepath.Join(k.dir, rows[2].Archive.File)); err != nil {
		t.Fatal(err)
	}
	b = k.verify()
	k.want(&b, "/z", "files/a.test/z is not there")
}

func TestTheCheckEndsWithItsContext(t *testing.T) {
	k, _ := archived(t, archive.WARCOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Archive(ctx, k.dir, k.ledger, Options{}); err == nil {
		t.Error("no error")
	}
}
