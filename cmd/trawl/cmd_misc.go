package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"trawl"
	"trawl/cluster"
)

func (p *program) exportCommand() *cobra.Command {
	var out, format string
	c := &cobra.Command{
		Use:     "export DIR -o FILE",
		Short:   "Write the rows of a crawl to a file",
		Long:    "Write all rows of a crawl to FILE (or - for standard output); the format comes from the file's ending, or --format.",
		Example: "  trawl export example.com.trawl -o pages.csv",
		Args:    exactArgs(1, "a crawl directory"),
	}
	c.Flags().StringVarP(&out, "output", "o", "", "file to write, - for standard output")
	c.Flags().StringVar(&format, "format", "", "jsonl or csv")
	c.RunE = func(c *cobra.Command, args []string) error {
		if out == "" {
			return usage("-o FILE is needed, for instance -o pages.jsonl")
		}
		n, err := trawl.Export(c.Context(), args[0], out, format, p.stdout)
		if err != nil {
			return err
		}
		if out != "-" {
			fmt.Fprintf(p.stderr, "%s rows in %s\n", count(n), out)
		}
		return nil
	}
	return c
}

func (p *program) secretCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "secret",
		Short:   "Print a new secret for a cluster",
		Example: "  trawl secret > secret; chmod 600 secret",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(p.stdout, cluster.NewSecret())
			return nil
		},
	}
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(p.stdout, "trawl", trawl.Version())
			if info, ok := debug.ReadBuildInfo(); ok {
				fmt.Fprintln(p.stdout, "built with", info.GoVersion)
			}
			return nil
		},
	}
}

// laterCommands have names that are fixed, and are not built yet.
func (p *program) laterCommands() []*cobra.Command {
	var cs []*cobra.Command
	for name, what := range map[string]string{
		"pause": "pausing a running job", "resume": "resuming a paused job", "stop": "stopping a running job",
		"add": "adding seeds to a running job", "set": "changing a running job", "explain": "the whole story of a URL",
		"check": "proving a crawl", "backup": "a consistent copy of a running ledger", "restore": "going on from a backup",
	} {
		cs = append(cs, &cobra.Command{
			Use: name, Short: what + " (not built yet)", Hidden: true, DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error { return usage("%s: not built yet (%s)", name, what) },
		})
	}
	return cs
}
