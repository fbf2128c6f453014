package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"trawl"
	"trawl/cmd/trawl/view"
	"trawl/crawler"
	"trawl/crawler/explain"
	"trawl/internal/seeds"
)

func (p *program) explainCommand() *cobra.Command {
	var asJSON bool
	var keys keyFlags
	c := &cobra.Command{
		Use:   "explain DIR URL…",
		Short: "Why a URL was fetched, failed, is left out or waits",
		Long: "The whole story of each URL: what became of it, the rule that decided and where it stands, what robots.txt\n" +
			"and scope say, when it will be asked for next or why never, and what you could change. DIR is a crawl\n" +
			"directory, also one in which a crawl is running, or HOST:PORT of a scheduler's control address.",
		Example: "  trawl explain example.com.trawl https://example.com/missing.html",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage("%s needs a crawl directory and URLs; see %s --help", c.CommandPath(), c.CommandPath())
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON, one object a line")
	keys.add(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		ring, err := keys.ask(p)
		if err != nil {
			return err
		}
		urls, err := seeds.ParseURLs(args[1:])
		if err != nil {
			return err
		}
		t, err := trawl.Open(c.Context(), args[0], ring)
		if err != nil {
			return err
		}
		defer t.Close()
		for _, u := range urls {
			e, err := t.Explain(c.Context(), u)
			if err != nil {
				return err
			}
			p.spellStory(&e)
			if asJSON {
				if err := json.NewEncoder(p.stdout).Encode(e); err != nil {
					return err
				}
				continue
			}
			if _, err := fmt.Fprint(p.stdout, explanation(&e)); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

// spellStory spells what the story says in words of trawl's.
func (p *program) spellStory(e *trawl.Explanation) {
	texts := []*string{&e.Why.Rule, &e.Why.Place, &e.Next.Text, &e.Scope.Page.Rule, &e.Scope.Requisite.Rule, &e.Scope.Note, &e.Robots.Text}
	for i := range e.Why.Change {
		texts = append(texts, &e.Why.Change[i])
	}
	if e.Host != nil {
		texts = append(texts, &e.Host.DelayBecause)
	}
	for _, text := range texts {
		*text = p.spell(*text)
	}
}

// explanation writes a story for people: what became of the URL first.
func explanation(e *trawl.Explanation) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-8s %s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	b.WriteString(e.URL + "\n")
	if e.Row == nil {
		line("fate:", "never seen by this job (%s)", e.State)
	} else {
		line("fate:", "%s (job %s)", fate(e.Row), e.State)
	}
	line("rule:", "%s", e.Why.Rule)
	line("place:", "%s", e.Why.Place)
	line("next:", "%s", e.Next.Text)
	for _, change := range e.Why.Change {
		line("change:", "%s", change)
	}
	if e.Row != nil {
		line("found:", "%s", found(e.Row))
	}
	line("scope:", "%s", scopeText(&e.Scope))
	line("robots:", "%s", robotsText(&e.Robots))
	if e.Host != nil {
		line("host:", "%s", hostText(e.Host, e.At))
	}
	if e.Row != nil && e.Row.ArchiveFile != "" {
		line("record:", "%s at %d, %d bytes", e.Row.ArchiveFile, e.Row.Offset, e.Row.Length)
	}
	return b.String()
}

// printable keeps what servers wrote from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

func fate(r *explain.RowStory) string {
	text := r.Outcome
	if r.Reason != "" {
		text += ", " + string(r.Reason)
	}
	if r.Status != 0 {
		text += fmt.Sprintf(", HTTP %d", r.Status)
	}
	if r.Attempts > 0 {
		text += fmt.Sprintf("; fetch %d at %s by fetcher %s", r.Attempts, clock(r.FetchedAt), r.Fetcher)
	}
	if r.Lapses > 0 {
		text += fmt.Sprintf("; %d of its turns lapsed", r.Lapses)
	}
	return text
}

func found(r *explain.RowStory) string {
	if r.Via == "" {
		return fmt.Sprintf("a seed, given as %s, at %s", r.Seed, clock(r.FirstSeen))
	}
	chain := r.Chain
	if len(chain) == 0 {
		chain = []string{r.Via}
	}
	text := fmt.Sprintf("depth %d, at %s, on %s", r.Depth, clock(r.FirstSeen), strings.Join(chain, ", found on "))
	if r.ChainCut {
		text += ", and so on"
	}
	return text + "; seed " + r.Seed
}

func scopeText(s *explain.ScopeStory) string {
	text := "belongs: "
	if !s.Page.In {
		text = "does not belong (" + s.Page.Drop + "): "
	}
	text += s.Page.Rule
	if len(s.Opened) > 0 {
		text += " (open: " + string(s.Opened[0]) + ")"
	}
	if s.Requisite.In != s.Page.In {
		word := "does not belong"
		if s.Requisite.In {
			word = "belongs"
		}
		text += "; as a requisite it " + word + ": " + s.Requisite.Rule
	}
	if s.Note != "" {
		text += "; " + s.Note
	}
	return text
}

func robotsText(r *explain.RobotsStory) string {
	text := r.URL + " " + r.Text
	if !r.Fetched.IsZero() {
		text += "; read " + clock(r.Fetched)
		if r.Expires.After(r.Fetched) {
			text += ", kept until " + clock(r.Expires)
		}
	}
	return text
}

func hostText(h *explain.HostStory, now time.Time) string {
	var counts []string
	for _, word := range slices.Sorted(maps.Keys(h.Counts)) {
		counts = append(counts, view.Count(h.Counts[word])+" "+word)
	}
	text := fmt.Sprintf("%s: %s; delay %v (%s)", h.Host, strings.Join(counts, ", "), h.Delay, h.DelayBecause)
	switch t := h.Turn; {
	case t != nil && t.State == "held":
		text += fmt.Sprintf("; a turn of %d URLs is held by fetcher %s", t.URLs, t.Fetcher)
	case t != nil:
		text += fmt.Sprintf("; a turn of %d URLs is offered", t.URLs)
	case h.Next.After(now):
		text += "; may be asked from " + clock(h.Next) + " on"
	}
	if h.Away != "" {
		text += fmt.Sprintf("; away since %s, %d attempts failed: %s", clock(h.AwaySince), h.Failed, crawler.FaultText(h.Host, h.Away, h.AwayDetail))
	}
	if h.GivenUp != "" {
		text += fmt.Sprintf("; given up (%s): %s", h.GivenUp, h.GivenUpDetail)
	}
	return text
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
