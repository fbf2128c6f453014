package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"trawl"
	"trawl/cluster"
)

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
		"backup": "a consistent copy of a running ledger", "restore": "going on from a backup",
	} {
		cs = append(cs, &cobra.Command{
			Use: name, Short: what + " (not built yet)", Hidden: true, DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error { return usage("%s: not built yet (%s)", name, what) },
		})
	}
	return cs
}
