package node

import (
	"fmt"

	"trawl/cluster"
	"trawl/cluster/control"
	"trawl/cluster/gossip"
	"trawl/crawler"
)

// KindFetcher stands in place of a job's kind in the status of a fetcher node.
const KindFetcher crawler.Kind = "fetcher"

// newControl makes the fetcher's own control API: status and stop, at the socket in its directory, and at the address
// that the options name.
func (n *Fetcher) newControl() (*control.Server, error) {
	socket, err := n.o.Dir.ControlSocket()
	if err != nil {
		return nil, err
	}
	o := control.Options{Socket: socket, Listen: n.o.Cluster.Control, Status: n.Status, Stop: n.Drain, Logger: n.o.Logger}
	if n.o.Cluster.Control != "" && !n.o.Cluster.Keys.IsZero() {
		o.Keys = n.o.Cluster.Keys
		if o.TLS, err = n.o.Cluster.Keys.ServerTLS(cluster.RoleFetcher, n.Name()); err != nil {
			return nil, err
		}
	}
	c, err := control.New(o)
	if err != nil {
		return nil, crawler.UsageError(err)
	}
	return c, nil
}

// Drain lets the fetcher leave in order: it takes no more turns, ends those it has, ships what it holds, and Run
// returns nil. It returns at once and may be called again.
func (n *Fetcher) Drain() {
	if n.leaving.Err() == nil {
		n.o.Logger.Info("leaving: this fetcher takes no more turns, ends those it has and ships what it holds")
	}
	n.leave()
	if err := n.members.Update(func(m *gossip.Meta) { m.Draining = true }); err != nil {
		n.o.Logger.Warn("that this fetcher leaves could not be announced", "error", err)
	}
}

// Drained reports whether the fetcher was told to leave.
func (n *Fetcher) Drained() bool { return n.leaving.Err() != nil }

// Status reports what this fetcher is at.
func (n *Fetcher) Status() crawler.Status {
	s := crawler.Status{Job: n.Name(), Kind: KindFetcher, State: "waiting", WaitsFor: "waits for a scheduler", Slots: n.o.Workers}
	me := crawler.FetcherStatus{Name: n.Name(), Slots: n.o.Workers, Pages: n.Pages()}
	if f := n.working.Load(); f != nil {
		c, _ := f.Condition()
		s.State, s.WaitsFor, me.Turns = "running", "", f.Busy()
		s.Slots, me.Slots, me.Silent = c.Slots, c.Slots, c.Silent
	}
	if n.Drained() {
		s.State, s.WaitsFor = "stopping", fmt.Sprintf("ends %d turns and ships what it holds", me.Turns)
	}
	s.Fetchers = []crawler.FetcherStatus{me}
	return s
}
