package trouble

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"trawl/crawler/weburl"
)

const (
	// networkSilence is how long nothing at all may come from outside, while hosts are asked, before the network
	// counts as away. It is also the longest time that a fault waits for that judgement.
	networkSilence = 10 * time.Second
	// networkWitnesses is how many hosts must have met silence meanwhile that had answered this process before.
	networkWitnesses = 3
	// NetworkPatience is the least time that the network may be away by mere silence, without evidence of the machine itself,
	// where the patience with hosts is shorter.
	NetworkPatience = time.Minute
	// networkHosts is how many hosts are remembered as having answered; those that answered last stay. A host beyond
	// it is no witness until it answers again.
	networkHosts = 4096
	// probePasses is how many turns of hosts that are not remembered are given back in a row, before one of them is the probe.
	probePasses = 16
	// probeAgain is the pause after a probe that met silence, doubled each time up to probeAgainMax.
	probeAgain    = time.Second
	probeAgainMax = 10 * time.Second
)

// Sign is what the end of an exchange says about the network of this fetcher.
type Sign uint8

const (
	SignNone    Sign = iota // nothing, or life, which was noted when it came
	SignSilence             // nothing came: a time-out, a resolver that does not answer
	SignLocal               // this machine itself has no way out: no route, no resolver
)

// judgement is the judge of the network: a value that takes times and events, and knows no clock. Times are since the
// fetcher's start.
//
// The network is away when for networkSilence nothing came from outside and networkWitnesses hosts that had answered before
// met silence. Hosts that never answered are no evidence. Something from outside ends it; without evidence of the
// machine itself it also ends by time, and is then not found again before something comes.
type judgement struct {
	young, old map[weburl.Host]struct{} // hosts that answered; old ones are forgotten when young are many

	life   time.Duration            // when something came last
	silent map[weburl.Host]struct{} // witnesses since, up to networkWitnesses
	from   time.Duration            // when the first exchange since began that met silence
	local  bool                     // the newest silence is the machine's own

	away  bool
	since time.Duration // of away
	spent bool          // it ended by time
}

func newJudgement() judgement {
	return judgement{young: make(map[weburl.Host]struct{}), old: make(map[weburl.Host]struct{}), silent: make(map[weburl.Host]struct{})}
}

// answered notes an answer of the host.
func (j *judgement) answered(h weburl.Host) {
	if _, ok := j.young[h]; ok {
		return
	}
	if len(j.young) >= networkHosts/2 {
		j.young, j.old = j.old, j.young
		clear(j.young)
	}
	delete(j.old, h)
	j.young[h] = struct{}{}
}

// knows reports whether the host is remembered as having answered.
func (j *judgement) knows(h weburl.Host) bool {
	_, young := j.young[h]
	_, old := j.old[h]
	return young || old
}

// heard notes that something came from outside, and reports whether that ended a time of silence.
func (j *judgement) heard(at time.Duration) (ended bool) {
	j.life = max(j.life, at)
	ended = j.away
	clear(j.silent)
	j.away, j.spent, j.local = false, false, false
	return ended
}

// met notes that an exchange with the host, begun then, met silence, and reports whether that is new evidence.
func (j *judgement) met(h weburl.Host, began time.Duration, local bool) (news bool) {
	if !j.knows(h) {
		return false
	}
	j.local = local
	if began = max(began, j.life); len(j.silent) == 0 || began < j.from {
		j.from, news = began, true
	}
	if _, silent := j.silent[h]; !silent && len(j.silent) < networkWitnesses {
		j.silent[h], news = struct{}{}, true
	}
	return news
}

// look judges at a time, and reports whether the judgement changed. patience bounds a time away without evidence of the
// machine itself.
func (j *judgement) look(now, patience time.Duration) (changed bool) {
	switch {
	case j.away && !j.local && now-j.since >= patience:
		j.away, j.spent = false, true
		return true
	case !j.away && !j.spent && len(j.silent) >= networkWitnesses && now-j.from >= networkSilence:
		j.away, j.since = true, now
		return true
	}
	return false
}

// doubt reports whether the network may yet be found to be away, so that a fault should wait. others is how many further
// hosts that answered are being asked.
func (j *judgement) doubt(others int) bool {
	return !j.spent && len(j.silent) > 0 && len(j.silent)+others >= networkWitnesses
}

// Network is the judgement with its clock and those who wait for it. Safe for concurrent use.
type Network struct {
	start    time.Time
	log      *slog.Logger
	patience func() time.Duration // longest time away without evidence of the machine itself
	shrink   func(away bool)      // called when it changes, with mu held

	last    atomic.Int64 // when something came last, since start
	watched atomic.Bool  // something that comes changes the judgement

	mu      sync.Mutex
	judge   judgement
	asked   map[weburl.Host]int // turns in work
	changed chan struct{}       // closed when the judgement or its evidence changed
	gone    chan struct{}       // closed when the network is found to be away
	probing bool
	passed  int           // turns given back since the last probe
	again   time.Duration // pause after the next probe that meets silence
	next    time.Duration // when the next probe may begin
}

func NewNetwork(log *slog.Logger, patience func() time.Duration, shrink func(bool)) *Network {
	return &Network{
		start: time.Now(), log: log, patience: patience, shrink: shrink, judge: newJudgement(),
		asked: make(map[weburl.Host]int), changed: make(chan struct{}), gone: make(chan struct{}),
	}
}

func (n *Network) now() time.Duration { return time.Since(n.start) }

// Heard notes that something came from outside: a byte, a connection, a refusal. It costs next to nothing.
func (n *Network) Heard() {
	now := n.now()
	n.last.Store(int64(now))
	if !n.watched.Load() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.watched.Store(false)
	n.hear(now)
}

// hear takes a sign of life. Called with mu held.
func (n *Network) hear(at time.Duration) {
	from := n.judge.from
	if !n.judge.heard(at) {
		n.wake()
		return
	}
	n.log.Info("something comes from outside again: the network is back", "away", (at - from).Round(time.Second))
	n.wake()
	n.shrink(false)
}

// wake wakes those who wait. Called with mu held.
func (n *Network) wake() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// Answered notes that the host answered.
func (n *Network) Answered(h weburl.Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.judge.answered(h)
}

// Enter says that a turn of the host begins. When the network is away only one turn works at a time, the probe, if it can be
// of a host that answered: ok is false for a turn that is to be given back. gone is closed when the network is found to be
// away from now on.
func (n *Network) Enter(h weburl.Host) (gone <-chan struct{}, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.judge.away {
		if n.probing || n.now() < n.next || !n.judge.knows(h) && n.passed < probePasses {
			n.passed++
			return n.gone, false
		}
		n.probing, n.passed = true, 0
	}
	n.asked[h]++
	return n.gone, true
}

// Exit says that a turn that was let in is over.
func (n *Network) Exit(h weburl.Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.asked[h]--; n.asked[h] <= 0 {
		delete(n.asked, h)
	}
	if !n.probing {
		return
	}
	n.probing = false
	n.next = n.now() + n.again
	n.again = min(2*n.again, probeAgainMax)
	n.wake()
}

// Faulted decides about an exchange with the host that took so long and met silence: it reports true when that is the
// network's doing and says nothing about the host. As long as both may be so, it waits, for networkSilence at most; the end
// of ctx counts as the network's doing.
func (n *Network) Faulted(ctx context.Context, h weburl.Host, took time.Duration, s Sign) (ours bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.watched.Store(true)
	if last := time.Duration(n.last.Load()); last > n.judge.life { // it came while nobody watched
		n.hear(last)
	}
	at := n.now()
	if n.judge.met(h, at-took, s == SignLocal) {
		n.wake()
	}
	for {
		now := n.now()
		n.look(now)
		if n.judge.away {
			return true
		}
		if n.judge.life > at || now-at >= networkSilence || !n.judge.doubt(n.others()) {
			return false
		}
		until := at + networkSilence
		if judged := n.judge.from + networkSilence; judged > now {
			until = min(until, judged)
		}
		changed := n.changed
		n.mu.Unlock()
		stopped := waitChange(ctx, changed, until-now)
		n.mu.Lock()
		if stopped {
			return true
		}
	}
}

// waitChange waits for a change, for d at most, and reports whether ctx ended.
func waitChange(ctx context.Context, changed <-chan struct{}, d time.Duration) (stopped bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() != nil
}

// others is how many hosts that answered are being asked and are no witnesses yet. Called with mu held.
func (n *Network) others() int {
	count := 0
	for h := range n.asked {
		if count >= networkWitnesses {
			break
		}
		if _, silent := n.judge.silent[h]; !silent && n.judge.knows(h) {
			count++
		}
	}
	return count
}

// look judges. Called with mu held.
func (n *Network) look(now time.Duration) {
	if !n.judge.look(now, n.patience()) {
		return
	}
	if n.judge.away {
		n.log.Warn("nothing comes from outside: this fetcher judges nobody and tries one host at a time until something does",
			"for", (now - n.judge.from).Round(time.Second), "no_way_out", n.judge.local)
		n.again, n.next, n.passed = probeAgain, 0, 0
		close(n.gone)
		n.gone = make(chan struct{})
	} else {
		n.log.Warn("nothing came from outside for so long that hosts are judged again", "for", (now - n.judge.from).Round(time.Second))
	}
	n.wake()
	n.shrink(n.judge.away)
}

// Wait waits, while the network is away, until the next probe may begin, or ctx ends.
func (n *Network) Wait(ctx context.Context) {
	for ctx.Err() == nil {
		n.mu.Lock()
		away, next, changed := n.judge.away, n.next, n.changed
		n.mu.Unlock()
		now := n.now()
		if !away || now >= next {
			return
		}
		waitChange(ctx, changed, next-now)
	}
}

// Silence is for how long nothing has come while the network is away; 0 when it is not.
func (n *Network) Silence() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.judge.away {
		return 0
	}
	return n.now() - n.judge.from
}
