package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"trawl/internal/webfarm"
)

// web is the synthetic web, in a process of its own.
type web struct {
	command *exec.Cmd
	control string
	shape   shape
	seeds   string // file
	urls    string // file, the hosts in turn
	list    []string
	last    tail       // what it says after that; read it after said
	said    chan error // gets a value when it ends
}

// startWeb starts it, and waits until it answers.
func startWeb(ctx context.Context, program, dir string, s shape) (*web, error) {
	w := &web{shape: s, seeds: filepath.Join(dir, "seeds.txt"), urls: filepath.Join(dir, "urls.txt")}
	w.command = command(ctx, dir, program, append(s.flags(), "--control", "127.0.0.1:0", "--seeds", w.seeds)...)
	stderr, err := w.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := w.command.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	_, address, ok := strings.Cut(strings.TrimSpace(line), "control: ")
	if err != nil || !ok {
		w.stop()
		return nil, fmt.Errorf("the synthetic web did not start: %s", line)
	}
	w.said = make(chan error, 1)
	go func() {
		_, err := io.Copy(&w.last, lines)
		w.said <- err
	}()
	w.control = strings.TrimSuffix(address, "/__audit")
	if err := w.writeURLs(ctx); err != nil {
		w.stop()
		return nil, err
	}
	return w, nil
}

// keepCoded is how much the web may keep of what it sends in gzip: all of the largest web.
const keepCoded = 4 << 30

// flags are those of the web's program.
func (s shape) flags() []string {
	out := []string{"--hosts", strconv.Itoa(s.hosts), "--pages", strconv.Itoa(s.pages), "--assets", "-1", "--latency", s.latency.String()}
	if s.bytes > 0 {
		size := strconv.Itoa(s.bytes)
		out = append(out, "--min-bytes", size, "--max-bytes", size)
	}
	if s.flat {
		out = append(out, "--links", "-1")
	}
	if s.gzip {
		out = append(out, "--gzip", "1", "--keep-coded", strconv.Itoa(keepCoded))
	}
	return out
}

func (w *web) stop() {
	w.command.Cancel()
	if w.said != nil {
		<-w.said
	}
	w.command.Wait()
}

// writeURLs writes all URLs with the hosts in turn, so that a client which takes them in this order has
// few connections to each.
func (w *web) writeURLs(ctx context.Context) error {
	text, err := w.ask(ctx, "GET", "/__urls")
	if err != nil {
		return err
	}
	all := strings.Fields(string(text))
	if len(all) != w.shape.total() {
		return fmt.Errorf("the synthetic web has %d URLs, want %d", len(all), w.shape.total())
	}
	for page := range w.shape.pages {
		for host := range w.shape.hosts {
			w.list = append(w.list, all[host*w.shape.pages+page])
		}
	}
	return os.WriteFile(w.urls, []byte(strings.Join(w.list, "\n")+"\n"), 0o644)
}

// gone reports what the web said last, if it has ended.
func (w *web) gone() string {
	select {
	case err := <-w.said:
		w.said <- err
		return fmt.Sprintf("; it has ended: %s", w.last.text)
	default:
		return ""
	}
}

func (w *web) ask(ctx context.Context, method, path string) ([]byte, error) {
	q, err := http.NewRequestWithContext(ctx, method, w.control+path, nil)
	if err != nil {
		return nil, err
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, fmt.Errorf("ask the synthetic web: %w%s", err, w.gone())
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, errors.New("the synthetic web answers " + r.Status)
	}
	return io.ReadAll(r.Body)
}

func (w *web) reset(ctx context.Context) error {
	_, err := w.ask(ctx, "POST", "/__reset")
	return err
}

// sent is how many pages the web has been asked for since the last reset.
func (w *web) sent(ctx context.Context) (int64, error) {
	text, err := w.ask(ctx, "GET", "/__total")
	if err != nil {
		return 0, err
	}
	var t webfarm.Total
	err = json.Unmarshal(text, &t)
	return t.Pages, err
}

func (w *web) audit(ctx context.Context) (a webfarm.Audit, err error) {
	text, err := w.ask(ctx, "GET", "/__audit")
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(text, &a)
}
