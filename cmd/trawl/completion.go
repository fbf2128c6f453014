package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"trawl/crawler"
)

// crawlDirEnding is how the names of crawl directories end, where the user gave no other.
const crawlDirEnding = ".trawl"

// addCompletion tells shells the values of flags and the crawl directories, for every command that takes
// them. It returns an error only for a mistake in this program.
func addCompletion(commands []*cobra.Command) error {
	values := map[string][]string{
		"log-format":   {"text", "json"},
		columnFlag:     {"url\tof exports of trawl", "redirect_to"},
		"retry-failed": append([]string{anyReason}, strings.Split(joinWords(crawler.FailedReasons()), ", ")...),
	}
	for _, s := range crawler.Settings() {
		values[s.Name] = append(values[s.Name], s.Choices...)
	}
	for _, c := range commands {
		for name, words := range values {
			if len(words) == 0 || c.Flags().Lookup(name) == nil {
				continue
			}
			if err := c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
				return err
			}
		}
		switch c.Name() {
		case "status", "export", "explain", "check", "pause", "resume", "stop", "add", "set", "backup":
			if c.ValidArgsFunction == nil {
				c.ValidArgsFunction = completeCrawlDir
			}
		}
	}
	return nil
}

// completeCrawlDir completes the first argument with directories whose names end as those of crawls do; where
// there is none, with any directory.
func completeCrawlDir(_ *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	dir, begin := filepath.Split(text)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	var found []string
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), begin) && strings.HasSuffix(e.Name(), crawlDirEnding) {
			found = append(found, dir+e.Name())
		}
	}
	if len(found) == 0 {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}
