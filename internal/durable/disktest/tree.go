package disktest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Tree lists the files below a directory with their content.
func Tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// WantTree compares the files below a directory with what must be there.
func WantTree(t testing.TB, dir string, want map[string]string) {
	t.Helper()
	if got := Tree(t, dir); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("files are %v\nwant %v", got, want)
	}
}

// Names are those in a directory, in order.
func Names(tb testing.TB, dir string) (names []string) {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Permissions are those of a file or directory.
func Permissions(t testing.TB, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// UsualModes are the permissions of a file and a directory that any program makes under the umask.
func UsualModes(t testing.TB) (file, dir fs.FileMode) {
	t.Helper()
	place := t.TempDir()
	f, err := os.OpenFile(filepath.Join(place, "f"), os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := os.Mkdir(filepath.Join(place, "d"), 0o777); err != nil {
		t.Fatal(err)
	}
	return Permissions(t, filepath.Join(place, "f")), Permissions(t, filepath.Join(place, "d"))
}
