package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"trawl"
	"trawl/cmd/trawl/view"
	"trawl/crawler"
)

func (p *program) statusCommand() *cobra.Command {
	var asJSON bool
	var keys keyFlags
	c := &cobra.Command{
		Use:     "status TARGET",
		Short:   "Where a job stands",
		Long:    "Where a job stands. TARGET is a crawl directory on this machine, or HOST:PORT of a node's control address.",
		Example: "  trawl status example.com.trawl",
		Args:    exactArgs(1, "a crawl directory or HOST:PORT"),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	keys.add(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		ring, err := keys.ask(p)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Context(), 10*time.Second)
		defer cancel()
		t, err := trawl.Open(ctx, args[0], ring)
		if err != nil {
			return err
		}
		defer t.Close()
		s, err := t.Status(ctx)
		if err != nil {
			return err
		}
		if asJSON {
			e := json.NewEncoder(p.stdout)
			e.SetIndent("", "  ")
			return e.Encode(s)
		}
		p.printStatus(s)
		return nil
	}
	return c
}

func (p *program) printStatus(s crawler.Status) {
	fmt.Fprintf(p.stdout, "%s (%s): %s\n", s.Job, s.Kind, s.State)
	if s.Kind == trawl.KindFetcher {
		p.printFetcher(&s)
		return
	}
	fmt.Fprintf(p.stdout, "  %s\n", balance(s))
	if len(s.Reasons) > 0 {
		fmt.Fprintf(p.stdout, "  why: %s\n", view.Words(s.Reasons))
	}
	if len(s.Dropped) > 0 {
		fmt.Fprintf(p.stdout, "  links not admitted: %s\n", view.Words(s.Dropped))
	}
	fmt.Fprintf(p.stdout, "  %s, %s requests, %s hosts\n", view.Bytes(s.Bytes), view.Count(s.Requests), view.Count(s.Hosts))
	if s.State == "running" || s.State == "paused" || s.State == "stopping" {
		fmt.Fprintf(p.stdout, "  %.1f pages/s, %s/s; %d hosts being asked, %d offered, %d slots\n", s.PagesPerSecond, view.Bytes(int64(s.BytesPerSecond)), s.HostsHeld, s.HostsOffered, s.Slots)
	}
	if s.WaitsFor != "" {
		fmt.Fprintf(p.stdout, "  %s\n", s.WaitsFor)
	}
	if s.Parked > 0 {
		fmt.Fprintf(p.stdout, "  %s URLs wait beyond a limit\n", view.Count(s.Parked))
	}
	if s.QueueReplicas > 0 {
		fmt.Fprintf(p.stdout, "  the NATS servers keep %s of each queue\n", copies(s.QueueReplicas))
	}
	switch at := s.LastBackup.Local().Format(time.DateTime); {
	case s.BackupProblem != "" && s.LastBackup.IsZero():
		fmt.Fprintf(p.stdout, "  no backup since the start: %s\n", printable(p.spell(s.BackupProblem)))
	case s.BackupProblem != "":
		fmt.Fprintf(p.stdout, "  last backup %s; a later one failed: %s\n", at, printable(p.spell(s.BackupProblem)))
	case !s.LastBackup.IsZero():
		fmt.Fprintf(p.stdout, "  last backup %s\n", at)
	}
	for _, f := range s.Fetchers {
		fmt.Fprintf(p.stdout, "  fetcher %s: %s fetches, %d turns, %d slots\n", f.Name, view.Count(f.Pages), f.Turns, f.Slots)
		if text := f.SilentText(); text != "" {
			fmt.Fprintf(p.stdout, "    it %s\n", text)
		}
	}
}

// printFetcher reports what a fetcher node is at; it knows nothing of the job as a whole.
func (p *program) printFetcher(s *crawler.Status) {
	if s.WaitsFor != "" {
		fmt.Fprintf(p.stdout, "  %s\n", s.WaitsFor)
	}
	for _, f := range s.Fetchers {
		fmt.Fprintf(p.stdout, "  %s fetches, %d turns, %d slots\n", view.Count(f.Pages), f.Turns, f.Slots)
		if text := f.SilentText(); text != "" {
			fmt.Fprintf(p.stdout, "  it %s\n", text)
		}
	}
}

func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%s needs %s; see %s --help", c.CommandPath(), what, c.CommandPath())
		}
		return nil
	}
}

func copies(n int) string {
	if n == 1 {
		return "one copy"
	}
	return fmt.Sprintf("%d copies", n)
}
