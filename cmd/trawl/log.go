package main

import (
	"log/slog"

	"github.com/spf13/pflag"
)

// logFlags say what a command tells on standard error.
type logFlags struct {
	quiet         bool
	format, level string
}

func (f *logFlags) add(fs *pflag.FlagSet, quiet string) {
	fs.BoolVar(&f.quiet, "quiet", false, quiet)
	fs.StringVar(&f.format, "log-format", "text", "text or json")
	fs.StringVar(&f.level, "log-level", "", "debug, info, warn or error (default info, with --quiet warn)")
}

func (f *logFlags) check() error {
	if f.format != "text" && f.format != "json" {
		return usage("--log-format %q: use text or json", f.format)
	}
	var level slog.Level
	if f.level != "" && level.UnmarshalText([]byte(f.level)) != nil {
		return usage("--log-level %q: use debug, info, warn or error", f.level)
	}
	return nil
}

// logger writes to standard error; its level is put into level, through which it can be changed.
func (p *program) logger(f *logFlags, level *slog.LevelVar) *slog.Logger {
	if f.quiet {
		level.Set(slog.LevelWarn)
	}
	var given slog.Level
	if f.level != "" && given.UnmarshalText([]byte(f.level)) == nil { // looked at by check
		level.Set(given)
	}
	o := &slog.HandlerOptions{Level: level}
	if f.format == "json" {
		return slog.New(slog.NewJSONHandler(speller{p.stderr, p}, o))
	}
	return slog.New(slog.NewTextHandler(speller{p.stderr, p}, o))
}
