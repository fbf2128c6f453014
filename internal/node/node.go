package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"trawl/cluster/listen"
	"trawl/cluster/trust"
)

// Cluster says how a node meets the others of its cluster.
type Cluster struct {
	Bind      listen.Bind // of gossip
	Advertise string      // address that others reach this node at, where it differs
	Join      []string    // gossip addresses of nodes of the cluster
	Control   string      // control address; "" = a scheduler's is the second port after Bind, a fetcher has none
	Keys      *trust.Keyring
}

// Hooks are for tests; no user sets them.
type Hooks struct {
	Fault       func(step string)    // called at steps of the protocol
	ClockOffset func() time.Duration // added to the wall clock; nil = nothing. Safe for concurrent use
}

type hooksKey struct{}

// WithHooks gives hooks to the node that is run with the context: options have no place for them, since those are public.
func WithHooks(ctx context.Context, h Hooks) context.Context {
	return context.WithValue(ctx, hooksKey{}, h)
}

func hooksOf(ctx context.Context) Hooks {
	h, _ := ctx.Value(hooksKey{}).(Hooks)
	return h
}

// Version is the program's version, from the build.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}

// withAdvice adds what a user can do about an error from below that does not say it.
func withAdvice(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.EADDRINUSE) || strings.Contains(err.Error(), "address already in use") {
		return fmt.Errorf("%w: another program listens there; choose another port with `bind`", err)
	}
	return err
}

// cleanEnd passes over the ends that the end of a context caused.
func cleanEnd(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func portOf(addr string) int {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return 0
	}
	p, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	return p
}

// either ends when one of two contexts does.
func either(a, b context.Context) (context.Context, context.CancelFunc) {
	both, cancel := context.WithCancel(a)
	stop := context.AfterFunc(b, cancel)
	return both, func() { stop(); cancel() }
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func waitFor[T any](ctx context.Context, d time.Duration, c <-chan T) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c:
	case <-t.C:
	case <-ctx.Done():
	}
}
