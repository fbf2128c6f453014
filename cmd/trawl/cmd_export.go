package main

import (
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"trawl"
	"trawl/cmd/trawl/view"
	"trawl/crawler"
	"trawl/crawler/weburl"
)

func (p *program) exportCommand() *cobra.Command {
	o := trawl.ExportOptions{Stdout: p.stdout}
	var outcomes, hosts []string
	var since string
	c := &cobra.Command{
		Use:     "export DIR -o FILE",
		Short:   "Write the rows of a crawl to a file",
		Long:    "Write the rows of a crawl, also of a running one, to FILE (or - for standard output). The format comes from the\nfile's ending (.jsonl, .csv, .parquet), or --format.",
		Example: "  trawl export example.com.trawl -o pages.parquet\n  trawl export example.com.trawl -o - --outcome failed",
		Args:    exactArgs(1, "a crawl directory"),
	}
	c.Flags().StringVarP(&o.Out, "output", "o", "", "file to write, - for standard output")
	c.Flags().StringVar(&o.Format, "format", "", "jsonl, csv or parquet")
	c.Flags().StringSliceVar(&outcomes, "outcome", nil, "only rows with these outcomes")
	c.Flags().StringSliceVar(&hosts, "host", nil, "only rows of these hosts")
	c.Flags().StringVar(&since, "since", "", "only rows fetched since: a date, a time (RFC 3339), or a duration such as 2h before now")
	c.RunE = func(c *cobra.Command, args []string) error {
		if o.Out == "" {
			return usage("-o FILE is needed, for instance -o pages.jsonl")
		}
		var err error
		if o.Filter, err = rowFilter(outcomes, hosts, since, time.Now()); err != nil {
			return err
		}
		if o.Out == "-" {
			signal.Ignore(syscall.SIGPIPE) // a reader that leaves is no failure
		}
		t, err := trawl.OpenDir(c.Context(), args[0])
		if err != nil {
			return err
		}
		defer t.Close()
		n, err := trawl.Export(c.Context(), t, o)
		if err != nil {
			return err
		}
		if o.Out != "-" && n >= 0 {
			fmt.Fprintf(p.stderr, "%s rows in %s\n", view.Count(n), o.Out)
		}
		return nil
	}
	return c
}

func rowFilter(outcomes, hosts []string, since string, now time.Time) (f trawl.Filter, err error) {
	for _, word := range outcomes {
		o, err := crawler.ParseOutcome(word)
		if err != nil {
			return f, usage("--outcome: %v", err)
		}
		f.Outcomes = append(f.Outcomes, o)
	}
	for _, h := range hosts {
		f.Hosts = append(f.Hosts, weburl.Host(strings.ToLower(h)))
	}
	if since == "" {
		return f, nil
	}
	if d, err := time.ParseDuration(since); err == nil {
		f.Since = now.Add(-d)
		return f, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if f.Since, err = time.Parse(layout, since); err == nil {
			return f, nil
		}
	}
	return f, usage("--since %q: write 2026-01-31, 2026-01-31T12:00:00Z, or a duration such as 2h", since)
}
