package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"trawl"
	"trawl/cluster/trust"
)

func (p *program) secretCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "secret",
		Short:   "Print a new secret for a cluster",
		Example: "  trawl secret > secret; chmod 600 secret",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(p.stdout, trust.NewSecret())
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
