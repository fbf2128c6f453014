package download

import (
	"container/list"
	"crypto/tls"
	"log/slog"
	"sync"
	"time"

	"trawl/crawler/weburl"
)

// keptFor is how long idle connections wait for the next turn of their host. Usual servers close them after 5 s (Apache, Node.js)
// or more, so that few requests meet one that is closed; turns of a host that is not slow follow on each other sooner.
const keptFor = 4 * time.Second

// terms are the settings that connections depend on. A turn uses only such as were opened on its own; a setting that decides
// where a connection may lead, or how, belongs here.
type terms struct {
	guard   weburl.AddressGuard
	tls     *tls.Config // compared by address: a job has the same one as long as its certificates are
	lanes   int
	connect time.Duration
	head    int64
	agent   string
}

func (o *SiteOptions) terms() terms {
	return terms{
		guard: o.Guard, tls: o.TLS, lanes: o.Lanes,
		connect: o.Job.Fetch.Connect, head: o.Job.Fetch.HeaderBytes, agent: o.Job.UserAgent,
	}
}

func (t *terms) equal(o *terms) bool {
	return t.guard.Equal(o.guard) && t.tls == o.tls && t.lanes == o.lanes &&
		t.connect == o.connect && t.head == o.head && t.agent == o.agent
}

// resting is a transport that rests, with connections that are idle.
type resting struct {
	host  weburl.Host
	terms terms
	over  *transport
	idle  int         // connections, when it began to rest
	timer *time.Timer // closes it
}

// keeper has the transports of turns that ended in order, until the next turn of the host takes them. While they rest nothing
// can be written on them (package dial). Safe for concurrent use.
type keeper struct {
	most int // connections; 0 = none are kept
	log  *slog.Logger

	mu      sync.Mutex
	hosts   map[weburl.Host]*list.Element
	order   list.List // of *resting, the longest kept first
	idle    int       // connections of all
	crowded bool      // one was closed early, because there were too many
}

func newKeeper(most int, log *slog.Logger) *keeper {
	return &keeper{most: most, log: log, hosts: make(map[weburl.Host]*list.Element)}
}

// put keeps a transport that rests, if there is room, or else closes it. For more than there is room for those are closed that
// have been kept the longest.
func (k *keeper) put(e *resting) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e.idle > k.most {
		e.over.close()
		return
	}
	if older, ok := k.hosts[e.host]; ok {
		k.remove(older).over.close()
	}
	for k.idle+e.idle > k.most {
		k.remove(k.order.Front()).over.close()
		if !k.crowded {
			k.crowded = true
			k.log.Info("there are more idle connections than are kept between turns; the oldest are closed", "limit", k.most)
		}
	}
	k.hosts[e.host] = k.order.PushBack(e)
	k.idle += e.idle
	e.timer = time.AfterFunc(keptFor, func() { k.drop(e) })
}

// take returns the transport that is kept for a host, nil when there is none that was opened on the same terms. Others are
// closed.
func (k *keeper) take(host weburl.Host, on terms) *transport {
	k.mu.Lock()
	defer k.mu.Unlock()
	at, ok := k.hosts[host]
	if !ok {
		return nil
	}
	e := k.remove(at)
	if !e.terms.equal(&on) {
		e.over.close()
		return nil
	}
	return e.over
}

// drop closes a transport, if it is still kept.
func (k *keeper) drop(e *resting) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at, ok := k.hosts[e.host]; ok && at.Value == e {
		k.remove(at).over.close()
	}
}

// clear closes all.
func (k *keeper) clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for at := k.order.Front(); at != nil; at = k.order.Front() {
		k.remove(at).over.close()
	}
}

// remove takes a transport out. Called with mu held.
func (k *keeper) remove(at *list.Element) *resting {
	e := k.order.Remove(at).(*resting)
	e.timer.Stop()
	delete(k.hosts, e.host)
	k.idle -= e.idle
	return e
}
