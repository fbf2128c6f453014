package webfarm

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"time"
)

// Limits of the options.
const (
	MaxHosts        = 1000
	MaxPagesPerHost = 1 << 20
	MaxPageBytes    = 64 << 20
)

// Options say what the web looks like. The zero value is a web of 10 hosts with 100 good pages each. A
// fraction is of the pages that may have the property (leaves of the tree), from 0 to 1.
type Options struct {
	Hosts        int    // default 10, at most MaxHosts
	PagesPerHost int    // default 100, at most MaxPagesPerHost
	Seed         uint64 // another seed, another web

	MinBytes, MaxBytes int     // size of a page; default 8 and 30 KB; links need some 4 KB
	Links              int     // links a page beside those of the tree; default 30, negative for none
	CrossHost          float64 // fraction of Links to other hosts; default 0.1, negative for none
	Assets             float64 // fraction of images, styles and scripts; default 0.1, negative for none
	Gzip               float64 // fraction sent as gzip to clients that take it; default 0
	KeepCoded          int64   // bytes of answers in gzip that are kept, so that only the first of a page costs the compression; default 0
	Chunked            float64 // fraction sent in chunks, without Content-Length; default 0

	Ports bool // hosts are ports of 127.0.0.1, not addresses in 127.0.0.0/8 (which Linux routes and others do not)
	Port  int  // of the addresses, or the first of Ports; default 0, free ones

	// Net is where the addresses lie, an IPv4 network of 16 bits or fewer; default 127.1.0.0/16. Another one must
	// be routed to this machine as its own (ip route add local NET dev lo).
	Net   netip.Prefix
	HTTPS float64 // fraction of hosts whose own links are https; every host answers both on its port; default 0

	Latency   time.Duration // from the request to the first byte of the answer
	Jitter    time.Duration // up to this is added, the same for each request of a page
	Bandwidth int64         // bytes a second and connection; 0 = no limit

	Faults Faults
	Robots RobotsOptions

	Requests io.Writer // takes a line for each request, see [Request]; nil for none
}

// Faults are the fractions of pages that go wrong. Their sum is at most 1.
type Faults struct {
	NotFound      float64 // 404
	ServerError   float64 // 500, always
	Flaky         float64 // 500 Times times, then good
	Throttled     float64 // 503 with Retry-After Times times, then good
	Reset         float64 // the connection is reset in the middle of the body, always
	Truncated     float64 // the connection is closed in the middle of the body, always
	Slow          float64 // good, but the body takes SlowFor
	Redirect      float64 // to a good page of the same host
	RedirectCross float64 // to a good page of another host
	RedirectChain float64 // over ChainLength further URLs to a good page of the same host
	RedirectLoop  float64 // over two further URLs back to itself

	Times       int           // default 1
	RetryAfter  time.Duration // full seconds; default 1 s
	SlowFor     time.Duration // default 1 s
	ChainLength int           // default 3
}

// RobotsOptions say what the hosts' robots.txt holds and how it is answered. Modes are fractions of hosts,
// their sum is at most 1; hosts without a mode simply answer.
type RobotsOptions struct {
	Disallowed float64       // fraction of leaves below a path that robots.txt disallows; about as many lie below paths that other hosts disallow
	CrawlDelay time.Duration // of all rules; 0 = no such line

	Missing  float64 // 404: everything is allowed
	Error    float64 // 500 Times times, then the rules
	Hang     float64 // no answer Times times (the connection is closed after HangFor), then the rules
	Redirect float64 // to a path of another host, which has the rules

	Times   int           // default 1
	HangFor time.Duration // default 60 s
}

// withDefaults returns a copy with every default filled in.
func (o Options) withDefaults() Options {
	setDefault(&o.Hosts, 10)
	setDefault(&o.PagesPerHost, 100)
	setDefault(&o.Net, netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 1}), 16))
	setDefault(&o.MinBytes, 8_000)
	setDefault(&o.MaxBytes, max(30_000, o.MinBytes))
	setDefault(&o.Links, 30)
	setDefault(&o.CrossHost, 0.1)
	setDefault(&o.Assets, 0.1)
	o.Links, o.CrossHost, o.Assets = max(o.Links, 0), max(o.CrossHost, 0), max(o.Assets, 0)
	setDefault(&o.Faults.Times, 1)
	setDefault(&o.Faults.RetryAfter, time.Second)
	setDefault(&o.Faults.SlowFor, time.Second)
	setDefault(&o.Faults.ChainLength, 3)
	setDefault(&o.Robots.Times, 1)
	setDefault(&o.Robots.HangFor, time.Minute)
	return o
}

func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// validate reports every problem of options that have their defaults.
func (o Options) validate() error {
	var errs []error
	within := func(what string, v, low, high int) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%s %d: use %d to %d", what, v, low, high))
		}
	}
	within("Hosts", o.Hosts, 1, MaxHosts)
	within("PagesPerHost", o.PagesPerHost, 1, MaxPagesPerHost)
	within("MinBytes", o.MinBytes, 0, MaxPageBytes)
	within("MaxBytes", o.MaxBytes, o.MinBytes, MaxPageBytes)
	within("Links", o.Links, 0, 10_000)
	within("Port", o.Port, 0, math.MaxUint16)
	within("Faults.Times", o.Faults.Times, 1, 1000)
	within("Faults.ChainLength", o.Faults.ChainLength, 1, 100)
	within("Robots.Times", o.Robots.Times, 1, 1000)
	if !o.Net.Addr().Is4() || o.Net.Bits() < 0 || o.Net.Bits() > 16 {
		errs = append(errs, fmt.Errorf("network %v: use an IPv4 network of 16 bits or fewer", o.Net))
	}
	if o.Faults.RetryAfter%time.Second != 0 {
		errs = append(errs, fmt.Errorf("Faults.RetryAfter %v: use full seconds", o.Faults.RetryAfter))
	}
	for _, d := range []time.Duration{o.Latency, o.Jitter, o.Faults.RetryAfter, o.Faults.SlowFor, o.Robots.CrawlDelay, o.Robots.HangFor} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("%v: use no negative duration", d))
		}
	}
	if o.KeepCoded < 0 {
		errs = append(errs, fmt.Errorf("KeepCoded %d: use 0 for none, or more", o.KeepCoded))
	}
	if o.Bandwidth < 0 {
		errs = append(errs, fmt.Errorf("bandwidth %d: use 0 for no limit, or more", o.Bandwidth))
	}
	fraction := func(what string, parts ...float64) {
		sum := 0.0
		for _, p := range parts {
			sum += p
			if !(p >= 0) {
				sum = math.NaN()
			}
		}
		if !(sum <= 1+1e-9) {
			errs = append(errs, fmt.Errorf("%s: use fractions from 0 to 1, and 1 in all", what))
		}
	}
	fraction("CrossHost", o.CrossHost)
	fraction("Assets", o.Assets)
	fraction("Gzip", o.Gzip)
	fraction("Chunked", o.Chunked)
	fraction("HTTPS", o.HTTPS)
	fraction("Robots.Disallowed", o.Robots.Disallowed, o.Robots.Disallowed)
	fraction("modes of Robots", o.Robots.Missing, o.Robots.Error, o.Robots.Hang, o.Robots.Redirect)
	fraction("Faults", o.Faults.fractions()...)
	return errors.Join(errs...)
}

// fractions are in the order of the kinds from NotFound on.
func (f Faults) fractions() []float64 {
	return []float64{
		f.NotFound, f.ServerError, f.Flaky, f.Throttled, f.Reset, f.Truncated, f.Slow,
		f.Redirect, f.RedirectCross, f.RedirectChain, f.RedirectLoop,
	}
}
