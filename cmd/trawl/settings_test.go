package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestNamesOfSettingsAreFlagsOnTheCommandLineAlone(t *testing.T) {
	p := &program{}
	p.learn([]*cobra.Command{p.crawlCommand()})
	for text, want := range map[string]string{
		"`depth` -1: use 0 or more":          "--depth -1: use 0 or more",
		"`max-pages` and `min-free`":         "--max-pages and --min-free",
		"`kind` is crawl there":              "kind is crawl there",
		"missing closing ): `(`":             "missing closing ): `(`",
		"use `trawl status`, or `make` it":   "use `trawl status`, or `make` it",
		"hosts: a.test: delay 25h: too much": "hosts: a.test: delay 25h: too much",
	} {
		if got := p.spell(text); got != want {
			t.Errorf("%q is told as %q, want %q", text, got, want)
		}
	}
	for _, format := range []string{"text", "json"} {
		var told bytes.Buffer
		p.stderr = &told
		p.logger(&logFlags{format: format}, new(slog.LevelVar)).Warn("make room or lower `min-free`", "error", "`dir` is full")
		if !strings.Contains(told.String(), "lower --min-free") || !strings.Contains(told.String(), "--dir is full") {
			t.Errorf("the log says %s", &told)
		}
	}
}
