package gossip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"

	"trawl/cluster"
	"trawl/cluster/listen"
)

const (
	// firstRetry and lastRetry bound the waits between tries while nobody was reached yet.
	firstRetry = 250 * time.Millisecond
	lastRetry  = time.Second
	// waitingEvery is how often the log says that nobody answers.
	waitingEvery = 30 * time.Second
	// resolveTimeout bounds one look-up of a name.
	resolveTimeout = 5 * time.Second
	// lostTries is how many lost members are looked for in one round.
	lostTries = 3
)

// joinLoop joins, and keeps joining what is not there: a partition that lasted longer than the gossip
// remembers the dead would never heal by itself.
func (m *Members) joinLoop(ctx context.Context, list *memberlist.Memberlist) error {
	retry := firstRetry
	var logged time.Time
	for ctx.Err() == nil {
		met := m.roll.metOthers()
		r := m.joinAll(ctx, list)
		met = met || r.joined > 0
		switch {
		case ctx.Err() != nil:
			return nil
		case r.refused != nil && !met:
			return r.refused
		case r.refused != nil:
			m.vetoed.Hit(slog.String("error", cluster.OneLine(r.refused)))
		case r.failed != nil && !met && time.Since(logged) >= waitingEvery:
			logged = time.Now()
			m.log.Info("waiting for a scheduler at "+strings.Join(m.opts.Join, ", "), "why", cluster.OneLine(r.failed))
		}
		wait := m.opts.Rejoin*3/4 + rand.N(m.opts.Rejoin/2+1)
		met = met || m.roll.metOthers()
		if len(m.opts.Join) > 0 && !m.roll.scheduled() || len(m.opts.Last) > 0 && !met {
			wait = min(retry, wait)
			retry = min(2*retry, lastRetry)
		} else {
			retry = firstRetry
		}
		cluster.Pause(ctx, wait)
	}
	return nil
}

// joining is how one round went.
type joining struct {
	joined  int
	failed  error // the last one
	refused error // the first one, of the addresses that the user gave
}

func (m *Members) joinAll(ctx context.Context, list *memberlist.Memberlist) joining {
	var r joining
	for _, target := range m.opts.Join {
		addrs, err := m.resolveJoin(ctx, target)
		if err != nil {
			r.failed = err
			continue
		}
		for _, a := range addrs {
			if ctx.Err() != nil || m.isSelf(a) || m.roll.there(a) {
				continue
			}
			err := m.joinOne(list, a)
			switch {
			case err == nil:
				r.joined++
			case errors.Is(err, cluster.ErrRefused):
				r.refused = cmp.Or(r.refused, err)
			default:
				r.failed = err
			}
		}
	}
	// What answers where a lost member was may be no member: it is no reason to stop.
	for _, a := range m.roll.missing(lostTries) {
		if ctx.Err() == nil && !m.roll.there(a) {
			if err := m.joinOne(list, a); err != nil {
				m.log.Debug("gossip", "text", cluster.OneLine(err))
			}
		}
	}
	return r
}

// joinOne joins at one address. Its errors are [cluster.ErrRefused], with what to do, or say that nobody answered.
func (m *Members) joinOne(list *memberlist.Memberlist, a netip.AddrPort) error {
	m.mu.Lock()
	m.conflict = false
	m.mu.Unlock()
	if _, err := list.Join([]string{a.String()}); err != nil {
		if why := refusalReason(err.Error()); why != "" {
			return fmt.Errorf("%w at %s: %s", cluster.ErrRefused, a, why)
		}
		return fmt.Errorf("join %s: %w", a, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conflict {
		return fmt.Errorf("%w at %s: a member called %s is there already: choose another name; if it was killed, start again in half a minute",
			cluster.ErrRefused, a, m.name)
	}
	return nil
}

// joinRefusals are what a failed join says when trying again will not help. The library gives texts only;
// tests hold it to them.
var joinRefusals = []struct{ text, why string }{
	{"no installed keys could decrypt", "it has another secret: give this node the secret of that cluster (`secret-file` or TRAWL_SECRET)"},
	{"remote state is encrypted and encryption is not configured", "it asks for a secret: give this node the one of that cluster (`secret-file` or TRAWL_SECRET)"},
	{"encryption is configured but remote state is not encrypted", "it has no secret, or is no member of a trawl cluster: check the address, and give all nodes the same secret"},
}

func refusalReason(text string) string {
	for _, r := range joinRefusals {
		if strings.Contains(strings.ToLower(text), r.text) {
			return r.why
		}
	}
	if _, why, ok := strings.Cut(text, vetoMark); ok {
		return cluster.OneLine(errors.New(why))
	}
	return ""
}

// resolveJoin gives the addresses of a HOST or HOST:PORT to join.
func (m *Members) resolveJoin(ctx context.Context, target string) ([]netip.AddrPort, error) {
	b, err := listen.ParseBind(target)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	ips, err := listen.Resolve(ctx, b.Host)
	if err != nil {
		return nil, err
	}
	out := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		out[i] = netip.AddrPortFrom(ip, uint16(b.Port))
	}
	return out, nil
}

// isSelf reports whether the address is this node's own: one list of addresses may be given to all nodes.
func (m *Members) isSelf(a netip.AddrPort) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a == m.advertise || a == m.addr {
		return true
	}
	return m.addr.Addr().IsUnspecified() && a.Addr().IsLoopback() && a.Port() == m.addr.Port()
}
