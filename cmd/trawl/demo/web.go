package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"trawl/internal/webfarm"
)

// delay is the delay that the demo's crawl keeps, and that its audit asks for.
const delay = 50 * time.Millisecond

// options is a small web with some of everything that goes wrong on a large one.
func options(port int) webfarm.Options {
	return webfarm.Options{
		Hosts: 12, PagesPerHost: 60, Seed: 1, Port: port,
		Latency: 5 * time.Millisecond, Jitter: 10 * time.Millisecond,
		Faults: webfarm.Faults{NotFound: 0.04, Flaky: 0.02, Redirect: 0.04, RedirectChain: 0.01},
		Robots: webfarm.RobotsOptions{Disallowed: 0.05},
	}
}

// Serve serves the synthetic web of the demo until it is interrupted, and says what it was asked for.
func Serve(parent context.Context, out io.Writer, port int, seeds, audit string) error {
	ctx, stop := signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
	defer stop()
	farm, err := webfarm.New(options(port))
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- farm.Run(ctx) }()
	text := "# one URL a line\n" + strings.Join(farm.Seeds(), "\n") + "\n"
	if seeds == "" {
		fmt.Fprint(out, text)
	} else if err := writeWhole(seeds, []byte(text)); err != nil {
		return err
	}
	fmt.Fprintf(out, "a synthetic web of %d hosts answers; the first page is %s\n", len(farm.Seeds()), farm.Seeds()[0])
	if err := <-ended; err != nil && ctx.Err() == nil {
		return err
	}
	return tellAudit(out, farm, audit)
}

// writeWhole gives a file its name when it is whole, as others wait for it.
func writeWhole(name string, text []byte) error {
	temp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name))
	if err := os.WriteFile(temp, text, 0o666); err != nil {
		return fmt.Errorf("write seeds: %w", err)
	}
	if err := os.Rename(temp, name); err != nil {
		return fmt.Errorf("write seeds: %w", err)
	}
	return nil
}

func tellAudit(out io.Writer, farm *webfarm.Farm, file string) error {
	a := farm.Audit()
	fmt.Fprintf(out, "asked %d times; smallest gap at a host %v, most requests at once %d, robots.txt %d times for %d hosts, against its rules %d\n",
		a.Total.Requests, a.Total.MinGap.Round(time.Millisecond), a.Total.MaxConcurrency, a.Total.Robots, a.Total.HostsAsked, a.Total.Disallowed)
	for _, b := range farm.Breaches(webfarm.Rules{Delay: delay}) {
		fmt.Fprintf(out, "impolite: %s\n", b)
	}
	if file == "" {
		return nil
	}
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fmt.Errorf("write audit: %w", err)
	}
	if err := os.WriteFile(file, text, 0o666); err != nil {
		return fmt.Errorf("write audit: %w", err)
	}
	return nil
}
