package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"trawl"
	"trawl/cmd/trawl/view"
	"trawl/crawler"
)

// summary prints the last lines, which balance, and gives the exit status of a run that began then.
func (p *program) summary(c *trawl.Crawl, begun time.Time) int {
	s, e := c.Status(), c.Ending()
	fmt.Fprintf(p.stderr, "%s after %v: %s\n", e, s.Elapsed.Round(100*time.Millisecond), balance(s))
	if s.Failed+s.Excluded > 0 {
		fmt.Fprintf(p.stderr, "  why: %s\n", view.Words(s.Reasons))
	}
	if len(s.Dropped) > 0 {
		fmt.Fprintf(p.stderr, "  links not admitted: %s\n", view.Words(s.Dropped))
	}
	if len(s.Bounds) > 0 {
		fmt.Fprintf(p.stderr, "  limits hit: %s\n", view.Words(s.Bounds))
	}
	if s.Reasons[crawler.ReasonPrivateAddress] > 0 {
		fmt.Fprintln(p.stderr, "  private addresses are reached only with --allow-private, or when a seed spells them")
	}
	if s.Parked > 0 {
		fmt.Fprintf(p.stderr, "  %s URLs wait beyond a limit; raise it and run the same command to go on\n", view.Count(s.Parked))
	}
	fmt.Fprintf(p.stderr, "  %s from %s hosts in %s\n", view.Bytes(s.Bytes), view.Count(s.Hosts), c.Dir())
	for _, x := range c.Exported() {
		fmt.Fprintf(p.stderr, "  %s rows in %s\n", view.Count(x.Rows), x.File)
	}
	for _, f := range c.LeftExports() {
		fmt.Fprintf(p.stderr, "  %s is not written yet, it takes longer: the next start writes it, or trawl export %s -o FILE\n", f, c.Dir())
	}
	if n := c.BadSeeds(); n > 0 {
		fmt.Fprintf(p.stderr, "  %s lines of the seeds could not be read\n", view.Count(n))
	}
	switch e {
	case trawl.Interrupted:
		fmt.Fprintln(p.stderr, "  go on with the same command")
		return exitInterrupted
	case trawl.Incomplete:
		p.tellMissing(c.Missing(), c.Dir())
		return exitInterrupted
	case trawl.Limited:
		if s.Parked == 0 {
			fmt.Fprintln(p.stderr, "  go on with the same command")
		}
		return exitLimit
	}
	if !s.Finished.IsZero() && s.Finished.Before(begun) {
		fmt.Fprintf(p.stderr, "  this job finished at %s, and there was nothing new to do: --retry-failed takes failed URLs up again, --fresh begins anew\n",
			s.Finished.UTC().Format(time.RFC3339))
	}
	if s.Fetched+s.Unchanged == 0 {
		return exitNothing
	}
	return exitDone
}

// tellMissing names the bodies that did not arrive, and both ways on.
func (p *program) tellMissing(missing []trawl.Missing, dir string) {
	for _, m := range missing {
		fmt.Fprintf(p.stderr, "  fetcher %s has not shipped %s files that %s rows point to\n", cmp.Or(m.Fetcher, "(unknown)"), view.Count(m.Files), view.Count(m.Rows))
	}
	fmt.Fprintf(p.stderr, "  either run the same command again and start these fetchers again with their directories, which ship the files;\n")
	fmt.Fprintf(p.stderr, "  or, where they are lost for good, let the URLs be fetched again: trawl check --repair %s, then the same command\n", dir)
}

// balance is the equation that every ledger satisfies.
func balance(s crawler.Status) string {
	terms := []string{}
	for _, t := range []struct {
		n    int64
		word string
	}{{s.Waiting, "waiting"}, {s.Leased, "leased"}, {s.Fetched, "fetched"}, {s.Redirected, "redirected"}, {s.Unchanged, "unchanged"}, {s.Failed, "failed"}, {s.Excluded, "excluded"}} {
		if t.n != 0 {
			terms = append(terms, view.Count(t.n)+" "+t.word)
		}
	}
	if len(terms) == 0 {
		return "0 URLs seen"
	}
	return view.Count(s.Seen) + " URLs seen = " + strings.Join(terms, " + ")
}
