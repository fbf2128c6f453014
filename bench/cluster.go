package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"
)

// fetcherBandwidth is what a fetcher of (e) may take: little enough that two processors carry four of them.
const fetcherBandwidth = "4MiB/s"

// fetchers runs a scheduler and n fetchers of limited bandwidth, a process each. The fetchers start first and
// wait for the scheduler, so that all are there when the job begins.
func fetchers(k kit, n int) *tool {
	return &tool{
		name: fmt.Sprintf("%s-%d", toolTrawl, n), own: true, rounds: 2,
		what: fmt.Sprintf("trawl scheduler and %d fetchers, each with --bandwidth %s", n, fetcherBandwidth),
		do: func(ctx context.Context, r *round) error {
			address, err := freeAddress()
			if err != nil {
				return err
			}
			g, ctx := errgroup.WithContext(ctx)
			for i := range n {
				g.Go(func() error {
					return r.process(ctx, k.trawl, "fetcher", "--join", address, "--dir", filepath.Join(r.dir, "fetcher-"+strconv.Itoa(i)), "--quiet")
				})
			}
			g.Go(func() error {
				return r.process(ctx, k.trawl, "scheduler", r.web.seeds, "--bind", address, "--dir", filepath.Join(r.dir, crawlDir),
					"--allow-private", "--delay", "0", "--bandwidth", fetcherBandwidth, "--export", filepath.Join(r.dir, exportFile), "--quiet")
			})
			return g.Wait()
		},
		after: checkExport,
	}
}

// freeAddress finds a port of loopback that is free with the two after it, which a scheduler takes too.
func freeAddress() (string, error) {
	const tries, ports = 100, 3
	for range tries {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		port := first.Addr().(*net.TCPAddr).Port
		first.Close()
		free := true
		for i := range ports {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i)))
			if err != nil {
				free = false
				break
			}
			l.Close()
		}
		if free {
			return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
		}
	}
	return "", fmt.Errorf("no %d free ports in a row", ports)
}
