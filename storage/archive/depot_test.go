package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/internal/durable/disktest"
	"trawl/storage/storagetest"
)

func openDepot(t testing.TB, dir string) *Depot {
	t.Helper()
	d, err := NewDepot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

const warcName1 = "archive/f1-20260102030405-00001.warc.gz"

// fileName1 is a body's; the depot looks at what is announced, not at the digest in it.
var fileName1 = crawler.BodyName(weburl.MustParse("http://h/a/b.html"), storagetest.Digest("x"))

// upload sends content from where the depot stands, in pieces.
func upload(ctx context.Context, d *Depot, name, content string, piece int) error {
	for {
		at, err := d.Size(ctx, name)
		if err != nil || at >= int64(len(content)) {
			return err
		}
		part := content[at:min(len(content), int(at)+piece)]
		if err := d.Append(ctx, name, at, strings.NewReader(part), int64(len(part))); err != nil {
			return err
		}
	}
}

func deliver(ctx context.Context, d *Depot, name, content string) error {
	if err := upload(ctx, d, name, content, 7); err != nil {
		return err
	}
	return d.Finish(ctx, name, int64(len(content)), storagetest.Digest(content))
}

func TestADeliveredFileLiesUnderItsName(t *testing.T) {
	for _, name := range []string{warcName1, fileName1} {
		for _, content := range []string{"some content of the file", ""} {
			if content == "" && name == warcName1 {
				continue // a WARC file has a warcinfo record at least
			}
			dir := t.TempDir()
			d := openDepot(t, dir)
			for range 2 { // the second time is harmless
				if err := deliver(t.Context(), d, name, content); err != nil {
					t.Fatal(err)
				}
			}
			disktest.WantTree(t, dir, map[string]string{name: content})
			if n, err := d.Size(t.Context(), name); err != nil || n != int64(len(content)) {
				t.Errorf("size %d, %v", n, err)
			}
		}
	}
}

func TestOnlyWARCFilesAreSeenWhileTheyGrow(t *testing.T) {
	dir := t.TempDir()
	d := openDepot(t, dir)
	for _, name := range []string{warcName1, fileName1} {
		if err := d.Append(t.Context(), name, 0, strings.NewReader("half"), 4); err != nil {
			t.Fatal(err)
		}
	}
	files := disktest.Tree(t, dir)
	if files[warcName1] != "half" || files[fileName1] != "" || len(files) != 2 {
		t.Errorf("files: %v", files)
	}
	if err := d.Finish(t.Context(), fileName1, 8, storagetest.Digest("halfhalf")); !errors.Is(err, ErrOffset) {
		t.Errorf("finish of a half: %v", err)
	}
	if n, _ := d.Size(t.Context(), fileName1); n != 4 {
		t.Errorf("a finish too early cost the upload: %d bytes", n)
	}
}

// cutReader ends with an error after some bytes.
func cutReader(s string) io.Reader {
	return io.MultiReader(strings.NewReader(s), &failingReader{})
}

type failingReader struct{}

func (*failingReader) Read([]byte) (int, error) { return 0, errors.New("line is cut") }

func TestACutUploadGoesOnWhereItWas(t *testing.T) {
	const content = "the whole content of the file"
	for _, name := range []string{warcName1, fileName1} {
		dir := t.TempDir()
		d := openDepot(t, dir)
		if err := d.Append(t.Context(), name, 0, strings.NewReader(content[:5]), 5); err != nil {
			t.Fatal(err)
		}
		for _, r := range []io.Reader{cutReader(content[5:9]), strings.NewReader(content[5:9])} {
			if err := d.Append(t.Context(), name, 5, r, 20); err == nil {
				t.Error("a cut upload was taken")
			}
			if n, err := d.Size(t.Context(), name); n != 5 || err != nil {
				t.Errorf("%d bytes after a cut upload, %v", n, err)
			}
		}
		for _, at := range []int64{0, 4, 6, -1} {
			if err := d.Append(t.Context(), name, at, strings.NewReader("xx"), 2); !errors.Is(err, ErrOffset) {
				t.Errorf("append at %d: %v", at, err)
			}
		}
		d.Close() // the scheduler starts again
		d = openDepot(t, dir)
		if err := deliver(t.Context(), d, name, content); err != nil {
			t.Fatal(err)
		}
		disktest.WantTree(t, dir, map[string]string{name: content})
	}
}

func TestAnotherFileDoesNotReplaceAFinishedOne(t *testing.T) {
	for _, name := range []string{warcName1, fileName1} {
		dir := t.TempDir()
		d := openDepot(t, dir)
		if err := deliver(t.Context(), d, name, "the first"); err != nil {
			t.Fatal(err)
		}
		for _, other := range []string{"the other", "short", "a longer one than that"} {
			if err := deliver(t.Context(), d, name, other); !errors.Is(err, ErrTaken) {
				t.Errorf("%s: %q: %v", name, other, err)
			}
		}
		disktest.WantTree(t, dir, map[string]string{name: "the first"})
	}
}

func TestWhatArrivedWrongIsSetAsideAndSentAgain(t *testing.T) {
	for _, name := range []string{warcName1, fileName1} {
		dir := t.TempDir()
		d := openDepot(t, dir)
		if err := upload(t.Context(), d, name, "brokenwhole", 100); err != nil {
			t.Fatal(err)
		}
		if err := d.Finish(t.Context(), name, 11, storagetest.Digest("wholewhole!")); !errors.Is(err, ErrShipment) {
			t.Errorf("finish: %v", err)
		}
		if err := deliver(t.Context(), d, name, "wholewhole!"); err != nil {
			t.Fatal(err)
		}
		files := disktest.Tree(t, dir)
		if files[name] != "wholewhole!" || len(files) != 2 {
			t.Errorf("files: %v", files)
		}
	}
}

func TestTheDepotRefusesNamesThatAreNotOurs(t *testing.T) {
	dir := t.TempDir()
	d := openDepot(t, dir)
	for _, name := range []string{
		"", "x", "ledger/x", "job.yaml", "../x", "archive/../x.warc", "archive/a/b.warc", "archive/x.txt", "archive/.x.warc",
		"/archive/x.warc", "archive//x.warc", `archive/..\x.warc`, "files", "files/", "files/../ledger/x", "files/a/../b",
		"files/a/b", "incoming/x", "incoming/bodies/x", "incoming/bodies/../x", strings.ToUpper(fileName1), fileName1 + "0", "archive/" + strings.Repeat("x", 300) + ".warc",
	} {
		_, sizeErr := d.Size(t.Context(), name)
		appendErr := d.Append(t.Context(), name, 0, strings.NewReader("x"), 1)
		finishErr := d.Finish(t.Context(), name, 0, storagetest.Digest(""))
		if !errors.Is(sizeErr, ErrName) || !errors.Is(appendErr, ErrName) || !errors.Is(finishErr, ErrName) {
			t.Errorf("%.80q: %v, %v, %v", name, sizeErr, appendErr, finishErr)
		}
	}
	disktest.WantTree(t, dir, map[string]string{})
}

func TestManyDeliverAtOnce(t *testing.T) {
	dir := t.TempDir()
	d := openDepot(t, dir)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 10 {
				own := crawler.BodyName(weburl.MustParse(fmt.Sprintf("http://h/%d/%d", g, i)), storagetest.Digest("own"))
				if err := deliver(t.Context(), d, own, own); err != nil {
					t.Error(err)
				}
				shared := crawler.BodyName(weburl.MustParse(fmt.Sprintf("http://shared/%d", i)), storagetest.Digest("shared")) // the same by all: they take turns
				err := deliver(t.Context(), d, shared, shared)
				if err != nil && !errors.Is(err, ErrOffset) && !errors.Is(err, ErrTaken) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i := range 10 {
		shared := crawler.BodyName(weburl.MustParse(fmt.Sprintf("http://shared/%d", i)), storagetest.Digest("shared"))
		if err := deliver(t.Context(), d, shared, shared); err != nil {
			t.Error(err)
		}
	}
	for name, content := range disktest.Tree(t, dir) {
		if name != content {
			t.Errorf("%s holds %q", name, content)
		}
	}
	if len(d.busy) != 0 {
		t.Errorf("%d names are locked", len(d.busy))
	}
}

func TestACallerThatGivesUpDoesNotWaitForAnother(t *testing.T) {
	d := openDepot(t, t.TempDir())
	unlock, err := d.lock(t.Context(), fileName1)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Size(ctx, fileName1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestWhatAFetcherWritesArrivesRecordByRecord(t *testing.T) {
	home, away := t.TempDir(), t.TempDir()
	w := openWARC(t, away, WARCOptions{MaxSize: 6000})
	o, d := openOutbox(t, away, w), openDepot(t, home)
	ship := func() {
		for _, s := range pendingOf(t, o) {
			b := readPending(t, o, s.Name)[:s.Size]
			at, err := d.Size(t.Context(), s.Name)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Append(t.Context(), s.Name, at, bytes.NewReader(b[at:]), s.Size-at); err != nil {
				t.Fatal(err)
			}
			if !s.Final {
				continue
			}
			if err := d.Finish(t.Context(), s.Name, s.Size, storagetest.Digest(string(b))); err != nil {
				t.Fatal(err)
			}
			if err := o.Shipped(s.Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 20 {
		body := fmt.Sprintf("body %d", i)
		l := storagetest.Put(t, w, storagetest.Exchange("http://a.example/", body))
		storagetest.Sync(t, w)
		ship()
		mustVerify(t, home, l, storagetest.Digest(body))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	ship()
	disktest.WantTree(t, away, map[string]string{})
	for name := range disktest.Tree(t, home) {
		if info, err := os.Stat(filepath.Join(home, name)); err != nil || !IsFinal(info) {
			t.Errorf("%s is not final: %v", name, err)
		}
	}
}
