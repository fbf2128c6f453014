package node

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"trawl/cluster"
	"trawl/cluster/gossip"
)

// peersWait is how long a scheduler that came back and has nothing left to do waits for its fetchers.
const peersWait = 10 * time.Second

// peers remembers a job's fetchers over a restart of its scheduler. The fetchers would look for it only when
// they have noticed its absence, and until then it would have none, though they are at work.
type peers struct {
	file  string
	last  []netip.AddrPort // of the run before
	kept  []netip.AddrPort // in the file; owned by watch
	begun time.Time
	met   atomic.Bool // one of them or another is there
}

// openPeers reads who was there: the gossip address of a fetcher a line. The addresses are a help only, so a file that cannot be read has none.
func openPeers(file string) *peers {
	p := &peers{file: file, begun: time.Now()}
	text, err := os.ReadFile(p.file)
	if err != nil {
		return p
	}
	for line := range strings.Lines(string(text)) {
		if a, err := netip.ParseAddrPort(strings.TrimSpace(line)); err == nil {
			p.last = append(p.last, a)
		}
	}
	return p
}

// keep stores who is there now, if that is somebody.
func (p *peers) keep(members []gossip.Member) error {
	var now []netip.AddrPort
	for _, m := range members {
		if m.Meta.Role == cluster.RoleFetcher {
			now = append(now, m.Address)
		}
	}
	if len(now) == 0 || slices.Equal(now, p.kept) {
		return nil
	}
	p.met.Store(true)
	var text strings.Builder
	for _, a := range now {
		fmt.Fprintln(&text, a)
	}
	if err := os.WriteFile(p.file, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("remember the fetchers: %w", err)
	}
	p.kept = now
	return nil
}

// awaited reports whether fetchers of the run before may still come back.
func (p *peers) awaited() bool {
	return len(p.last) > 0 && !p.met.Load() && time.Since(p.begun) < peersWait
}

// forget is for the end of the job, when all have left.
func (p *peers) forget() { _ = os.Remove(p.file) }
