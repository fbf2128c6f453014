package queue

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/trust"
	"trawl/cluster/trust/trusttest"
	"trawl/crawler"
)

// insider is a connection with a fetcher's key that does not keep to what a fetcher does.
type insider struct {
	*nats.Conn
	refusals chan error
}

func newInsider(t *testing.T, b *Broker, secret trust.Secret) *insider {
	t.Helper()
	conf, err := trusttest.Ring(secret).ClientTLS(cluster.RoleFetcher, "insider", nil)
	clustertest.Must(t, err)
	key, err := secret.UserKey(cluster.RoleFetcher)
	clustertest.Must(t, err)
	public, err := key.PublicKey()
	clustertest.Must(t, err)
	in := &insider{refusals: make(chan error, 16)}
	in.Conn, err = nats.Connect("nats://"+b.Addr(), nats.Secure(conf), nats.TLSHandshakeFirst(), nats.Nkey(public, key.Sign),
		nats.CustomInboxPrefix("_INBOX.trawl.fetcher"), nats.NoReconnect(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { in.refusals <- err }))
	clustertest.Must(t, err)
	t.Cleanup(in.Close)
	return in
}

// state is what the queues are and hold.
func queueState(t *testing.T, s *Conn) map[string]any {
	t.Helper()
	all := make(map[string]any)
	streams := s.js.ListStreams(t.Context())
	for info := range streams.Info() {
		all[info.Config.Name] = []any{info.Config, info.State.Msgs, info.State.FirstSeq, info.State.LastSeq, info.State.Consumers}
		stream, err := s.js.Stream(t.Context(), info.Config.Name)
		clustertest.Must(t, err)
		for c := range stream.ListConsumers(t.Context()).Info() {
			all[info.Config.Name+" "+c.Name] = c.Config
		}
	}
	clustertest.Must(t, streams.Err())
	return all
}

// guarded is a broker with a task and a part in its queues.
func guarded(t *testing.T) (*Broker, *Conn, *trust.Keyring) {
	t.Helper()
	ring, err := trust.NewKeyring(testSecret(t, "a secret that is long enough"))
	clustertest.Must(t, err)
	b, _ := startBroker(t, BrokerOptions{Listen: "127.0.0.1:0", Keys: ring})
	s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler})
	clustertest.Must(t, s.PrepareStreams(t.Context(), 0))
	offer(t, t.Context(), s, 1, 1)
	clustertest.Must(t, s.Send(t.Context(), clustertest.Part(1)))
	return b, s, ring
}

func TestAFetchersKeyOpensNothingElse(t *testing.T) {
	b, s, ring := guarded(t)
	before := queueState(t, s)
	in := newInsider(t, b, ring.Current())

	api := func(what string) string { return "$JS.API." + what }
	publish := []string{
		"trawl.task", "trawl.other", "trawl", "other", "_INBOX.trawl.scheduler.x.1", "_INBOX.trawl.fetcher.x.1", "_INBOX.x",
		"$SYS.REQ.SERVER.PING", "$SYS.REQ.USER.INFO", "$SYS.REQ.ACCOUNT.$G.CONNZ", "$SRV.PING", "$KV.x.y", "$O.x.y",
		api("INFO"), api("ACCOUNT.PURGE.$G"), api("SERVER.REMOVE"), api("META.LEADER.STEPDOWN"),
		"$JS.ACK.trawl_results.fetchers.1.1.1.1.0", "$JS.ACK.trawl_tasks.other.1.1.1.1.0", "$JS.FC.trawl_tasks.x", "$JSC.R.x",
		api("CONSUMER.MSG.NEXT.trawl_results.fetchers"), api("CONSUMER.MSG.NEXT.trawl_tasks.other"),
		api("STREAM.NAMES"), api("STREAM.LIST"), api("STREAM.CREATE.x"), api("STREAM.TEMPLATE.CREATE.x"),
	}
	for _, stream := range []string{"trawl_tasks", "trawl_results"} {
		for _, verb := range []string{
			"STREAM.CREATE", "STREAM.UPDATE", "STREAM.INFO", "STREAM.DELETE", "STREAM.PURGE", "STREAM.SNAPSHOT", "STREAM.RESTORE", "STREAM.MSG.GET",
			"STREAM.MSG.DELETE", "STREAM.PEER.REMOVE", "STREAM.LEADER.STEPDOWN", "DIRECT.GET", "CONSUMER.CREATE", "CONSUMER.NAMES", "CONSUMER.LIST",
		} {
			publish = append(publish, api(verb+"."+stream))
		}
		for _, verb := range []string{
			"CONSUMER.CREATE", "CONSUMER.DURABLE.CREATE", "CONSUMER.INFO", "CONSUMER.DELETE", "CONSUMER.PAUSE", "CONSUMER.UNPIN", "CONSUMER.RESET",
			"CONSUMER.LEADER.STEPDOWN",
		} {
			publish = append(publish, api(verb+"."+stream+".fetchers"))
		}
	}
	for _, subject := range publish {
		t.Run("publish "+subject, func(t *testing.T) {
			clustertest.Must(t, in.PublishRequest(subject, in.NewInbox(), nil))
			in.refused(t, `Publish to "`+subject+`"`)
		})
	}
	for _, subject := range []string{
		">", "*", "*.>", "trawl.>", "trawl.*", "trawl.task", "trawl.result", "trawl.ask", "trawl.notice", "_INBOX.>", "_INBOX.trawl.>", "_INBOX.trawl.*.>",
		"_INBOX.trawl.scheduler.>", "_INBOX.trawl.scheduler.x", "_INBOX.trawl.fetcher", "$SYS.>", "$JS.>", "$JS.API.>", "$JS.EVENT.>", "$JS.ACK.>", "$KV.>",
	} {
		t.Run("subscribe to "+subject, func(t *testing.T) {
			_, err := in.SubscribeSync(subject)
			clustertest.Must(t, err)
			in.refused(t, `Subscription to "`+subject+`"`)
			_, err = in.QueueSubscribeSync(subject, "q")
			clustertest.Must(t, err)
			in.refused(t, `Subscription to "`+subject+`"`)
		})
	}
	if n := b.Refusals(); n < int64(len(publish)) {
		t.Errorf("%d refusals were counted, %d or more were due", n, len(publish))
	}
	if after := queueState(t, s); !reflect.DeepEqual(before, after) {
		t.Errorf("the queues changed:\n%v\n%v", before, after)
	}
}

func (in *insider) refused(t *testing.T, what string) {
	t.Helper()
	clustertest.Must(t, in.Flush())
	select {
	case err := <-in.refusals:
		if !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), what) {
			t.Errorf("refused with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("it was not refused")
	}
}

// A question's answer goes to where the asker says, with the rights of whoever answers: an empty message, as a request
// for tasks gets when there are none, is all that it takes to delete a stream.
func TestAnAnswerCannotBeSentElsewhere(t *testing.T) {
	b, s, ring := guarded(t)
	serveAsks(t, t.Context(), s, askerFunc(func(context.Context, crawler.Ask) (crawler.Answer, error) { return crawler.Answer{}, nil }))
	before := queueState(t, s)
	replies := []string{
		"trawl.task", "trawl.result", "trawl.ask", "trawl.notice", "$JS.API.STREAM.DELETE.trawl_results", "$JS.API.STREAM.PURGE.trawl_results",
		"$JS.API.CONSUMER.DELETE.trawl_tasks.fetchers", "$JS.ACK.trawl_tasks.fetchers.1.1.1.1.0", "_INBOX.trawl.scheduler.abcdefghij", "_INBOX.trawl.fetcher",
		"_INBOX.trawl.fetcher.*", "_INBOX.trawl.fetcher.>", "x",
	}
	for _, subject := range []string{"trawl.ask", "trawl.notice", "trawl.result", "$JS.API.CONSUMER.MSG.NEXT.trawl_tasks.fetchers"} {
		for _, reply := range replies {
			t.Run(subject+" with the answer to "+reply, func(t *testing.T) {
				in := newInsider(t, b, ring.Current())
				clustertest.Must(t, in.PublishRequest(subject, reply, []byte(`{"batch":1,"no_wait":true}`)))
				in.thrownOut(t)
			})
		}
	}
	for _, subject := range []string{"_INBOX.trawl.fetcher.>", "_INBOX.trawl.fetcher.*", "_INBOX.trawl.fetcher.*.*", "_INBOX.trawl.fetcher.x"} {
		t.Run("subscribe to "+subject, func(t *testing.T) {
			in := newInsider(t, b, ring.Current())
			_, err := in.SubscribeSync(subject)
			clustertest.Must(t, err)
			in.thrownOut(t)
		})
	}
	t.Run("a message with a header", func(t *testing.T) {
		in := newInsider(t, b, ring.Current())
		clustertest.Must(t, in.PublishMsg(&nats.Msg{Subject: "trawl.result", Header: nats.Header{"Nats-Rollup": {"all"}}}))
		in.thrownOut(t)
	})
	if n := b.Refusals(); n < int64(4*len(replies)) {
		t.Errorf("%d refusals were counted", n)
	}
	if after := queueState(t, s); !reflect.DeepEqual(before, after) {
		t.Errorf("the queues changed:\n%v\n%v", before, after)
	}
}

// thrownOut waits for the end of the connection.
func (in *insider) thrownOut(t *testing.T) {
	t.Helper()
	if err := in.FlushTimeout(5 * time.Second); err == nil {
		t.Error("it was let through")
	}
	clustertest.Eventually(t, t.Context(), "the connection ends", in.IsClosed)
}

// The embedded server also serves fetchers whose scheduler is one of another process; whoever answers an ask looks at
// where the answer goes by itself.
func TestAnAskThatWantsItsAnswerElsewhereIsDropped(t *testing.T) {
	b, _ := startBroker(t, BrokerOptions{Listen: "127.0.0.1:0"})
	s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler})
	clustertest.Must(t, s.PrepareStreams(t.Context(), 0))
	serveAsks(t, t.Context(), s, askerFunc(func(context.Context, crawler.Ask) (crawler.Answer, error) { return crawler.Answer{}, nil }))
	f := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleFetcher})
	clustertest.Eventually(t, t.Context(), "answers", func() bool { _, err := f.Notice(t.Context()); return err == nil })
	for _, reply := range []string{"trawl.result", "trawl.task"} {
		clustertest.Must(t, f.nc.PublishRequest("trawl.notice", reply, nil))
	}
	_, err := f.Notice(t.Context()) // answered after those
	clustertest.Must(t, err)
	if last, err := s.Last(t.Context()); err != nil || last != 0 {
		t.Errorf("the log has %d parts, %v", last, err)
	}
}

func TestTheFilterLetsThroughWhatAFetcherSaysAndNothingElse(t *testing.T) {
	inbox := "_INBOX.trawl.fetcher.abcdefghijklmnopqrstuv"
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{"CONNECT {\"verbose\":false}\r\nPING\r\n", true},
		{"SUB " + inbox + "  1\r\nSUB " + inbox + ".*  2\r\nUNSUB 1 \r\nPONG\r\n", true},
		{"SUB trawl.result  1\r\n", true}, // the server says no
		{"PUB trawl.result 2\r\nab\r\nPUB trawl.ask " + inbox + ".x1 0\r\n\r\n", true},
		{"PUB trawl.result 12\r\nPUB x y 0\r\n\r\r\n", true}, // a payload is no line
		{"PUB trawl.ask x 0\r\n\r\n", false},
		{"PUB trawl.ask\t" + inbox + " 0\r\n\r\n", false},
		{"PUB trawl.ask " + inbox + "\tx 0\r\n\r\n", false},
		{"pub trawl.ask x 0\r\n\r\n", false},
		{"PUB  trawl.ask  x  0\r\n\r\n", false},
		{"PUB trawl.ask -1\r\n", false},
		{"PUB trawl.ask 99999999999999999999\r\n", false},
		{"PUB trawl.ask\r\n", false},
		{"PUB a b c 0\r\n", false},
		{"HPUB trawl.ask 12 12\r\nNATS/1.0\r\n\r\n\r\n", false},
		{"SUB _INBOX.trawl.fetcher.>  1\r\n", false},
		{"PING\n", false},
		{"MSG a 1 0\r\n\r\n", false},
		{"\r\n", false},
		{strings.Repeat("x", 2*relayBuffer) + "\r\n", false},
		{"PING " + strings.Repeat("x", maxLine) + "\r\n", false},
	} {
		var out strings.Builder
		err := newFilter(strings.NewReader(c.text), "_INBOX.trawl.fetcher").carry(&out)
		if ok := err == nil; ok != c.ok || ok && out.String() != c.text {
			t.Errorf("%.60q: %v, and %.60q came through", c.text, err, out.String())
		}
	}
}
