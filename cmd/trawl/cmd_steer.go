package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"trawl"
	"trawl/cluster"
	"trawl/crawler"
)

// steerTimeout bounds a command that changes a running job.
const steerTimeout = 6 * time.Minute

// steerCommand is a command that talks to a running job.
func (p *program) steerCommand(use, short, example string, args cobra.PositionalArgs, run func(ctx context.Context, keys *cluster.Keyring, args []string) error) *cobra.Command {
	var keys keyFlags
	c := &cobra.Command{
		Use: use, Short: short, Example: example, Args: args,
		Long: short + ". TARGET is a crawl directory on this machine, or HOST:PORT of a node's control address.",
	}
	keys.add(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		ring, err := keys.ask(p)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Context(), steerTimeout)
		defer cancel()
		return run(ctx, ring, args)
	}
	return c
}

func (p *program) steerCommands() []*cobra.Command {
	target := exactArgs(1, "a crawl directory or HOST:PORT")
	pause := func(on bool, told string) func(context.Context, *cluster.Keyring, []string) error {
		return func(ctx context.Context, keys *cluster.Keyring, args []string) error {
			if err := trawl.Change(ctx, args[0], keys, crawler.Change{Pause: &on}); err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, told)
			return nil
		}
	}
	return []*cobra.Command{
		p.steerCommand("pause TARGET", "Pause a running job: fetchers end what they are at and take no more", "  trawl pause example.com.trawl", target,
			pause(true, "paused; it stays so over restarts, until trawl resume")),
		p.steerCommand("resume TARGET", "Let a paused job go on", "  trawl resume example.com.trawl", target, pause(false, "resumed")),
		p.steerCommand("stop TARGET", "Stop a running job as after an interrupt; the same command goes on with it", "  trawl stop example.com.trawl", target,
			func(ctx context.Context, keys *cluster.Keyring, args []string) error {
				if err := trawl.Stop(ctx, args[0], keys); err != nil {
					return err
				}
				fmt.Fprintln(p.stdout, "stopping")
				return nil
			}),
		p.addCommand(), p.setCommand(),
	}
}

func (p *program) addCommand() *cobra.Command {
	args := func(c *cobra.Command, args []string) error {
		if len(args) < 2 {
			return usage("%s needs a crawl directory or HOST:PORT, and seeds", c.CommandPath())
		}
		return nil
	}
	var lists trawl.Lists
	c := p.steerCommand("add TARGET SEED…", "Give a running job more seeds (URLs, files of URLs, or - for standard input)", "  trawl add example.com.trawl more.txt", args,
		func(ctx context.Context, keys *cluster.Keyring, args []string) error {
			if err := lists.Check(args[1:]); err != nil {
				return err
			}
			var taken, not int64
			bad := p.tellBadSeeds()
			for _, seed := range args[1:] {
				added, err := lists.Add(ctx, args[0], keys, seed, p.stdin, bad)
				if err != nil {
					return err
				}
				p.tellAdded(seed, &added)
				taken, not = taken+added.New+added.Known, not+added.Refused+added.Bad
			}
			if taken == 0 && not > 0 {
				p.status = exitFailed // nothing came of what was asked for
			}
			return nil
		})
	addColumn(c.Flags(), &lists)
	return c
}

// tellAdded tells what came of the seeds of an argument.
func (p *program) tellAdded(seed string, added *crawler.Added) {
	for _, line := range added.Lines {
		fmt.Fprintf(p.stderr, "trawl: %s: %s\n", seed, line)
	}
	told := []string{count(added.New) + " seeds added from " + seed}
	for _, one := range []struct {
		n    int64
		word string
	}{{added.Known, "were known"}, {added.Refused, "are refused by --exclude or for their length"}, {added.Bad, "lines could not be read"}} {
		if one.n > 0 {
			told = append(told, count(one.n)+" "+one.word)
		}
	}
	fmt.Fprintln(p.stdout, strings.Join(told, ", "))
}

func (p *program) setCommand() *cobra.Command {
	var change crawler.Change
	var delayValue, patience delay
	var perHost, depth, workers int
	var logLevel string
	var maxPages, maxBytes, maxPerHost int64
	set := p.steerCommand("set TARGET --NAME VALUE…", "Change settings of a running job; they outlive restarts", "  trawl set example.com.trawl --delay 5s", exactArgs(1, "a crawl directory or HOST:PORT"),
		func(ctx context.Context, keys *cluster.Keyring, args []string) error {
			return trawl.Change(ctx, args[0], keys, change)
		})
	fs := set.Flags()
	fs.Var(&delayValue, "delay", "least time between two requests to a host; a longer one counts at once, a shorter one from each host's next turn")
	fs.IntVar(&perHost, "per-host", 0, "connections to a host")
	fs.IntVar(&depth, "depth", 0, "most links from a seed, -1 for no limit")
	fs.Int64Var(&maxPages, "max-pages", 0, "most URLs fetched, 0 for no limit")
	fs.Var((*size)(&maxBytes), "max-bytes", "most bytes of bodies in all, such as 5GiB; 0 for no limit")
	fs.Int64Var(&maxPerHost, "max-per-host", 0, "most URLs fetched from a host, 0 for no limit")
	fs.IntVar(&workers, "workers", 0, "hosts asked at the same time by each fetcher, 0 for as many as it announces")
	fs.Var(&patience, "host-patience", "how long a host that has answered may be away before its URLs fail")
	fs.StringVar(&logLevel, "log-level", "", "debug, info, warn or error")
	run := set.RunE
	set.RunE = func(c *cobra.Command, args []string) error {
		given := map[string]func(){
			"delay":         func() { d := time.Duration(delayValue); change.Delay = &d },
			"per-host":      func() { change.PerHost = &perHost },
			"depth":         func() { change.Depth = &depth },
			"max-pages":     func() { change.MaxPages = &maxPages },
			"max-bytes":     func() { change.MaxBytes = &maxBytes },
			"max-per-host":  func() { change.MaxPerHost = &maxPerHost },
			"workers":       func() { change.Workers = &workers },
			"host-patience": func() { d := time.Duration(patience); change.HostPatience = &d },
			"log-level":     func() { change.LogLevel = &logLevel },
		}
		any := false
		for name, take := range given {
			if fs.Changed(name) {
				take()
				any = true
			}
		}
		if !any {
			return usage("say what to set: --delay, --per-host, --depth, --max-pages, --max-bytes, --max-per-host, --workers, --host-patience or --log-level")
		}
		if err := run(c, args); err != nil {
			return err
		}
		fmt.Fprintln(p.stdout, "set; it stays so over restarts, until it is set again or the command says something new")
		return nil
	}
	return set
}
