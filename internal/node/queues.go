package node

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"trawl/cluster"
	"trawl/cluster/queue"
	"trawl/cluster/trust"
	"trawl/crawler"
)

// queueLife is how many bytes of a ledger's life name its queues on a server that others use too.
const queueLife = 8

// queueDrop is how long the removal of a finished job's streams may take.
const queueDrop = 5 * time.Second

// queueOptions say where a scheduler's queues are.
type queueOptions struct {
	NATS     string       // servers that are there already; "" = the embedded one
	Life     crawler.Life // of the ledger; names the queues on servers of others
	StoreDir string       // of the embedded one
	Listen   string       // where the embedded one is open to other machines; "" = nowhere
	Keys     *trust.Keyring
	Logger   *slog.Logger
}

// queues are a job's queues: embedded, or on servers that are there already.
type queues struct {
	o      queueOptions
	broker *queue.Broker // nil on servers of others
	ended  chan error    // how the broker ended; it outlives its clients
	stop   context.CancelFunc
	conn   *queue.Conn // the scheduler's
}

// open starts the embedded broker, whose failure ends the services, and connects. Whatever comes of it, close is to be called.
func (q *queues) open(life context.Context, services *errgroup.Group) (err error) {
	if q.o.NATS == "" {
		if err := q.startBroker(life, services); err != nil {
			return err
		}
	}
	q.conn, err = q.connect(life, cluster.RoleScheduler, "scheduler")
	return err
}

func (q *queues) startBroker(life context.Context, services *errgroup.Group) (err error) {
	q.broker, err = queue.NewBroker(queue.BrokerOptions{StoreDir: q.o.StoreDir, Listen: q.o.Listen, Keys: q.o.Keys, Logger: q.o.Logger})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(life))
	q.stop, q.ended = stop, make(chan error, 1)
	go func() { q.ended <- q.broker.Run(running) }()
	select {
	case <-q.broker.Ready():
	case err := <-q.ended:
		q.ended <- nil
		return err
	}
	services.Go(func() error {
		select {
		case err := <-q.ended:
			q.ended <- nil
			return err
		case <-life.Done():
			return nil
		}
	})
	return nil
}

// connect connects this process to the queues, in process where they are embedded.
func (q *queues) connect(ctx context.Context, role cluster.Role, name string) (*queue.Conn, error) {
	if q.o.NATS != "" {
		return queue.Connect(ctx, foreignQueue(q.o.NATS, q.o.Life, role, name, q.o.Logger))
	}
	return queue.Connect(ctx, queue.ConnectOptions{Broker: q.broker, Role: role, Name: name, Logger: q.o.Logger})
}

// close ends the queues after those who use them. done says that the job is, so that servers that others use too need its streams no
// more. q may be nil.
func (q *queues) close(done bool) error {
	if q == nil {
		return nil
	}
	if q.conn != nil {
		if done && q.o.NATS != "" {
			q.dropStreams()
		}
		q.conn.Close()
	}
	if q.stop == nil {
		return nil
	}
	q.stop()
	return cleanEnd(<-q.ended)
}

func (q *queues) dropStreams() {
	ctx, cancel := context.WithTimeout(context.Background(), queueDrop)
	defer cancel()
	if err := q.conn.DropStreams(ctx); err != nil {
		q.o.Logger.Warn("the job is done, and its streams stay on the NATS servers: remove them there", "error", err)
	}
}

// address is where the queues are reached, for people.
func (q *queues) address() string {
	if q.broker == nil {
		return publicNATS(q.o.NATS)
	}
	return q.broker.Addr()
}

// port is that of the embedded queue, 0 without one.
func (q *queues) port() int {
	if q.broker == nil {
		return 0
	}
	return portOf(q.broker.Addr())
}

// foreignQueue is how to connect to a NATS server that is not ours. Its streams are named by the ledger's life, so that
// one server carries many jobs, and a restored ledger never reads what was meant for the one it was copied from.
func foreignQueue(servers string, life crawler.Life, role cluster.Role, name string, log *slog.Logger) queue.ConnectOptions {
	return queue.ConnectOptions{
		URL: servers, Foreign: true, Role: role, Name: name, Logger: log,
		Namespace: queue.DefaultNamespace + "_" + hex.EncodeToString(life[:queueLife]),
	}
}

// CheckNATS looks whether each of the servers is written as it must be.
func CheckNATS(servers string) error {
	for s := range strings.SplitSeq(servers, ",") {
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
			return fmt.Errorf("`nats`: write nats://HOST:PORT or tls://HOST:PORT, several with commas")
		}
	}
	return nil
}

// publicNATS is what the gossip tells of the servers: not how to log in there.
func publicNATS(servers string) string {
	if servers == "" {
		return ""
	}
	var told []string
	for s := range strings.SplitSeq(servers, ",") {
		if u, err := url.Parse(strings.TrimSpace(s)); err == nil {
			told = append(told, u.Scheme+"://"+u.Host)
		}
	}
	return strings.Join(told, ",")
}
