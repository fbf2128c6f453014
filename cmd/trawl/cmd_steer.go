package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"trawl"
	"trawl/cmd/trawl/view"
	"trawl/crawler"
)

// steerTimeout bounds a command that changes a running job.
const steerTimeout = 6 * time.Minute

// steerCommand is a command that talks to a running job.
func (p *program) steerCommand(use, short, example string, args cobra.PositionalArgs, run func(ctx context.Context, t trawl.Target, args []string) error) *cobra.Command {
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
		t, err := trawl.Open(ctx, args[0], ring)
		if err != nil {
			return err
		}
		defer t.Close()
		return run(ctx, t, args)
	}
	return c
}

func (p *program) steerCommands() []*cobra.Command {
	target := exactArgs(1, "a crawl directory or HOST:PORT")
	pause := func(on bool, told string) func(context.Context, trawl.Target, []string) error {
		return func(ctx context.Context, t trawl.Target, _ []string) error {
			if err := t.Change(ctx, crawler.Change{Pause: &on}); err != nil {
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
			func(ctx context.Context, t trawl.Target, _ []string) error {
				if err := t.Stop(ctx); err != nil {
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
		func(ctx context.Context, t trawl.Target, args []string) error {
			if err := lists.Check(args[1:]); err != nil {
				return err
			}
			var taken, not int64
			bad := p.tellBadSeeds()
			for _, seed := range args[1:] {
				added, err := lists.Add(ctx, t, seed, p.stdin, bad)
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

// tellAdded reports what came of the seeds of an argument.
func (p *program) tellAdded(seed string, added *crawler.Added) {
	for _, line := range added.Lines {
		fmt.Fprintf(p.stderr, "trawl: %s: %s\n", seed, line)
	}
	told := []string{view.Count(added.New) + " seeds added from " + seed}
	for _, one := range []struct {
		n    int64
		word string
	}{{added.Known, "were known"}, {added.Refused, "are refused by --exclude or for their length"}, {added.Bad, "lines could not be read"}} {
		if one.n > 0 {
			told = append(told, view.Count(one.n)+" "+one.word)
		}
	}
	fmt.Fprintln(p.stdout, strings.Join(told, ", "))
}

func (p *program) setCommand() *cobra.Command {
	var change crawler.Change
	set := p.steerCommand("set TARGET --NAME VALUE…", "Change settings of a running job; they outlive restarts", "  trawl set example.com.trawl --delay 5s --timeout 2m", exactArgs(1, "a crawl directory or HOST:PORT"),
		func(ctx context.Context, t trawl.Target, _ []string) error {
			return t.Change(ctx, change)
		})
	set.Long += "\nWhat concerns requests and pages counts from each host's next turn; rows that are there stay as they are (--retry-failed takes failed ones up again)."
	fs := set.Flags()
	names := []string{"log-level"}
	level := fs.String("log-level", "", "debug, info, warn or error")
	job := crawler.NewJob(crawler.Crawl)
	for _, s := range crawler.Settings() {
		if s.Live {
			addSetting(fs, &s.Description, s.Value(&job), s.LiveHelp).DefValue = "" // there is none
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	run := set.RunE
	set.RunE = func(c *cobra.Command, args []string) error {
		change = crawler.Change{Settings: make(map[string]string)}
		for _, name := range names {
			switch fl := fs.Lookup(name); {
			case !fl.Changed:
			case name == "log-level":
				change.LogLevel = level
			default:
				change.Settings[name] = fl.Value.String()
			}
		}
		if change.LogLevel == nil && len(change.Settings) == 0 {
			return usage("say what to set: --%s", strings.Join(names, ", --"))
		}
		if err := run(c, args); err != nil {
			return err
		}
		fmt.Fprintln(p.stdout, "set; it stays so over restarts, until it is set again or the command says something new")
		return nil
	}
	return set
}
