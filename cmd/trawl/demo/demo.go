package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"trawl/cmd/trawl/view"
	"trawl/crawler"
	"trawl/storage/crawldir"
)

const (
	// fetcherCount is how many fetcher processes join.
	fetcherCount = 3
	// limit bounds the demo.
	limit = 2 * time.Minute
	// mark is a file that only the demo makes; a directory with it may be made again.
	mark = "made-by-trawl-demo"
	// maxRow is the longest row of the export that is read, in bytes.
	maxRow = 64 << 20
)

// demo runs the processes of the demo. What they print is shown with their names in front.
type demo struct {
	out io.Writer
	dir string
	exe string

	mu    sync.Mutex // held while a line is printed
	procs []*process
}

type process struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // valid after ended
}

// Run runs the demo in dir, and shows what its processes print and what came of it.
func Run(parent context.Context, out io.Writer, dir string) (err error) {
	d := &demo{out: out, dir: dir}
	ctx, cancel := context.WithTimeout(parent, limit)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer d.killAll()
	if d.exe, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if err := d.prepare(); err != nil {
		return err
	}
	begin := time.Now()
	web, err := d.startWeb(ctx)
	if err != nil {
		return err
	}
	port, err := FreePorts(3)
	if err != nil {
		return err
	}
	secret := filepath.Join(d.dir, "secret")
	if err := d.makeSecret(secret); err != nil {
		return err
	}
	export := filepath.Join(d.dir, "pages.jsonl")
	scheduler, err := d.start("scheduler", "scheduler", d.seeds(), "--dir", filepath.Join(d.dir, "crawl"),
		"--bind", fmt.Sprintf("127.0.0.1:%d", port), "--secret-file", secret, "--delay", delay.String(), "--export", export)
	if err != nil {
		return err
	}
	fetchers := make([]*process, fetcherCount)
	for i := range fetchers {
		name := fmt.Sprintf("fetcher-%d", i+1)
		fetchers[i], err = d.start(name, "fetcher", "--join", fmt.Sprintf("127.0.0.1:%d", port),
			"--secret-file", secret, "--dir", filepath.Join(d.dir, name), "--name", name)
		if err != nil {
			return err
		}
	}
	for _, proc := range append([]*process{scheduler}, fetchers...) {
		if err := d.wait(ctx, proc); err != nil {
			return err
		}
	}
	if err := d.stopWeb(ctx, web); err != nil {
		return err
	}
	return d.show(export, time.Since(begin))
}

// prepare makes the directory; one of an earlier demo is made again.
func (d *demo) prepare() error {
	if entries, err := os.ReadDir(d.dir); err == nil && len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(d.dir, mark)); err != nil {
			return crawler.UsageError(fmt.Errorf("%s is not empty and was not made by the demo: choose another --dir", d.dir))
		}
		if err := os.RemoveAll(d.dir); err != nil {
			return fmt.Errorf("remove the last demo: %w", err)
		}
	}
	if err := os.MkdirAll(d.dir, 0o777); err != nil {
		return fmt.Errorf("make demo directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, mark), nil, 0o600); err != nil {
		return fmt.Errorf("make demo directory: %w", err)
	}
	return nil
}

func (d *demo) seeds() string { return filepath.Join(d.dir, "seeds.txt") }

func (d *demo) startWeb(ctx context.Context) (*process, error) {
	web, err := d.start("web", "demo", "--web", "--seeds", d.seeds(), "--audit", filepath.Join(d.dir, "audit.json"))
	if err != nil {
		return nil, err
	}
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for {
		if _, err := os.Stat(d.seeds()); err == nil {
			return web, nil
		}
		select {
		case <-t.C:
		case <-web.ended:
			return nil, fmt.Errorf("the synthetic web did not start: %w", web.err)
		case <-ctx.Done():
			return nil, d.interrupted(ctx)
		}
	}
}

func (d *demo) stopWeb(ctx context.Context, web *process) error {
	if err := web.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("stop the synthetic web: %w", err)
	}
	return d.wait(ctx, web)
}

func (d *demo) makeSecret(file string) error {
	d.printCommand([]string{"secret", ">", file})
	out, err := exec.Command(d.exe, "secret").Output()
	if err != nil {
		return fmt.Errorf("make a secret: %w", err)
	}
	if err := os.WriteFile(file, out, 0o600); err != nil {
		return fmt.Errorf("make a secret: %w", err)
	}
	return nil
}

func (d *demo) printCommand(args []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, "$ trawl %s\n", strings.Join(args, " "))
}

// start runs this program with other arguments.
func (d *demo) start(name string, args ...string) (*process, error) {
	d.printCommand(args)
	proc := &process{name: name, cmd: exec.Command(d.exe, args...), ended: make(chan struct{})}
	r, w := io.Pipe()
	proc.cmd.Stdout, proc.cmd.Stderr = w, w
	if err := proc.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	var copied sync.WaitGroup
	copied.Go(func() { d.copyLines(name, r) })
	go func() {
		proc.err = proc.cmd.Wait()
		w.Close()
		copied.Wait()
		close(proc.ended)
	}()
	d.procs = append(d.procs, proc)
	return proc, nil
}

func (d *demo) copyLines(name string, r io.Reader) {
	for in := bufio.NewScanner(r); in.Scan(); {
		d.mu.Lock()
		fmt.Fprintf(d.out, "%-10s| %s\n", name, in.Text())
		d.mu.Unlock()
	}
}

func (d *demo) wait(ctx context.Context, proc *process) error {
	select {
	case <-proc.ended:
		if proc.err != nil {
			return fmt.Errorf("%s: %w", proc.name, proc.err)
		}
		return nil
	case <-ctx.Done():
		return d.interrupted(ctx)
	}
}

func (d *demo) interrupted(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("the demo took more than %v; what it made is in %s", limit, d.dir)
	}
	return fmt.Errorf("the demo was interrupted; what it made is in %s", d.dir)
}

func (d *demo) killAll() {
	for _, proc := range d.procs {
		select {
		case <-proc.ended:
		default:
			_ = proc.cmd.Process.Kill() // it may have ended meanwhile
			<-proc.ended
		}
	}
}

// show prints what came of it.
func (d *demo) show(export string, took time.Duration) error {
	f, err := os.Open(export)
	if err != nil {
		return fmt.Errorf("read the export: %w", err)
	}
	defer f.Close()
	fetched, rows := map[string]int{}, 0
	in := bufio.NewScanner(f)
	in.Buffer(nil, maxRow)
	var sample []string
	for ; in.Scan(); rows++ {
		var row struct{ Outcome, Fetcher string }
		if err := json.Unmarshal(in.Bytes(), &row); err != nil {
			return fmt.Errorf("read the export: %w", err)
		}
		fetched[row.Fetcher]++
		if len(sample) < 2 && row.Outcome == "fetched" {
			sample = append(sample, in.Text())
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("read the export: %w", err)
	}
	fmt.Fprintf(d.out, "\n%d rows in %s after %v; by fetcher: %s\n", rows, export, took.Round(100*time.Millisecond), shares(fetched))
	for _, line := range sample {
		fmt.Fprintf(d.out, "  %s\n", short(line, 160))
	}
	fmt.Fprintf(d.out, "Bodies are in %s, the audit of the web in %s.\n", filepath.Join(d.dir, "crawl", crawldir.ArchiveDir), filepath.Join(d.dir, "audit.json"))
	return nil
}

func shares(m map[string]int) string {
	counts := make(map[string]int64, len(m))
	for k, v := range m {
		if k != "" {
			counts[k] = int64(v)
		}
	}
	return view.Words(counts)
}

func short(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

// FreePorts finds n free ports in a row.
func FreePorts(n int) (int, error) {
	for range 100 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, fmt.Errorf("find free ports: %w", err)
		}
		port := first.Addr().(*net.TCPAddr).Port
		free := true
		for i := 1; i < n && free; i++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+i))
			if free = err == nil; free {
				l.Close()
			}
		}
		first.Close()
		if free && port+n < 1<<16 {
			return port, nil
		}
	}
	return 0, errors.New("find free ports: there are not enough")
}
