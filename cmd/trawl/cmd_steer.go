package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"trawl"
	"trawl/crawler"
	"trawl/crawler/session"
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
	set := p.steerCommand("set TARGET --NAME VALUE…", "Change settings of a running job; they outlive restarts", "  trawl set example.com.trawl --delay 5s --timeout 2m", exactArgs(1, "a crawl directory or HOST:PORT"),
		func(ctx context.Context, t trawl.Target, _ []string) error {
			return t.Change(ctx, change)
		})
	set.Long += "\nWhat concerns requests and pages counts from each host's next turn; rows that are there stay as they are (--retry-failed takes failed ones up again)."
	given := changes(set.Flags(), &change)
	run := set.RunE
	set.RunE = func(c *cobra.Command, args []string) error {
		any := false
		for name, take := range given {
			if c.Flags().Changed(name) {
				take()
				any = true
			}
		}
		if !any {
			var names []string
			for _, name := range slices.Sorted(maps.Keys(given)) {
				names = append(names, "--"+name)
			}
			return usage("say what to set: %s", joinWords(names))
		}
		if err := run(c, args); err != nil {
			return err
		}
		fmt.Fprintln(p.stdout, "set; it stays so over restarts, until it is set again or the command says something new")
		return nil
	}
	return set
}

// changes are the flags of what can be changed, and what puts each of them into the change.
func changes(fs *pflag.FlagSet, c *crawler.Change) map[string]func() {
	given := make(map[string]func())
	duration := func(name string, to **time.Duration, usage string) {
		v := new(time.Duration)
		fs.Var((*delay)(v), name, usage)
		fs.Lookup(name).DefValue = "" // there is none
		given[name] = func() { *to = v }
	}
	number := func(name string, to **int, usage string) {
		v := fs.Int(name, 0, usage)
		given[name] = func() { *to = v }
	}
	count := func(name string, to **int64, usage string) {
		v := fs.Int64(name, 0, usage)
		given[name] = func() { *to = v }
	}
	duration("delay", &c.Delay, "least time between two requests to a host; a longer one counts at once, a shorter one from each host's next turn")
	number("per-host", &c.PerHost, "connections to a host")
	number("depth", &c.Depth, "most links from a seed, -1 for no limit")
	count("max-pages", &c.MaxPages, "most URLs fetched, 0 for no limit")
	count("max-per-host", &c.MaxPerHost, "most URLs fetched from a host, 0 for no limit")
	number("workers", &c.Workers, "hosts asked at the same time by each fetcher, 0 for as many as it announces")
	duration("host-patience", &c.HostPatience, "how long a host that has answered may be away before its URLs fail")
	duration("timeout", &c.Idle, "longest time without a byte")
	duration("connect-timeout", &c.Connect, "longest time to connect and shake hands")
	duration(firstByteFlag, &c.FirstByte, "longest time until an answer begins; --timeout where only that is set, and longer")
	duration("total-timeout", &c.Total, "longest time for a request and its answer, 0 for no limit")
	number("max-redirects", &c.Redirects, "most redirects in a chain, 0 to follow none")
	number("max-links", &c.Links, "most links taken of a page, 0 for no limit")
	number("trap-repeat", &c.TrapRepeat, "most times that one segment of a link's path may stand in a row, 0 for any number")
	number("trap-segments", &c.TrapSegments, "most segments of a link's path, 0 for any number")

	bytes := new(int64)
	fs.Var((*size)(bytes), "max-bytes", "most bytes of bodies in all, such as 5GiB; 0 for no limit")
	given["max-bytes"] = func() { c.MaxBytes = bytes }
	lazy := fs.Bool("lazy-images", false, "pictures that scripts load late count as requisites; =false: they do not")
	given["lazy-images"] = func() { c.LazyImages = lazy }
	referer := fs.String("referer", "", "what requests say of the page that led to them: none, origin, same-origin or strict-origin-when-cross-origin")
	given["referer"] = func() { c.Referer = (*session.RefererPolicy)(referer) }
	level := fs.String("log-level", "", "debug, info, warn or error")
	given["log-level"] = func() { c.LogLevel = level }
	return given
}
