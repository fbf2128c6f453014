package control

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"trawl/crawler"
)

// addSteering reads added seeds to the end, and tells each line and how it ended.
type addSteering struct {
	lines chan string
	ended chan error
}

func (addSteering) Change(context.Context, crawler.Change) error                 { return nil }
func (addSteering) Export(context.Context, io.Writer, url.Values) (int64, error) { return 0, nil }
func (s addSteering) Add(_ context.Context, list io.Reader) (crawler.Added, error) {
	in := bufio.NewScanner(list)
	for in.Scan() {
		s.lines <- in.Text()
	}
	s.ended <- in.Err()
	return crawler.Added{}, in.Err()
}

func TestControlTakesSeedsAsTheyComeAndEndsMeanwhile(t *testing.T) {
	s := addSteering{lines: make(chan string), ended: make(chan error, 1)}
	a := startControl(t, Options{Socket: filepath.Join(t.TempDir(), "s"), Steering: s})
	c := clientTo(t, a.opts.Socket, nil)
	r, w := io.Pipe()
	defer w.Close()
	added := make(chan error, 1)
	go func() {
		_, err := c.Add(context.Background(), r)
		added <- err
	}()
	for _, line := range []string{"http://a.test/", "http://b.test/"} {
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			t.Fatal(err)
		}
		if got := <-s.lines; got != line {
			t.Errorf("line %q, want %q", got, line)
		}
	}
	a.end(t) // while the client is silent
	if err := <-s.ended; !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.Canceled) {
		t.Errorf("the reading ended with %v: only when its connection was closed", err)
	}
	w.Close()
	if err := <-added; err == nil {
		t.Error("the client was told that its list is whole")
	}
}
