package archive

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trawl/internal/durable"
	"trawl/storage/storagetest"
)

func TestWhatTheDepotAcknowledgedOutlivesAPowerCut(t *testing.T) {
	const content = "the whole content of the file"
	for _, name := range []string{warcName1, fileName1} {
		for _, c := range []struct {
			name     string
			sent     int64
			finished bool
		}{{"the beginning of a file", 7, false}, {"a file in pieces", 14, false}, {"a finished file", int64(len(content)), true}} {
			t.Run(c.name+": "+name, func(t *testing.T) {
				disk, dir := forgetfulDir(t)
				d, err := newDepot(dir, disk.Fsync)
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				err = upload(t.Context(), d, name, content[:c.sent], 7)
				if err == nil && c.finished {
					err = d.Finish(t.Context(), name, c.sent, storagetest.Digest(content))
				}
				if err != nil {
					t.Fatal(err)
				}
				cut(t, disk, func(t *testing.T, dir string) {
					d := openDepot(t, dir)
					if n, err := d.Size(t.Context(), name); err != nil || n != c.sent {
						t.Fatalf("%d of %d acknowledged bytes are there, %v", n, c.sent, err)
					}
					if c.finished {
						wantFinished(t, dir, name, content)
					}
					if err := deliver(t.Context(), d, name, content); err != nil {
						t.Errorf("the rest: %v", err)
					}
				})
			})
		}
	}
}

// wantFinished checks a file whose sender has removed its own.
func wantFinished(t *testing.T, dir, name, content string) {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil || InWARC(name) && !IsFinal(info) {
		t.Errorf("not final: %v", err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, name)); string(text) != content {
		t.Errorf("holds %q", text)
	}
}

// The next one learns from the files themselves what has arrived, and the sender removes its own after Finish.
func TestADepotSyncsWhatAKilledOneLeft(t *testing.T) {
	const content = "xx"
	for _, name := range []string{warcName1, fileName1} {
		for n, when := range []string{"not killed", "at the first byte", "at all bytes", "at the final name"} {
			t.Run(when+": "+name, func(t *testing.T) {
				disk, dir := forgetfulDir(t)
				var d *Depot
				open := func() {
					var err error
					if d, err = newDepot(dir, disk.Fsync); err != nil {
						t.Fatal(err)
					}
					opened := d
					t.Cleanup(func() { opened.Close() })
				}
				appendOne := func() error {
					at, err := d.Size(t.Context(), name)
					if err == nil && at < int64(len(content)) {
						err = d.Append(t.Context(), name, at, strings.NewReader("x"), 1)
					}
					return err
				}
				finish := func() error {
					return d.Finish(t.Context(), name, int64(len(content)), storagetest.Digest(content))
				}
				steps := []func() error{appendOne, appendOne, finish}
				for _, step := range steps[:n] {
					open()
					d.fsync = func(*os.File) error { return nil } // it is killed before it syncs
					if err := step(); err != nil {
						t.Fatal(err)
					}
				}
				open()
				for _, step := range steps { // the sender asks again for what it has no answer to
					if err := step(); err != nil {
						t.Fatal(err)
					}
				}
				cut(t, disk, func(t *testing.T, dir string) { wantFinished(t, dir, name, content) })
			})
		}
	}
}

// The sender continues where Size says, whatever becomes of this process.
func TestWhatADepotFindsIsDurable(t *testing.T) {
	for _, name := range []string{warcName1, fileName1} {
		disk, dir := forgetfulDir(t)
		d, err := newDepot(dir, disk.Fsync)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		d.fsync = func(*os.File) error { return nil } // it is killed before it synced anything
		if err := d.Append(t.Context(), name, 0, strings.NewReader("x"), 1); err != nil {
			t.Fatal(err)
		}
		next, err := newDepot(dir, disk.Fsync)
		if err != nil {
			t.Fatal(err)
		}
		defer next.Close()
		if n, err := next.Size(t.Context(), name); n != 1 || err != nil {
			t.Fatalf("%d bytes, %v", n, err)
		}
		cut(t, disk, func(t *testing.T, dir string) {
			if text, err := os.ReadFile(filepath.Join(dir, growingName(name))); string(text) != "x" {
				t.Errorf("holds %q, %v", text, err)
			}
		})
	}
}

// A sender that lost its answers sends what has its name already, and a process may end in the middle of that.
func TestAFinishedFileIsSyncedThoughItWasBegunAgain(t *testing.T) {
	const content = "xx"
	disk, dir := forgetfulDir(t)
	for _, again := range []bool{false, true} {
		d, err := newDepot(dir, disk.Fsync)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if !again {
			if err := upload(t.Context(), d, fileName1, content, 2); err != nil {
				t.Fatal(err)
			}
			d.fsync = func(*os.File) error { return nil } // it is killed before it syncs
		} else if err := os.WriteFile(filepath.Join(dir, growingName(fileName1)), []byte("x"), durable.FileMode); err != nil {
			t.Fatal(err)
		}
		if err := d.Finish(t.Context(), fileName1, int64(len(content)), storagetest.Digest(content)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, growingName(fileName1))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was begun again is left: %v", err)
	}
	cut(t, disk, func(t *testing.T, dir string) { wantFinished(t, dir, fileName1, content) })
}
