package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// roundTime is how long a tool may take for a round; what it did until then counts.
const roundTime = 2 * time.Minute

// measurement is one run of bench.
type measurement struct {
	settings
	farm    string // program
	dir     string
	log     io.Writer
	started time.Time
	studies []*study
}

// study runs all tools of a scenario in all rounds.
func (m *measurement) study(ctx context.Context, sc *scenario) error {
	shape := sc.shape
	if m.quick {
		shape = sc.small
	}
	if m.hosts > 0 {
		shape.hosts = m.hosts
	}
	if m.pages > 0 {
		shape.pages = m.pages
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir := filepath.Join(m.dir, sc.name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	w, err := startWeb(ctx, m.farm, dir, shape)
	if err != nil {
		return err
	}
	defer w.stop()
	s := &study{scenario: sc, settings: m.settings, shape: shape, total: len(w.list)}
	s.tools = sc.tools(kit{settings: m.settings, self: self, shape: shape})
	m.studies = append(m.studies, s)
	if s.tools[0].passes > 0 { // so that the first round of a loop is like the others: the web has its pages
		if _, err := m.round(ctx, s.tools[0], w, filepath.Join(dir, "warm")); err != nil {
			return err
		}
	}
	for i := range m.rounds {
		for _, t := range s.tools {
			if !t.more(i) || m.quick && t.program != "" {
				continue
			}
			fmt.Fprintf(m.log, "%s, round %d of %d: %s\n", sc.name, i+1, m.rounds, t.name)
			o, err := m.round(ctx, t, w, filepath.Join(dir, fmt.Sprintf("%s-%d", t.name, i+1)))
			if err == nil && o.cut && t.own {
				err = fmt.Errorf("it did not end within %v", roundTime)
			}
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil: // half an hour of other figures is not thrown away for it
				t.broken = fmt.Errorf("round %d: %w", i+1, err)
			default:
				t.done = append(t.done, o)
			}
		}
	}
	return nil
}

// round measures a tool once in a directory of its own.
func (m *measurement) round(ctx context.Context, t *tool, w *web, dir string) (o outcome, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return o, err
	}
	if m.keep == "" {
		defer os.RemoveAll(dir)
	}
	if err := w.reset(ctx); err != nil {
		return o, err
	}
	limited, cancel := context.WithTimeout(ctx, cmp.Or(t.limit, roundTime))
	defer cancel()
	r := newRound(w, dir)
	start := time.Now()
	seen, unwatch := context.WithCancel(ctx)
	lines := make(chan timeline, 1)
	go func() { lines <- watch(seen, r, start) }()
	err = t.do(limited, r)
	r.usage.wall = time.Since(start)
	unwatch()
	o.line = <-lines
	if ctx.Err() != nil {
		return o, ctx.Err()
	}
	o.usage, o.cut = r.usage, limited.Err() != nil
	var status *exec.ExitError
	switch {
	case err == nil || o.cut:
	case t.own || !errors.As(err, &status):
		return o, err
	default:
		o.failed = err
	}
	a, err := w.audit(ctx)
	if err != nil {
		return o, err
	}
	o.audit = a.Total
	if t.after != nil {
		o.written = t.after(r)
	}
	return o, nil
}
