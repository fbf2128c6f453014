package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// loopSettings say which loop this process is.
type loopSettings struct {
	kind   string // a key of loops
	urls   string // file
	to     string // where what was fetched is saved
	passes int    // over all URLs
}

func (s *loopSettings) flags(f *flag.FlagSet) {
	f.StringVar(&s.kind, "loop", "", "used by bench itself")
	f.StringVar(&s.urls, "urls", "", "used by bench itself")
	f.StringVar(&s.to, "to", "", "used by bench itself")
	f.IntVar(&s.passes, "passes", 1, "used by bench itself")
}

func (s *loopSettings) run(ctx context.Context, n int) error {
	l, ok := loops[s.kind]
	if !ok {
		return fmt.Errorf("no loop is named %q", s.kind)
	}
	return l(ctx, *s, n)
}

// loops are the loops by name, each with n requests open at once.
var loops = map[string]func(ctx context.Context, s loopSettings, n int) error{
	"bare": func(ctx context.Context, s loopSettings, n int) error { return bareLoop(ctx, s, n, true) },
	"gzip": func(ctx context.Context, s loopSettings, n int) error { return bareLoop(ctx, s, n, false) },
	"raw":  rawLoop,
	"save": saveLoop, "append": appendLoop,
}

// loop gives all URLs of a file to n goroutines, one after the other, as often as passes says.
func loop(ctx context.Context, s loopSettings, n int, worker func() func(u string) error) error {
	text, err := os.ReadFile(s.urls)
	if err != nil {
		return err
	}
	urls := strings.Fields(string(text))
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range n {
		g.Go(func() error {
			get := worker()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(urls)*s.passes {
					return nil
				}
				u := urls[i%len(urls)]
				if err := get(u); err != nil {
					return fmt.Errorf("%s: %w", u, err)
				}
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}

// bareLoop is what trawl is measured against: net/http, bodies read, nothing else. What comes in gzip is
// decoded by net/http, unless identity asks for plain bodies.
func bareLoop(ctx context.Context, s loopSettings, n int, identity bool) error {
	c := newClient(n, identity)
	return loop(ctx, s, n, func() func(string) error {
		return func(u string) error {
			_, err := get(ctx, c, u, io.Discard)
			return err
		}
	})
}

func newClient(n int, identity bool) *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConns: 0, MaxIdleConnsPerHost: n, DisableCompression: identity}}
}

// get copies the body of a URL.
func get(ctx context.Context, c *http.Client, u string, to io.Writer) (int64, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return 0, err
	}
	r, err := c.Do(q)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("status %s", r.Status)
	}
	return io.Copy(to, r.Body)
}
