// Command webfarm serves a synthetic web on loopback until it is interrupted. Its seeds go to standard output
// or a file, its audit to a file when it ends.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"trawl/internal/webfarm"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// settings are the flags.
type settings struct {
	options                      webfarm.Options
	seeds, urls, audit, requests string
	control, certificate, listen string
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	o := &s.options
	f := flag.NewFlagSet("webfarm", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&s.listen, "listen", ":0", "`:PORT` of the hosts, which are addresses in 127.0.0.0/8; 127.0.0.1:PORT makes them ports from there on")
	f.TextVar(&o.Net, "net", netip.MustParsePrefix("127.1.0.0/16"), "`network` of the addresses; another one must be routed to this machine as its own")
	f.StringVar(&s.control, "control", "", "`address`, or unix:PATH, for /__audit, /__total, /__seeds, /__urls, /__certificate, /__reset and /__flush")
	f.StringVar(&s.seeds, "seeds", "-", "`file` for the seeds, - for standard output")
	f.StringVar(&s.urls, "urls", "", "`file` for all URLs")
	f.StringVar(&s.audit, "audit", "", "`file` for the audit at the end, - for standard output")
	f.StringVar(&s.requests, "requests", "", "`file` that takes a line for each request: begin and end (ns), client, host, what, status, flags, Retry-After (ms), path; appended to")
	f.StringVar(&s.certificate, "certificate", "", "`file` for the certificate that clients of https must trust")
	f.IntVar(&o.Hosts, "hosts", 10, "number of hosts")
	f.IntVar(&o.PagesPerHost, "pages", 100, "pages of a host")
	f.Uint64Var(&o.Seed, "seed", 0, "another seed, another web")
	f.IntVar(&o.MinBytes, "min-bytes", 8_000, "smallest page")
	f.IntVar(&o.MaxBytes, "max-bytes", 30_000, "largest page")
	f.IntVar(&o.Links, "links", 30, "links a page beside those that make all reachable; -1 for none")
	f.Float64Var(&o.CrossHost, "cross-host", 0.1, "fraction of links to other hosts; -1 for none")
	f.Float64Var(&o.Assets, "assets", 0.1, "fraction of images, styles and scripts; -1 for none")
	f.Float64Var(&o.Gzip, "gzip", 0, "fraction sent as gzip to clients that take it")
	f.Int64Var(&o.KeepCoded, "keep-coded", 0, "bytes of answers in gzip that are kept after their first use")
	f.Float64Var(&o.Chunked, "chunked", 0, "fraction sent in chunks")
	f.Float64Var(&o.HTTPS, "https", 0, "fraction of hosts that use https")
	f.DurationVar(&o.Latency, "latency", 0, "time to the first byte")
	f.DurationVar(&o.Jitter, "jitter", 0, "up to this is added to it")
	f.Int64Var(&o.Bandwidth, "bandwidth", 0, "bytes a second and connection, 0 for no limit")
	faultFlags(f, &o.Faults)
	robotsFlags(f, &o.Robots)
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	host, port, err := net.SplitHostPort(s.listen)
	if err == nil {
		o.Port, err = net.LookupPort("tcp", port)
	}
	if err != nil || host != "" && host != "127.0.0.1" {
		return s, fmt.Errorf("--listen %q: use :PORT or 127.0.0.1:PORT", s.listen)
	}
	o.Ports = host != ""
	return s, nil
}

func faultFlags(f *flag.FlagSet, o *webfarm.Faults) {
	f.Float64Var(&o.NotFound, "not-found", 0, "fraction of pages: 404")
	f.Float64Var(&o.ServerError, "server-error", 0, "fraction of pages: 500 always")
	f.Float64Var(&o.Flaky, "flaky", 0, "fraction of pages: 500 at first")
	f.Float64Var(&o.Throttled, "throttled", 0, "fraction of pages: 503 with Retry-After at first")
	f.Float64Var(&o.Reset, "reset", 0, "fraction of pages: reset within the body")
	f.Float64Var(&o.Truncated, "truncated", 0, "fraction of pages: closed within the body")
	f.Float64Var(&o.Slow, "slow", 0, "fraction of pages: slow bytes")
	f.Float64Var(&o.Redirect, "redirect", 0, "fraction of pages: redirect within the host")
	f.Float64Var(&o.RedirectCross, "redirect-cross", 0, "fraction of pages: redirect to another host")
	f.Float64Var(&o.RedirectChain, "redirect-chain", 0, "fraction of pages: chain of redirects")
	f.Float64Var(&o.RedirectLoop, "redirect-loop", 0, "fraction of pages: loop of redirects")
	f.IntVar(&o.Times, "times", 1, "how often pages that fail at first do so")
	f.IntVar(&o.ChainLength, "chain-length", 3, "further URLs of a chain of redirects")
	f.DurationVar(&o.RetryAfter, "retry-after", time.Second, "the Retry-After of throttled pages")
	f.DurationVar(&o.SlowFor, "slow-for", time.Second, "time that a slow body takes")
}

func robotsFlags(f *flag.FlagSet, o *webfarm.RobotsOptions) {
	f.Float64Var(&o.Disallowed, "disallowed", 0, "fraction of pages that robots.txt forbids")
	f.DurationVar(&o.CrawlDelay, "crawl-delay", 0, "Crawl-delay of all robots.txt")
	f.Float64Var(&o.Missing, "robots-missing", 0, "fraction of hosts: robots.txt is a 404")
	f.Float64Var(&o.Error, "robots-error", 0, "fraction of hosts: robots.txt is a 500 at first")
	f.Float64Var(&o.Hang, "robots-hang", 0, "fraction of hosts: robots.txt is not answered at first")
	f.Float64Var(&o.Redirect, "robots-redirect", 0, "fraction of hosts: robots.txt redirects to another host")
	f.IntVar(&o.Times, "robots-times", 1, "how often robots.txt fails at first")
	f.DurationVar(&o.HangFor, "robots-hang-for", time.Minute, "time until an unanswered connection is closed")
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		fmt.Fprintln(stderr, "webfarm:", err)
		return 2
	}
	if err := serve(ctx, s, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "webfarm:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, s settings, stdout, stderr io.Writer) (err error) {
	if s.requests != "" {
		log, err := os.OpenFile(s.requests, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, log.Close()) }()
		s.options.Requests = log
	}
	f, err := webfarm.New(s.options)
	if err != nil {
		return err
	}
	defer f.Close()
	if s.control != "" {
		l, err := listenControl(s.control)
		if err != nil {
			return err
		}
		fmt.Fprintf(stderr, "control: http://%s/__audit\n", l.Addr())
		c := &http.Server{Handler: f.Control(), ReadHeaderTimeout: time.Minute}
		go c.Serve(l) // until the process ends
	}
	var urls strings.Builder
	if s.urls != "" {
		for u := range f.URLs() {
			urls.WriteString(u + "\n")
		}
	}
	if err := errors.Join(
		write(s.certificate, f.Certificate(), stdout),
		write(s.urls, []byte(urls.String()), stdout),
		write(s.seeds, []byte(strings.Join(f.Seeds(), "\n")+"\n"), stdout),
	); err != nil {
		return err
	}
	if err := f.Run(ctx); err != nil {
		return err
	}
	audit, err := json.MarshalIndent(f.Audit(), "", "  ")
	if err != nil {
		return err
	}
	return write(s.audit, append(audit, '\n'), stdout)
}

// listenControl takes an address, or the path of a Unix socket.
func listenControl(address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return net.Listen("unix", path)
	}
	return net.Listen("tcp", address)
}

// write writes a file, whole before it has its name; "-" is standard output, "" nothing.
func write(name string, data []byte, stdout io.Writer) error {
	switch name {
	case "":
		return nil
	case "-":
		_, err := stdout.Write(data)
		return err
	}
	part := name + ".part"
	if err := os.WriteFile(part, data, 0o644); err != nil {
		return err
	}
	return os.Rename(part, name)
}
