package main

import (
	"fmt"
	"log/slog"
	"net"

	"trawl/cmd/trawl/view"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpproxy"

	"trawl"
)

func (p *program) fetcherCommand() *cobra.Command {
	var o trawl.FetcherOptions
	var keys keyFlags
	var log logFlags
	var clock movedClock
	c := &cobra.Command{
		Use:     "fetcher --join HOST:PORT",
		Short:   "A fetcher node of a cluster",
		Long:    "Join a cluster and fetch for its scheduler, until the job is done. Started first, it waits for the scheduler.\nDIR holds only bodies on their way to the scheduler's directory.",
		Example: "  trawl fetcher --join scheduler.example:7946 --secret-file secret",
		Args:    cobra.NoArgs,
	}
	fs := c.Flags()
	fs.StringVar(&o.Dir, "dir", "./fetcher.trawl", "directory for bodies on their way")
	fs.IntVar(&o.Workers, "workers", trawl.DefaultWorkers, "hosts asked at the same time")
	var memory int64
	addMemory(fs, &memory)
	fs.BoolVar(&o.Stay, "stay", false, "wait for the next job when this one is done")
	fs.StringVar(&o.Name, "name", "", "name of this fetcher in rows and status (default made from the host name)")
	log.add(fs, "only problems")
	clock.add(fs)
	addCluster(c, &o.Cluster, &keys)
	var g config
	g.add(fs)
	fs.String("bandwidth", "", "")
	fs.Lookup("bandwidth").Hidden = true
	addNATS(fs, &o.NATS)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := g.read(fs, c.CommandPath(), false); err != nil {
			return err
		}
		if fs.Changed("bandwidth") {
			return usage("--bandwidth: give it to the scheduler; it holds for each fetcher of the job")
		}
		if err := log.check(); err != nil {
			return err
		}
		if g.print {
			return printNode(p.stdout, fs)
		}
		if len(o.Cluster.Join) == 0 {
			return usage("--join HOST:PORT is needed: the gossip address of any node of the cluster")
		}
		for _, j := range o.Cluster.Join {
			if host, port, err := net.SplitHostPort(j); err != nil || host == "" || port == "" {
				return usage("--join %s: write HOST:PORT, the gossip address of any node of the cluster", j)
			}
		}
		if o.Workers < 1 || o.Workers > trawl.MaxWorkers {
			return usage("--workers %d: use 1 to %d", o.Workers, trawl.MaxWorkers)
		}
		if err := checkMemory(memory); err != nil {
			return err
		}
		aimAt(memory)
		o.Proxy = httpproxy.FromEnvironment().ProxyFunc()
		o.Logger = p.logger(&log, new(slog.LevelVar))
		var err error
		if o.Cluster.Keys, err = keys.open(o.Logger); err != nil {
			return err
		}
		node, err := trawl.NewFetcher(o)
		if err != nil {
			return err
		}
		defer node.Close()
		ctx, stop := p.signals(c.Context(), "", &keys)
		defer stop()
		defer keys.hangups(ctx, o.Cluster.Keys)()
		if err := node.Run(clock.moves(ctx)); err != nil {
			return err
		}
		if ctx.Err() != nil {
			fmt.Fprintln(p.stderr, "interrupted; what this fetcher held goes to others, and what it has not shipped is shipped when it is started again with the same --dir")
			p.status = exitInterrupted
			return nil
		}
		if node.Unshipped() {
			fmt.Fprintf(p.stderr, "not everything was shipped: start this fetcher again with the same --dir while the job's scheduler runs (the same command again)\n")
			p.status = exitInterrupted
			return nil
		}
		if node.Drained() {
			fmt.Fprintf(p.stderr, "left as it was told; this fetcher did %s fetches\n", view.Count(node.Pages()))
			return nil
		}
		fmt.Fprintf(p.stderr, "the job is done; this fetcher did %s fetches\n", view.Count(node.Pages()))
		return nil
	}
	return c
}
