package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"trawl"
	"trawl/cluster/trust"
	"trawl/cmd/trawl/demo"
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

func (p *program) demoCommand() *cobra.Command {
	var web bool
	var port int
	var dir, seeds, audit string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Crawl a synthetic web with a scheduler and three fetchers on this machine",
		Long:  "A scheduler and three fetcher processes on loopback crawl a synthetic web from a seeds file to an export.\nEach command is printed as it is run, so that it can be repeated.",
		Args:  cobra.NoArgs,
	}
	c.Flags().StringVar(&dir, "dir", "demo.trawl", "directory for everything that the demo makes")
	c.Flags().BoolVar(&web, "web", false, "only serve the synthetic web, until interrupted")
	c.Flags().IntVar(&port, "port", 0, "with --web: port of its hosts, 0 for a free one")
	c.Flags().StringVar(&seeds, "seeds", "", "with --web: write the seeds to this file")
	c.Flags().StringVar(&audit, "audit", "", "with --web: write what it was asked for to this file at the end")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if web {
			return demo.Serve(c.Context(), p.stdout, port, seeds, audit)
		}
		return demo.Run(c.Context(), p.stdout, dir)
	}
	return c
}
