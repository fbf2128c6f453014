package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"trawl/internal/durable/disktest"
	"trawl/storage"
	"trawl/storage/crawldir"
	"trawl/storage/ledger"
	"trawl/storage/storagetest"
)

// crawlWithLedger makes a crawl directory with a ledger in use, and the model of what is in it.
func crawlWithLedger(t *testing.T, seed uint64) (*crawldir.Dir, *ledger.Ledger, *storagetest.Model) {
	t.Helper()
	d, err := crawldir.Open(filepath.Join(t.TempDir(), "crawl"), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	for name, text := range map[string]string{"job.yaml": "kind: crawl\n", "members": "127.0.0.1:7\n"} {
		if err := os.WriteFile(filepath.Join(d.Path(), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := storagetest.NewModel(seed)
	l := openLedger(t, d.Ledger())
	for range 30 {
		storagetest.Commit(t, l, m.Step())
	}
	return d, l, m
}

func openLedger(t *testing.T, dir string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// wantModel compares a ledger with its model, and lets it check itself.
func wantModel(t *testing.T, m *storagetest.Model, l *ledger.Ledger) {
	t.Helper()
	m.Check(t, l)
	b, err := l.Verify(t.Context())
	if err != nil || !b.OK() {
		t.Errorf("it does not balance: %v, %v", b.Differences, err)
	}
	m.CheckCounts(t, &b.Tallies, b.Turns, b.Errands)
}

func backupOf(t *testing.T, d *crawldir.Dir, l *ledger.Ledger) ([]byte, Info) {
	t.Helper()
	var b bytes.Buffer
	info, err := Write(t.Context(), d, &b, l, "v1")
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(d.Path(), ".backup-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	return b.Bytes(), info
}

func TestABackupOfALedgerInUseIsRestoredAsItWas(t *testing.T) {
	d, l, m := crawlWithLedger(t, 7)
	file, info := backupOf(t, d, l)
	before := storagetest.Load(t, l)
	_, schema, err := l.Summary()
	if err != nil {
		t.Fatal(err)
	}
	if info.Rows == 0 || info.Rows != before.Tallies.Seen() || info.Life != before.Life.String() || info.Position != before.Position || info.Schema != schema {
		t.Errorf("told: %+v", info)
	}
	storagetest.Commit(t, l, storagetest.NewModel(99).Step()) // comes later, and is not in the copy
	to := filepath.Join(t.TempDir(), "new", "restored")
	restored, err := Restore(t.Context(), bytes.NewReader(file), to, time.Unix(1e9, 0))
	if err != nil {
		t.Fatal(err)
	}
	if restored.Rows != info.Rows || restored.Taken != info.Taken {
		t.Errorf("read %+v, told %+v", restored, info)
	}
	r, err := crawldir.Open(to, false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	copied := openLedger(t, r.Ledger())
	wantModel(t, m, copied)
	if s := storagetest.Load(t, copied); s.Origin != before.Life || s.Life == before.Life || !s.Recall {
		t.Errorf("life %v, origin %v, recall %v", s.Life, s.Origin, s.Recall)
	}
	for name, mode := range map[string]os.FileMode{"job.yaml": 0o600, "members": 0o600, "ledger": 0o700, "archive": 0o777} {
		if i, err := os.Stat(filepath.Join(to, name)); err != nil || i.Mode().Perm()&^mode != 0 {
			t.Errorf("%s: %v, %v", name, i, err)
		}
	}
	if _, err := os.Stat(filepath.Join(to, ".restoring")); err == nil {
		t.Error("the place of the restore is left")
	}
}

func TestABackupOfALedgerAtRest(t *testing.T) {
	d, l, m := crawlWithLedger(t, 8)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	file, info := backupOf(t, d, nil)
	if got, err := ReadInfo(bytes.NewReader(file)); err != nil || got.Rows != info.Rows || got.Job != info.Job {
		t.Errorf("read %+v, %v", got, err)
	}
	to := filepath.Join(t.TempDir(), "restored")
	if _, err := Restore(t.Context(), bytes.NewReader(file), to, time.Now()); err != nil {
		t.Fatal(err)
	}
	wantModel(t, m, openLedger(t, filepath.Join(to, "ledger")))
}

func TestARestoreThatFailsLeavesNoCrawl(t *testing.T) {
	d, l, _ := crawlWithLedger(t, 9)
	file, _ := backupOf(t, d, l)
	flipped := bytes.Clone(file)
	flipped[len(flipped)/2] ^= 0x10
	tests := map[string][]byte{
		"nothing":                    nil,
		"no backup":                  []byte("hello, world\n"),
		"a bit flipped":              flipped,
		"something behind it":        append(bytes.Clone(file), "x"...),
		"another backup behind it":   append(bytes.Clone(file), file...),
		"cut after the first byte":   file[:1],
		"cut by its last byte":       file[:len(file)-1],
		"cut in half":                file[:len(file)/2],
		"an end without its content": rewritten(t, file, func(h *tar.Header, b []byte) ([]byte, bool) { return b, h.Name != "job.yaml" }),
		"without an end":             rewritten(t, file, func(h *tar.Header, b []byte) ([]byte, bool) { return b, h.Name != backupEndName }),
	}
	for name, file := range tests {
		t.Run(name, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "restored")
			_, err := Restore(t.Context(), bytes.NewReader(file), to, time.Now())
			if !errors.Is(err, storage.ErrDamaged) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("refused with %v", err)
			}
			if _, err := os.Stat(to); err == nil {
				t.Error("the directory is left")
			}
		})
	}
}

func TestABackupOfAnotherFormatIsRefused(t *testing.T) {
	d, l, _ := crawlWithLedger(t, 10)
	file, _ := backupOf(t, d, l)
	for name, change := range map[string]func(*Info){
		"format": func(i *Info) { i.Format++ },
		"layout": func(i *Info) { i.Layout++ },
		"schema": func(i *Info) { i.Schema = ledger.Schema + 1 },
	} {
		newer := rewritten(t, file, onManifest(t, change))
		if _, err := Restore(t.Context(), bytes.NewReader(newer), filepath.Join(t.TempDir(), "r"), time.Now()); !errors.Is(err, storage.ErrNewer) || errors.Is(err, storage.ErrDamaged) {
			t.Errorf("a newer %s: %v", name, err)
		}
	}
	older := rewritten(t, file, onManifest(t, func(i *Info) { i.Schema = ledger.OldestSchema - 1 }))
	if _, err := Restore(t.Context(), bytes.NewReader(older), filepath.Join(t.TempDir(), "r"), time.Now()); !errors.Is(err, storage.ErrOlder) || errors.Is(err, storage.ErrDamaged) {
		t.Errorf("an older schema: %v", err)
	}
}

func TestABackupCannotWriteWhereItShouldNot(t *testing.T) {
	d, l, _ := crawlWithLedger(t, 11)
	file, _ := backupOf(t, d, l)
	entry := func(h tar.Header, content string) []byte {
		return rewritten(t, file, func(old *tar.Header, b []byte) ([]byte, bool) {
			if old.Name == "job.yaml" {
				size := h.Size
				*old = h
				if old.Size = int64(len(content)); size > 0 {
					old.Size = size
				}
				return []byte(content), true
			}
			return b, true
		})
	}
	tests := map[string][]byte{
		"above":                    entry(tar.Header{Name: "../evil", Typeflag: tar.TypeReg}, "x"),
		"above, by the ledger":     entry(tar.Header{Name: "ledger/../../evil", Typeflag: tar.TypeReg}, "x"),
		"elsewhere":                entry(tar.Header{Name: "/tmp/evil", Typeflag: tar.TypeReg}, "x"),
		"a hidden file":            entry(tar.Header{Name: "ledger/.evil", Typeflag: tar.TypeReg}, "x"),
		"in a directory":           entry(tar.Header{Name: "ledger/a/b", Typeflag: tar.TypeReg}, "x"),
		"the lock":                 entry(tar.Header{Name: "ledger/LOCK", Typeflag: tar.TypeReg}, "x"),
		"a file that is not known": entry(tar.Header{Name: "control.sock", Typeflag: tar.TypeReg}, "x"),
		"a link":                   entry(tar.Header{Name: "ledger/x", Typeflag: tar.TypeSymlink, Linkname: "/etc"}, ""),
		"a hard link":              entry(tar.Header{Name: "ledger/x", Typeflag: tar.TypeLink, Linkname: "job.yaml"}, ""),
		"a directory":              entry(tar.Header{Name: "ledger/x", Typeflag: tar.TypeDir}, ""),
		"a file twice":             entry(tar.Header{Name: "members", Typeflag: tar.TypeReg}, "x"),
		"settings without end":     entry(tar.Header{Name: "job.yaml", Typeflag: tar.TypeReg}, strings.Repeat("x", MaxText+1)),
		"more files than it tells": rewritten(t, file, onManifest(t, func(i *Info) { i.Files-- })),
		"more bytes than it tells": rewritten(t, file, onManifest(t, func(i *Info) { i.Bytes-- })),
		"no files":                 rewritten(t, file, onManifest(t, func(i *Info) { i.Files = 0 })),
		"a manifest without end":   rewritten(t, file, onManifest(t, func(i *Info) { i.Job = strings.Repeat("x", MaxText) })),
	}
	for name, file := range tests {
		t.Run(name, func(t *testing.T) {
			over := t.TempDir()
			if _, err := Restore(t.Context(), bytes.NewReader(file), filepath.Join(over, "r"), time.Now()); !errors.Is(err, storage.ErrDamaged) {
				t.Fatalf("restored: %v", err)
			}
			if left, _ := os.ReadDir(over); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
	huge := rewritten(t, file, onManifest(t, func(i *Info) { i.Bytes = 1 << 60 }))
	if _, err := Restore(t.Context(), bytes.NewReader(huge), filepath.Join(t.TempDir(), "r"), time.Now()); err == nil || !strings.Contains(err.Error(), "make room") {
		t.Errorf("more than the disk has: %v", err)
	}
}

func TestABackupIsNotRestoredOverWhatIsThere(t *testing.T) {
	d, l, _ := crawlWithLedger(t, 12)
	file, _ := backupOf(t, d, l)
	restore := func(to string) error {
		_, err := Restore(t.Context(), bytes.NewReader(file), to, time.Now())
		return err
	}
	if err := restore(d.Path()); !errors.Is(err, storage.ErrHoldsCrawl) {
		t.Errorf("over a crawl: %v", err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := restore(other); !errors.Is(err, storage.ErrHoldsCrawl) {
		t.Errorf("over somebody's files: %v", err)
	}
	bodies := t.TempDir()
	if err := os.MkdirAll(filepath.Join(bodies, "archive", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := restore(bodies); err != nil {
		t.Errorf("beside bodies that were copied first: %v", err)
	}
	if _, err := os.Stat(filepath.Join(bodies, "archive", "x")); err != nil {
		t.Errorf("the bodies: %v", err)
	}
}

func TestARestoreAfterOneThatDied(t *testing.T) {
	d, l, m := crawlWithLedger(t, 13)
	file, _ := backupOf(t, d, l)
	to := t.TempDir()
	for _, name := range []string{".restoring/ledger/000001.sst", "ledger/000001.sst", "job.yaml", "lock"} {
		path := filepath.Join(to, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := crawldir.Open(to, true); !errors.Is(err, storage.ErrNotCrawl) {
		t.Fatalf("half a crawl was opened: %v", err)
	}
	if _, err := Restore(t.Context(), bytes.NewReader(file), to, time.Now()); err != nil {
		t.Fatal(err)
	}
	wantModel(t, m, openLedger(t, filepath.Join(to, "ledger")))
}

func TestABackupThatIsInterrupted(t *testing.T) {
	d, l, _ := crawlWithLedger(t, 14)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Write(ctx, d, io.Discard, l, "v1"); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	left := filepath.Join(d.Path(), ".backup-123", "ledger")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveStaleBackups(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(d.Path(), ".backup-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// rewritten is a backup with entries changed or left out; its end is as it was.
func rewritten(t *testing.T, file []byte, change func(*tar.Header, []byte) ([]byte, bool)) []byte {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	in, to := tar.NewReader(z), tar.NewWriter(w)
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if content, keep := change(h, content); keep {
			h.Format = tar.FormatUnknown
			if err := to.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
			if _, err := to.Write(content); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(to.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func onManifest(t *testing.T, change func(*Info)) func(*tar.Header, []byte) ([]byte, bool) {
	return func(h *tar.Header, b []byte) ([]byte, bool) {
		if h.Name != backupManifest {
			return b, true
		}
		var info Info
		if err := json.Unmarshal(b, &info); err != nil {
			t.Fatal(err)
		}
		change(&info)
		b, err := json.Marshal(info)
		if err != nil {
			t.Fatal(err)
		}
		h.Size = int64(len(b))
		return b, true
	}
}

func TestABackupThatWasUnpackedOutlivesAPowerCut(t *testing.T) {
	d, l, _ := crawlWithLedger(t, 3)
	file, _ := backupOf(t, d, l)
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "ledger"), 0o700); err != nil {
		t.Fatal(err)
	}
	disk := disktest.New(t, root)
	if _, err := unpack(t.Context(), bytes.NewReader(file), root, disk.Fsync); err != nil {
		t.Fatal(err)
	}
	want := disktest.Tree(t, root)
	disk.Cut(t, func(t *testing.T, root string) { disktest.WantTree(t, root, want) })
}

// What is not a plain file is written to, never replaced: a device would be gone for the whole machine.
func TestAPipeStaysAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("no named pipes:", err)
	}
	read := make(chan string, 1)
	go func() {
		text, err := os.ReadFile(pipe)
		read <- fmt.Sprint(string(text), err)
	}()
	err := WriteFile(t.Context(), pipe, func(w io.Writer) error {
		_, err := io.WriteString(w, "a backup")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := <-read; got != "a backup<nil>" {
		t.Errorf("through the pipe came %q", got)
	}
	if info, err := os.Lstat(pipe); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the pipe is %v, %v", info, err)
	}
}
