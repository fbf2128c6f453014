package trawl

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"trawl/cluster"
	"trawl/cluster/queue"
	"trawl/crawler"
)

// queueLife is how many bytes of a ledger's life name its queues on a server that others use too.
const queueLife = 8

// queueDrop is how long the removal of a finished job's streams may take.
const queueDrop = 5 * time.Second

// startQueue starts the embedded broker and connects to it in process, or to the servers that the options name.
func (r *run) startQueue(life crawler.Life) (err error) {
	if r.queueOf = life; r.o.NATS != "" {
		if r.conn, err = queue.Connect(r.life, r.localQueue(cluster.RoleScheduler, "scheduler")); err != nil {
			return err
		}
		return r.refuseTwin(life)
	}
	return r.startBroker()
}

func (r *run) startBroker() error {
	o := queue.BrokerOptions{StoreDir: r.dir.Queue(), Logger: r.o.Logger}
	var err error
	if r.o.Serve {
		if err = r.listenQueue(&o); err != nil {
			return err
		}
	}
	if r.broker, err = queue.NewBroker(o); err != nil {
		return err
	}
	queueLife, stop := context.WithCancel(context.WithoutCancel(r.life))
	r.stopQueue, r.queueEnd = stop, make(chan error, 1)
	go func() { r.queueEnd <- r.broker.Run(queueLife) }()
	select {
	case <-r.broker.Ready():
	case err := <-r.queueEnd:
		r.queueEnd <- nil
		return err
	}
	r.services.Go(func() error {
		select {
		case err := <-r.queueEnd:
			r.queueEnd <- nil
			return err
		case <-r.life.Done():
			return nil
		}
	})
	r.conn, err = queue.Connect(r.life, r.localQueue(cluster.RoleScheduler, "scheduler"))
	return err
}

// localQueue is how this process connects to the queue.
func (r *run) localQueue(role cluster.Role, name string) queue.ConnectOptions {
	if r.o.NATS != "" {
		return foreignQueue(r.o.NATS, r.queueOf, role, name, r.o.Logger)
	}
	return queue.ConnectOptions{Broker: r.broker, Role: role, Name: name, Logger: r.o.Logger}
}

// endQueue ends the queue after those who use it.
func (r *run) endQueue() error {
	if r.conn != nil {
		r.dropQueue()
		r.conn.Close()
	}
	if r.stopQueue == nil {
		return nil
	}
	r.stopQueue()
	return cleanEnd(<-r.queueEnd)
}

// dropQueue removes the streams of a finished job from servers that others use too.
func (r *run) dropQueue() {
	if r.o.NATS == "" || *r.ending.Load() != Done {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), queueDrop)
	defer cancel()
	if err := r.conn.DropStreams(ctx); err != nil {
		r.o.Logger.Warn("the job is done, and its streams stay on the NATS servers: remove them there", "error", err)
	}
}

// foreignQueue is how to connect to a NATS server that is not ours. Its streams are named by the ledger's life, so that
// one server carries many jobs, and a restored ledger never reads what was meant for the one it was copied from.
func foreignQueue(servers string, life crawler.Life, role cluster.Role, name string, log *slog.Logger) queue.ConnectOptions {
	return queue.ConnectOptions{
		URL: servers, Foreign: true, Role: role, Name: name, Logger: log,
		Namespace: queue.DefaultNamespace + "_" + hex.EncodeToString(life[:queueLife]),
	}
}

// checkNATS looks whether each of the servers is written as it must be.
func checkNATS(servers string) error {
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

// queueAddress is where the queue is reached, for people.
func (r *run) queueAddress() string {
	if r.broker == nil {
		return publicNATS(r.o.NATS)
	}
	return r.broker.Addr()
}

// queuePort is that of the embedded queue, 0 without one.
func (r *run) queuePort() int {
	if r.broker == nil {
		return 0
	}
	return portOf(r.broker.Addr())
}
