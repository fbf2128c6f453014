package disktest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestADiskForgetsWhatIsNotSynced(t *testing.T) {
	for _, c := range []struct {
		name string
		sync []string // "." is the directory itself
		want []string // what the two kinds of disk have left
	}{
		{"nothing", nil, []string{`new "\x00\x00\x00", old "old\x00\x00\x00"`, `new missing, old "old"`}},
		{"the bytes", []string{"new", "old"}, []string{`new "new", old "longer"`, `new missing, old "longer"`}},
		{"the names", []string{"."}, []string{`new "", old "old"`, `new "\x00\x00\x00", old "old\x00\x00\x00"`}},
		{"all", []string{"new", "old", "."}, []string{`new "new", old "longer"`, `new "new", old "longer"`}},
	} {
		t.Run(c.name+" being synced", func(t *testing.T) {
			root := t.TempDir()
			write(t, filepath.Join(root, "old"), "old")
			d := New(t, root)
			write(t, filepath.Join(root, "old"), "longer")
			write(t, filepath.Join(root, "temp"), "new")
			if err := os.Rename(filepath.Join(root, "temp"), filepath.Join(root, "new")); err != nil {
				t.Fatal(err)
			}
			for _, name := range c.sync {
				f, err := os.Open(filepath.Join(root, name))
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(d.Fsync(f), f.Close()); err != nil {
					t.Fatal(err)
				}
			}
			var left []string
			d.Cut(t, func(t *testing.T, root string) {
				left = append(left, fmt.Sprintf("new %s, old %s", read(t, root, "new"), read(t, root, "old")))
			})
			if slices.Sort(left); !slices.Equal(left, c.want) {
				t.Errorf("left: %q, want %q", left, c.want)
			}
		})
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, root, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "missing"
	}
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%q", text)
}
