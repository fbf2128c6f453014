package crawldir

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trawl/internal/durable/disktest"
	"trawl/storage"
)

func openDir(t *testing.T, path string, create bool) *Dir {
	t.Helper()
	d, err := Open(path, create)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestACrawlDirectoryIsMadeAndOpenedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "a.trawl")
	d := openDir(t, path, true)
	for dir, private := range map[string]bool{d.Ledger(): true, d.Queue(): true, d.Archive(): false, d.Files(): false, d.Exports(): false} {
		info, err := os.Stat(dir)
		if err != nil || !info.IsDir() || private && info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, create := range []bool{false, true} {
		if err := openDir(t, path, create).Close(); err != nil {
			t.Errorf("opened again (create %v): %v", create, err)
		}
	}
}

func TestADirectoryInUseIsRefusedWithItsName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.trawl")
	d := openDir(t, path, true)
	for _, create := range []bool{false, true} {
		_, err := Open(path, create)
		if !errors.Is(err, storage.ErrInUse) || !strings.Contains(err.Error(), path) {
			t.Errorf("a directory in use: %v", err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	openDir(t, path, false)
}

func TestOnlyCrawlDirectoriesAreOpened(t *testing.T) {
	write := func(name, text string) func(string) error {
		return func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
	}
	empty := func(dir string) error { return os.Mkdir(dir, 0o755) }
	nothing := func(string) error { return nil }
	for name, c := range map[string]struct {
		make   func(dir string) error
		create bool
		want   error
		says   string
	}{
		"nothing there, to be made":        {make: nothing, create: true},
		"nothing there":                    {make: nothing, want: storage.ErrNotCrawl, says: "does not exist"},
		"empty, to be made":                {make: empty, create: true},
		"empty":                            {make: empty, want: storage.ErrNotCrawl, says: "holds no crawl"},
		"other files, to be made":          {make: write("photo.jpg", "x"), create: true, want: storage.ErrNotCrawl, says: "`dir`"},
		"other files":                      {make: write("photo.jpg", "x"), want: storage.ErrNotCrawl, says: "holds no crawl"},
		"left by a crash, to be made":      {make: write(lockName, ""), create: true},
		"half a version, to be made":       {make: write(".version.7-0.tmp", ""), create: true},
		"a version that is none":           {make: write(versionName, "new"), create: true, want: storage.ErrNotCrawl, says: "does not hold a version"},
		"a newer version":                  {make: write(versionName, "2\n"), create: true, want: storage.ErrNewer, says: "use that trawl"},
		"a newer version, for reading":     {make: write(versionName, "2\n"), want: storage.ErrNewer, says: "layout 2"},
		"this version, only its file":      {make: write(versionName, "1\n"), create: true},
		"this version, nothing to be made": {make: write(versionName, "1\n")},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.trawl")
			if err := c.make(path); err != nil {
				t.Fatal(err)
			}
			d, err := Open(path, c.create)
			if !errors.Is(err, c.want) || c.want != nil && (!strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path)) {
				t.Errorf("error: %v", err)
			}
			if err == nil {
				d.Close()
			}
			if errors.Is(err, storage.ErrNotCrawl) {
				if _, err := os.Stat(filepath.Join(path, lockName)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("it wrote into a directory that is not ours (%v)", err)
				}
			}
		})
	}
}

func TestTheControlSocketCanBeListenedOnHoweverLongThePath(t *testing.T) {
	t.Setenv("TMPDIR", shortDir(t))
	for _, name := range []string{"short", strings.Repeat("l", 78), strings.Repeat("long", 60)} {
		dir := filepath.Join(shortDir(t), name)
		d := openDir(t, dir, true)
		path, err := d.ControlSocket()
		if err != nil {
			t.Fatal(err)
		}
		if inside := filepath.Dir(path) == dir; inside != (len(dir)+len("/control.sock") <= 101) {
			t.Errorf("%s: socket at %s", name, path)
		}
		l, err := net.Listen("unix", path+"xx") // control makes it under a longer name first
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		l.Close()
		link := filepath.Join(filepath.Dir(dir), "l")
		if err := os.Symlink(dir, link); err != nil {
			t.Fatal(err)
		}
		if again, err := ControlSocket(link); again != path || err != nil {
			t.Errorf("by another spelling: %s, %v, not %s", again, err, path)
		}
	}
}

// shortDir is a directory with a path that leaves room for a socket.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestAnotherUsersDirectoryForSocketsIsRefused(t *testing.T) {
	tmp := shortDir(t)
	t.Setenv("TMPDIR", tmp)
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	path, err := ControlSocket(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if path, err := ControlSocket(dir); err == nil {
		t.Errorf("%s would be in a directory that anybody can write to", path)
	}
}

func TestWhatACrawlDirectorySaysOfItselfOutlivesAPowerCut(t *testing.T) {
	above := t.TempDir()
	disk := disktest.New(t, above)
	const name = "new/crawl"
	d, err := openOn(disk.Fsync, filepath.Join(above, name), true)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.WriteJob([]byte("kind: crawl\n")); err != nil {
		t.Fatal(err)
	}
	if err := d.LeaveExports([]string{"/x/rows.csv"}); err != nil {
		t.Fatal(err)
	}
	disk.Cut(t, func(t *testing.T, above string) {
		d := openDir(t, filepath.Join(above, name), false)
		if text, _ := os.ReadFile(d.JobFile()); string(text) != "kind: crawl\n" {
			t.Errorf("job %q", text)
		}
		if left, err := d.LeftExports(); err != nil || len(left) != 1 || left[0] != "/x/rows.csv" {
			t.Errorf("left exports: %q, %v", left, err)
		}
		for _, path := range []string{d.Ledger(), d.Queue(), d.Archive(), d.Files(), d.incoming(), d.Exports()} {
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
		}
	})
}
