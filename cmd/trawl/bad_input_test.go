package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"trawl/cmd/trawl/demo"
)

// badPatience is how long a command may take; all are done in no time, on a machine that has time.
const badPatience = 2 * time.Minute

// badWorld is what a case of bad input works in: the directory it stands in, which holds the finished crawl d of a small
// site, a list of seeds, and whatever the case adds.
type badWorld struct {
	t    *testing.T
	dir  string
	site string
	port int  // the first of three free ports
	busy bool // a crawl runs in d

	harmed bool // its ledger cannot be read
}

// path is a file of the world.
func (w *badWorld) path(name string) string { return filepath.Join(w.dir, name) }

func (w *badWorld) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// one is the only file in d that matches, or the last of several.
func (w *badWorld) one(pattern string) string {
	w.t.Helper()
	all, err := filepath.Glob(w.path(pattern))
	if err != nil || len(all) == 0 {
		w.t.Fatalf("no file %s: %v", pattern, err)
	}
	return all[len(all)-1]
}

// damage overwrites the middle of a file.
func (w *badWorld) damage(pattern string) {
	w.t.Helper()
	name := w.one(pattern)
	b, err := os.ReadFile(name)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := len(b) / 4; i < len(b)*3/4; i++ {
		b[i] ^= 0x55
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *badWorld) remove(pattern string) {
	w.t.Helper()
	if err := os.Remove(w.one(pattern)); err != nil {
		w.t.Fatal(err)
	}
}

// mount puts a file system of its own at disk, with a copy of d in it.
func (w *badWorld) mount(size string) {
	w.t.Helper()
	disk := w.path("disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		w.t.Skipf("a file system of its own cannot be mounted here (%v): run the test as root", err)
	}
	w.t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			w.t.Errorf("unmount: %v", err)
		}
	})
	if err := os.CopyFS(filepath.Join(disk, "d"), os.DirFS(w.path("d"))); err != nil {
		w.t.Fatal(err)
	}
}

func (w *badWorld) readOnly() {
	w.t.Helper()
	w.mount("16m")
	if err := syscall.Mount("", w.path("disk"), "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		w.t.Fatal(err)
	}
}

// full leaves no room on the disk.
func (w *badWorld) full() {
	w.t.Helper()
	w.mount("16m")
	f, err := os.Create(w.path("disk/ballast"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		w.t.Fatalf("fill the disk: %v", err)
	}
}

// taken listens on a port, so that nobody else can.
func (w *badWorld) taken(port int) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { l.Close() })
}

// inUse runs a crawl in d until the case is over.
func (w *badWorld) inUse() {
	w.t.Helper()
	w.busy = true
	hung := make(chan struct{})
	hold := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case hung <- struct{}{}:
		case <-r.Context().Done():
		}
		<-r.Context().Done()
	}))
	w.t.Cleanup(hold.Close)
	c := w.command(context.Background(), "crawl", hold.URL+"/", "--dir", "d", "--delay", "0", "--ignore-robots", "--quiet")
	c.Cancel, c.Stdout, c.Stderr = nil, nil, nil
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	w.t.Cleanup(func() {
		c.Process.Kill()
		<-ended
	})
	select {
	case <-hung:
	case err := <-ended:
		w.t.Fatalf("the crawl ended: %v", err)
		ended <- nil
	}
}

func (w *badWorld) command(ctx context.Context, args ...string) *exec.Cmd {
	words := strings.NewReplacer("$SITE", w.site, "$PORT", strconv.Itoa(w.port))
	for i, a := range args {
		args[i] = words.Replace(a)
	}
	c := exec.CommandContext(ctx, "trawl", args...)
	c.Dir = w.dir
	c.Env = append(os.Environ(), "TRAWL_SECRET=", "HOME="+w.dir, "GORACE="+goRace)
	return c
}

// run runs the program to its end.
func (w *badWorld) run(args ...string) (status int, stdout, stderr string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), badPatience)
	defer cancel()
	c := w.command(ctx, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatalf("%v", err)
	}
	if ctx.Err() != nil {
		w.t.Fatalf("it did not end within %v; it said:\n%s", badPatience, errs.String())
	}
	return c.ProcessState.ExitCode(), out.String(), errs.String()
}

// files are the digests of all files below the world, but for the lock, the log and sockets.
func (w *badWorld) files() map[string]string {
	w.t.Helper()
	all := make(map[string]string)
	err := fs.WalkDir(os.DirFS(w.dir), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir():
			all[name] = "directory"
		case e.Type().IsRegular() && e.Name() != "lock" && e.Name() != "LOCK" && e.Name() != "trawl.log":
			b, err := os.ReadFile(w.path(name))
			if err != nil {
				all[name] = "unreadable"
				return nil
			}
			sum := sha256.Sum256(b)
			all[name] = hex.EncodeToString(sum[:8])
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// rows are the rows of the crawl in a directory.
func (w *badWorld) rows(dir string) string {
	w.t.Helper()
	status, rows, stderr := w.run("export", dir, "-o", "-")
	if status != exitDone || strings.Count(rows, "\n") != 3 {
		w.t.Errorf("export %s: status %d, %d rows; %s", dir, status, strings.Count(rows, "\n"), stderr)
	}
	return rows
}

// badInput is one mistake, and what must be said of it: one line with what is wrong, where, and what to do.
type badInput struct {
	name            string
	prepare         func(w *badWorld)
	args            string
	status          int
	what, where, do string
	// opens: the command has opened the ledger when it finds out, so that files in it were renewed; then the
	// rows of this directory are what must be as before (of a broken one the tables), and every file outside of ledger and queue.
	opens string
	// makes is a directory that was not there before and may be now.
	makes string
}

// badInputs is every kind of bad input.
var badInputs = []badInput{
	// No seeds.
	{name: "no seeds", args: "crawl", status: 2, what: "no seeds", where: "--dir", do: "give seeds"},
	{name: "no seeds for a new directory", args: "crawl --dir new", status: 2, what: "no seeds", where: "", do: "give URLs, files of URLs, or -"},
	{name: "no seeds to begin anew with", args: "crawl --dir d --fresh", status: 2, what: "no seeds", where: "", do: "give URLs"},
	{name: "no list", args: "download --dir new", status: 2, what: "no seeds", where: "", do: "give URLs"},
	{name: "no seeds for a scheduler", args: "scheduler --dir new", status: 2, what: "no seeds", where: "", do: "give URLs"},

	// Files that cannot be read.
	{name: "seeds that are not there", args: "crawl gone.txt --dir d", status: 2, what: "no such file", where: "gone.txt", do: "write https://gone.txt"},
	{name: "seeds below a file", args: "crawl seeds.txt/more --dir d", status: 2, what: "not a directory", where: "seeds.txt/more", do: "write https://"},
	{name: "seeds that are a directory", args: "crawl d --dir new", status: 2, what: "is a directory", where: "d", do: "give a URL, a file of URLs"},
	{name: "seeds without permission", prepare: (*badWorld).locked, args: "crawl locked.txt --dir d", status: 2, what: "permission denied", where: "locked.txt", do: "neither a URL"},
	{name: "a list that is not there", args: "download gone.txt --dir d", status: 2, what: "no such file", where: "gone.txt", do: "write https://"},
	{name: "seeds to add that are not there", args: "add d gone.txt", status: 2, what: "no such file", where: "gone.txt", do: "write https://"},
	{name: "a configuration that is not there", args: "crawl $SITE/ --dir new --config gone.yaml", status: 2, what: "no such file", where: "gone.yaml", do: "--config"},
	{name: "a configuration that is a directory", args: "crawl $SITE/ --dir new --config d", status: 2, what: "is a directory", where: "d", do: "--config"},
	{name: "certificates that are not there", args: "crawl $SITE/ --dir new --ca-file gone.pem", status: 2, what: "no such file", where: "gone.pem", do: "--ca-file"},
	{name: "a secret that is not there", args: "scheduler $SITE/ --dir new --secret-file gone", status: 2, what: "no such file", where: "gone", do: "--secret-file"},

	// Wrong values.
	{name: "a delay that is none", args: "crawl $SITE/ --dir d --delay soon", status: 2, what: "no duration", where: "--delay", do: "write 500ms"},
	{name: "a number that is none", args: "crawl $SITE/ --dir d --max-pages many", status: 2, what: "\"many\"", where: "--max-pages", do: "see trawl crawl --help"},
	{name: "a number out of range", args: "crawl $SITE/ --dir d --per-host 0", status: 2, what: "0", where: "--per-host", do: "use 1 to 64"},
	{name: "a word that is not known", args: "crawl $SITE/ --dir d --scope galaxy", status: 2, what: "galaxy", where: "--scope", do: "use page, prefix, host"},
	{name: "a size that is none", args: "crawl $SITE/ --dir d --max-body big", status: 2, what: "no size", where: "--max-body", do: "write 500KiB"},
	{name: "a pattern that is none", args: "crawl $SITE/ --dir d --include (", status: 2, what: "not a regular expression", where: "--include", do: "missing closing )"},
	{name: "a reason that is not known", args: "crawl --dir d --retry-failed=dnss", status: 2, what: "dnss", where: "--retry-failed", do: "use one of dns,"},
	{name: "an export of no format", args: "crawl $SITE/ --dir d --export pages.xls", status: 2, what: "xls", where: "--export pages.xls", do: "use jsonl"},
	{name: "an export to nowhere", args: "crawl $SITE/ --dir d --export no/such.csv", status: 2, what: "there is no directory", where: "no", do: "--export"},
	{name: "an address that is none", args: "scheduler $SITE/ --dir new --bind nowhere", status: 2, what: "nowhere", where: "--bind", do: "trawl secret"},
	{name: "an outcome that is not known", args: "export d -o x.csv --outcome good", status: 2, what: "good", where: "--outcome", do: "use one of waiting"},
	{name: "a format that is not known", args: "export d -o x.csv --format xls", status: 2, what: "xls", where: "format", do: "use jsonl"},
	{name: "a time that is none", args: "export d -o x.csv --since yesterday", status: 2, what: "yesterday", where: "--since", do: "write 2026-01-31"},
	{name: "a URL that is none", args: "explain d example.com", status: 2, what: "no URL", where: "example.com", do: "write https://"},
	{name: "a flag that is not known", args: "crawl $SITE/ --dir d --dellay 1s", status: 2, what: "unknown flag", where: "--dellay", do: "see trawl crawl --help"},
	{name: "a command that is not known", args: "crwl $SITE/", status: 2, what: "unknown command", where: "crwl", do: "did you mean crawl? See trawl --help"},

	// Configuration files.
	{name: "an unknown key", prepare: badConfig("depth: 2\ndellay: 1s\n"), args: "crawl $SITE/ --dir new --config c.yaml", status: 2, what: "dellay", where: "c.yaml:2", do: "delay"},
	{name: "an unknown key of a host", prepare: badConfig("hosts:\n  - match: a.test\n    dellay: 1s\n"), args: "crawl $SITE/ --dir new --config c.yaml", status: 2, what: "dellay", where: "c.yaml:3", do: "delay"},
	{name: "a wrong value in a configuration", prepare: badConfig("depth: 2\ndelay: soon\n"), args: "crawl $SITE/ --dir new --config c.yaml", status: 2, what: "no duration", where: "c.yaml:2", do: "write 500ms"},
	{name: "a configuration that is no YAML", prepare: badConfig("depth: [2\n"), args: "crawl $SITE/ --dir new --config c.yaml", status: 2, what: "", where: "c.yaml:1", do: ""},

	// Directories of something else.
	{name: "a directory of another job", args: "crawl $SITE/ --dir d --scope any", status: 2, what: "another job: --scope is host there and any here", where: "d:", do: "another --dir", opens: "d"},
	{name: "a directory of another kind", args: "download $SITE/ --dir d", status: 2, what: "another job: kind is crawl there", where: "d:", do: "another --dir", opens: "d"},
	{name: "a directory with other files", args: "crawl $SITE/ --dir www", status: 1, what: "holds other files", where: "www", do: "choose a new or an empty directory with --dir"},
	{name: "no directory but a file", args: "crawl $SITE/ --dir seeds.txt", status: 1, what: "not a directory", where: "seeds.txt", do: "choose another place"},
	{name: "a directory below a file", args: "crawl $SITE/ --dir seeds.txt/d", status: 1, what: "not a directory", where: "seeds.txt", do: "choose another place"},
	{name: "a directory of a newer trawl", prepare: func(w *badWorld) { w.write("d/version", "99\n") }, args: "crawl $SITE/ --dir d", status: 1, what: "written by a newer trawl", where: "d ", do: "use that trawl"},
	{name: "a directory whose version is broken", prepare: func(w *badWorld) { w.write("d/version", "x\n") }, args: "crawl $SITE/ --dir d", status: 1, what: "does not hold a version", where: "d: file version", do: "choose another one"},
	{name: "status of no crawl", args: "status www", status: 2, what: "holds no crawl", where: "www", do: "crawl directory"},
	{name: "export of no crawl", args: "export www -o x.csv", status: 2, what: "holds no crawl", where: "www", do: "crawl directory"},
	{name: "export of nothing", args: "export gone -o x.csv", status: 2, what: "does not exist", where: "gone", do: "crawl directory"},
	{name: "explain in no crawl", args: "explain www $SITE/", status: 2, what: "holds no crawl", where: "www", do: "crawl directory"},
	{name: "check of no crawl", args: "check www", status: 2, what: "holds no crawl", where: "www", do: "crawl directory"},
	{name: "pause where nothing runs", args: "pause d", status: 1, what: "no trawl answers", where: "d/control.sock", do: "is the job running there?"},

	// Directories in use.
	{name: "crawl in use", prepare: (*badWorld).inUse, args: "crawl $SITE/ --dir d", status: 1, what: "in use", where: "d is", do: "process ", opens: "d"},
	{name: "begin anew in use", prepare: (*badWorld).inUse, args: "crawl $SITE/ --dir d --fresh", status: 1, what: "in use", where: "d is", do: "process ", opens: "d"},
	{name: "check in use", prepare: (*badWorld).inUse, args: "check d", status: 1, what: "in use", where: "d is", do: "process ", opens: "d"},

	// Disks that take nothing.
	{name: "crawl on a read-only disk", prepare: (*badWorld).readOnly, args: "crawl $SITE/new --dir disk/d", status: 1, what: "read-only file system", where: "disk/d", do: "choose another place"},
	{name: "a new crawl on a read-only disk", prepare: (*badWorld).readOnly, args: "crawl $SITE/ --dir disk/new", status: 1, what: "read-only file system", where: "disk/new", do: "choose another place"},
	{name: "begin anew on a read-only disk", prepare: (*badWorld).readOnly, args: "crawl $SITE/ --dir disk/d --fresh", status: 1, what: "read-only file system", where: "disk/d", do: "choose another place"},
	{name: "export to a read-only disk", prepare: (*badWorld).readOnly, args: "export d -o disk/x.csv", status: 1, what: "read-only file system", where: "export disk/x.csv", do: "choose another place"},
	{name: "repair on a read-only disk", prepare: func(w *badWorld) { w.remove("d/archive/*"); w.readOnly() }, args: "check --repair disk/d", status: 1, what: "read-only file system", where: "disk/d", do: "let it be written"},
	{name: "crawl on a full disk", prepare: (*badWorld).full, args: "crawl $SITE/new --dir disk/d --quiet", status: 1, what: "no space left on device", where: "ledger disk/d/ledger", do: "make room on it, and start again", opens: "disk/d"},
	{name: "a new crawl on a full disk", prepare: (*badWorld).full, args: "crawl $SITE/ --dir disk/new --quiet", status: 1, what: "no space left on device", where: "disk/new", do: "make room on that disk, and give the same command again", makes: "disk/new"},
	{name: "export to a full disk", prepare: (*badWorld).full, args: "export d -o disk/x.csv", status: 1, what: "no space left on device", where: "export disk/x.csv", do: "make room on that disk"},

	// Ports.
	{name: "a gossip port that is taken", prepare: func(w *badWorld) { w.taken(w.port) }, args: "scheduler $SITE/new --dir d --delay 0 --bind 127.0.0.1:$PORT", status: 1, what: "already in use", where: "127.0.0.1:$PORT", do: "--bind", opens: "d"},
	{name: "a queue port that is taken", prepare: func(w *badWorld) { w.taken(w.port + 1) }, args: "scheduler $SITE/new --dir d --delay 0 --bind 127.0.0.1:$PORT", status: 1, what: "already in use", where: "127.0.0.1:", do: "--bind", opens: "d"},
	{name: "a control port that is taken", prepare: func(w *badWorld) { w.taken(w.port + 2) }, args: "scheduler $SITE/new --dir d --delay 0 --bind 127.0.0.1:$PORT", status: 1, what: "already in use", where: "127.0.0.1:", do: "--bind", opens: "d"},
	{name: "a fetcher's port that is taken", prepare: func(w *badWorld) { w.taken(w.port) }, args: "fetcher --join 127.0.0.1:1 --dir f --bind 127.0.0.1:$PORT", status: 1, what: "already in use", where: "127.0.0.1:$PORT", do: "--bind", makes: "f"},
}

// damages are ways in which a ledger can be broken; every command on such a directory must say so.
var damages = map[string]func(*badWorld){
	"a table is overwritten":            func(w *badWorld) { w.damage("d/ledger/*.sst") },
	"a table is gone":                   func(w *badWorld) { w.remove("d/ledger/*.sst") },
	"the list of tables is overwritten": func(w *badWorld) { w.damage("d/ledger/MANIFEST-*") },
	"the list of tables is gone":        func(w *badWorld) { w.remove("d/ledger/MANIFEST-*") },
	"the list of tables is not named":   func(w *badWorld) { w.remove("d/ledger/marker.manifest.*") },
	"a table is a directory": func(w *badWorld) {
		name := w.one("d/ledger/*.sst")
		w.remove("d/ledger/*.sst")
		if err := os.Mkdir(name, 0o700); err != nil {
			w.t.Fatal(err)
		}
	},
}

// onDamage are the commands that open a ledger.
var onDamage = map[string]string{
	"crawl":   "crawl $SITE/new --dir d --quiet",
	"status":  "status d",
	"export":  "export d -o rows.csv",
	"explain": "explain d $SITE/",
	"check":   "check d",
	"repair":  "check --repair d",
}

func badConfig(text string) func(*badWorld) { return func(w *badWorld) { w.write("c.yaml", text) } }

func (w *badWorld) locked() {
	if os.Geteuid() == 0 {
		w.t.Skip("root may read everything")
	}
	w.write("locked.txt", w.site+"/\n")
	if err := os.Chmod(w.path("locked.txt"), 0); err != nil {
		w.t.Fatal(err)
	}
}

// newBadWorlds makes the crawl that every world gets a copy of.
func newBadWorlds(t *testing.T) func(t *testing.T) *badWorld {
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			fmt.Fprint(rw, "<a href=a>a</a><a href=b>b</a>")
		case "/a", "/b":
			fmt.Fprint(rw, "ok")
		default:
			http.NotFound(rw, r)
		}
	}))
	t.Cleanup(site.Close)
	first := &badWorld{t: t, dir: t.TempDir(), site: site.URL}
	if status, _, stderr := first.run("crawl", "$SITE/", "--dir", "d", "--delay", "0", "--quiet"); status != exitDone {
		t.Fatalf("the crawl to begin with: status %d\n%s", status, stderr)
	}
	return func(t *testing.T) *badWorld {
		t.Helper()
		port, err := demo.FreePorts(3)
		if err != nil {
			t.Fatal(err)
		}
		w := &badWorld{t: t, dir: t.TempDir(), site: site.URL, port: port}
		if err := os.CopyFS(w.path("d"), os.DirFS(first.path("d"))); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(w.path("www"), 0o700); err != nil {
			t.Fatal(err)
		}
		w.write("www/index.html", "mine")
		w.write("seeds.txt", site.URL+"/\n")
		return w
	}
}

// try runs a case.
func (c *badInput) try(t *testing.T, w *badWorld) {
	t.Helper()
	rows := w.rows("d")
	if c.prepare != nil {
		c.prepare(w)
	}
	before := w.files()
	status, stdout, stderr := w.run(strings.Fields(c.args)...)
	if status != c.status {
		t.Errorf("exit status %d, want %d", status, c.status)
	}
	if stdout != "" {
		t.Errorf("standard output: %s", stdout)
	}
	where := strings.ReplaceAll(c.where, "$PORT", strconv.Itoa(w.port))
	for part, want := range map[string]string{"what": c.what, "where": where, "what to do": c.do} {
		if !strings.Contains(stderr, want) {
			t.Errorf("it does not say %s: no %q", part, want)
		}
	}
	if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "trawl: ") {
		t.Error("it is not one line")
	}
	c.untouched(t, w, before, rows)
	if t.Failed() {
		t.Logf("trawl %s\n%s", c.args, stderr)
	}
}

// untouched compares what is there with what was there before.
func (c *badInput) untouched(t *testing.T, w *badWorld, before map[string]string, rows string) {
	t.Helper()
	after := w.files()
	for _, all := range []map[string]string{before, after} {
		maps.DeleteFunc(all, func(name, _ string) bool {
			if c.makes != "" && (name == c.makes || strings.HasPrefix(name, c.makes+"/")) {
				return true
			}
			renewed := strings.HasPrefix(name, c.opens+"/ledger/") && (!w.harmed || before[name] == "" || !strings.HasSuffix(name, ".sst"))
			note := name == c.opens+"/seed-hosts" || name == c.opens+"/incoming/bodies" // no data: a note for other jobs, and a directory
			return c.opens != "" && (renewed || note || strings.HasPrefix(name, c.opens+"/queue/"))
		})
	}
	if !maps.Equal(before, after) {
		for _, name := range slices.Sorted(maps.Keys(after)) {
			if before[name] != after[name] {
				t.Errorf("%s was %q and is %q", name, before[name], after[name])
			}
			delete(before, name)
		}
		for name := range before {
			t.Errorf("%s is gone", name)
		}
	}
	if c.opens != "" && !w.busy && !w.harmed && w.rows(c.opens) != rows {
		t.Error("the rows are not what they were")
	}
}

// TestBadInputIsAnsweredInOneLine runs the program with every kind of bad input: it says in one line what is wrong, where,
// and what to do, has the right exit status, and leaves all data as it was.
func TestBadInputIsAnsweredInOneLine(t *testing.T) {
	world := newBadWorlds(t)
	for _, c := range badInputs {
		t.Run(c.name, func(t *testing.T) { c.try(t, world(t)) })
	}
	for damage, harm := range damages {
		for command, args := range onDamage {
			c := badInput{prepare: harm, args: args, status: exitFailed, what: "damaged", where: "d/ledger", do: "restore a backup of it, or crawl anew with --fresh"}
			if command == "crawl" || command == "repair" { // they open it for writing
				c.opens = "d"
			}
			t.Run(command+" where "+damage, func(t *testing.T) {
				w := world(t)
				w.harmed = true
				c.try(t, w)
			})
		}
	}
}

// TestADiskThatCanOnlyBeReadCanBeRead: what only looks at a crawl works there, too.
func TestADiskThatCanOnlyBeReadCanBeRead(t *testing.T) {
	w := newBadWorlds(t)(t)
	rows := w.rows("d")
	w.readOnly()
	if w.rows("disk/d") != rows {
		t.Error("other rows are exported than before")
	}
	for _, args := range []string{"status disk/d", "explain disk/d $SITE/", "check disk/d"} {
		if status, stdout, stderr := w.run(strings.Fields(args)...); status != exitDone || stdout == "" || stderr != "" {
			t.Errorf("trawl %s: status %d, it said %s%s", args, status, stdout, stderr)
		}
	}
}

// TestAFullDiskLosesNothing: a crawl that could not be written goes on as soon as there is room.
func TestAFullDiskLosesNothing(t *testing.T) {
	w := newBadWorlds(t)(t)
	w.full()
	if status, _, stderr := w.run("crawl", "$SITE/new", "--dir", "disk/d", "--delay", "0", "--min-free", "0", "--quiet"); status != exitFailed {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	if err := os.Remove(w.path("disk/ballast")); err != nil {
		t.Fatal(err)
	}
	status, _, stderr := w.run("crawl", "$SITE/new", "--dir", "disk/d", "--delay", "0", "--min-free", "0", "--quiet")
	if status != exitDone || !strings.Contains(stderr, "4 URLs seen = 3 fetched + 1 failed") {
		t.Errorf("with room again: status %d\n%s", status, stderr)
	}
	if status, _, stderr := w.run("check", "disk/d"); status != exitDone {
		t.Errorf("check: status %d\n%s", status, stderr)
	}
}
