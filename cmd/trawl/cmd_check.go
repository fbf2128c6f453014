package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"trawl"
	"trawl/cmd/trawl/view"
	"trawl/storage/check"
)

func (p *program) checkCommand() *cobra.Command {
	var asJSON, repair bool
	c := &cobra.Command{
		Use:   "check DIR",
		Short: "Prove a crawl: the ledger balances, every record is there",
		Long: "Recount the ledger of a crawl that is not running, and read every record of its archive: each row that names\n" +
			"one must have it there, with its URL and its digest. Exit status 0 only if all of it holds, else 1.\n\n" +
			"--repair takes rows whose records are gone or broken back to waiting, also those whose records a fetcher\n" +
			"has not shipped; run the job again to fetch them.",
		Example: "  trawl check example.com.trawl",
		Args:    exactArgs(1, "a crawl directory"),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	c.Flags().BoolVar(&repair, "repair", false, "let rows whose records are gone or broken be fetched again")
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, stop := p.signals(c.Context(), "", nil)
		defer stop()
		return p.check(ctx, args[0], repair, asJSON)
	}
	return c
}

func (p *program) check(ctx context.Context, dir string, repair, asJSON bool) error {
	t, err := trawl.OpenDir(ctx, dir)
	if err != nil {
		return err
	}
	defer t.Close()
	r, err := t.Check(ctx, repair)
	if err != nil && ctx.Err() != nil {
		p.status = exitInterrupted
		fmt.Fprintf(p.stderr, "trawl: the check of %s was interrupted; run it again\n", dir)
		return nil
	}
	if err != nil {
		return err
	}
	for i := range r.Problems {
		r.Problems[i] = p.spell(r.Problems[i])
	}
	if asJSON {
		e := json.NewEncoder(p.stdout)
		e.SetIndent("", "  ")
		err = e.Encode(r)
	} else {
		err = printCheck(p.stdout, &r)
	}
	if err != nil {
		return err
	}
	if !r.OK && !r.Repaired {
		p.status = exitFailed
		fmt.Fprintf(p.stderr, "trawl: %s: %s\n", dir, checkFailure(&r))
	}
	return nil
}

// orphanWords explain why a record that no row points to is there.
var orphanWords = map[check.Orphan]string{
	check.OrphanInfo:      "heads of WARC files",
	check.OrphanRequest:   "requests, beside their answers",
	check.OrphanRobots:    "earlier robots.txt files, and hops to one",
	check.OrphanRepeated:  "answers of fetches that were made again: a retry, or a turn that lapsed",
	check.OrphanUnsettled: "answers that were never reported: their fetcher was stopped before",
	check.OrphanUnknown:   "answers of URLs without a row, such as hops of a robots.txt",
	check.OrphanFile:      "files of fetches that were made again or never reported",
	check.OrphanOther:     "records of other types",
}

func printCheck(w io.Writer, r *trawl.CheckReport) error {
	var b strings.Builder
	word := "balances"
	if !r.Balances {
		word = "does not balance"
	}
	var counts []string
	for _, o := range slices.Sorted(maps.Keys(r.Counts)) {
		if n := r.Counts[o]; n > 0 {
			counts = append(counts, view.Count(n)+" "+o)
		}
	}
	fmt.Fprintf(&b, "ledger %s: %s rows of %s hosts", word, view.Count(r.Rows), view.Count(r.Hosts))
	if len(counts) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(counts, ", "))
	}
	fmt.Fprintf(&b, "\nrecords: %s of %s are there, each as its row says; %s files were read\n", view.Count(r.Verified), view.Count(r.Records), view.Count(r.Files))
	for _, kind := range r.OrphanKinds() {
		fmt.Fprintf(&b, "  no row points to %s %s\n", view.Count(r.Orphans[kind]), orphanWords[kind])
	}
	for _, fetcher := range slices.Sorted(maps.Keys(r.Shipping)) {
		fmt.Fprintf(&b, "  on its way from fetcher %s: %s records; start it again with its --dir while the job's scheduler runs\n", fetcher, view.Count(r.Shipping[fetcher]))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "  note: %s\n", printable(note))
	}
	for _, problem := range r.Problems {
		fmt.Fprintf(&b, "  problem: %s\n", printable(problem))
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "  and %s more problems\n", view.Count(r.More))
	}
	if r.WaitAgain > 0 {
		fmt.Fprintf(&b, "repaired: %s rows wait again; run the job to fetch them\n", view.Count(r.WaitAgain))
	}
	if r.RobotsMended > 0 {
		fmt.Fprintf(&b, "repaired: %s robots.txt files in force do without a record\n", view.Count(r.RobotsMended))
	}
	if r.LeftToRepair > 0 {
		fmt.Fprintf(&b, "  %s more are left: repair again\n", view.Count(r.LeftToRepair))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// checkFailure says in a line what does not hold and what to do.
func checkFailure(r *trawl.CheckReport) string {
	n := int64(len(r.Problems)) + r.More
	switch {
	case !r.Balances:
		return fmt.Sprintf("%s problems; the ledger does not balance: restore a backup, or crawl anew with --fresh", view.Count(n))
	case n == 0:
		return "some records are still with their fetchers; --repair lets their rows be fetched again, if those are lost for good"
	}
	return fmt.Sprintf("%s problems; --repair lets the rows be fetched again", view.Count(n))
}
