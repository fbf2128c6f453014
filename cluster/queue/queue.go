package queue

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"trawl/cluster"
	"trawl/cluster/queue/wire"
	"trawl/crawler"
)

// Errors of the queues that callers distinguish, besides [cluster.ErrRefused]: the secret is wrong, or the role may
// not do it.
var (
	// ErrUnreachable: no server answers at the address. Trying again later may help.
	ErrUnreachable = errors.New("queue not reachable")
	// ErrClosed: the connection to the queue was closed on this side.
	ErrClosed = errors.New("queue connection closed")
	// ErrFull: the stream's bytes are used up; it takes more when something was taken out of it.
	ErrFull = errors.New("queue is full")
	// ErrTooLarge: the task or part is over its limit.
	ErrTooLarge = wire.ErrTooLarge
)

// Limits and times of the queues.
const (
	// DefaultAckWait: a task that was taken and not acked comes again after this time.
	DefaultAckWait = 30 * time.Second
	// DefaultMaxStore bounds the queues on disk, in bytes: an eighth for tasks, half for results; the rest
	// is room for what was taken out and not yet given back to the disk.
	DefaultMaxStore = 8 << 30
	// AskTimeout: an ask without an answer after this time has failed.
	AskTimeout = 3 * time.Second
	// AskConcurrency is how many asks a scheduler works on at once; more wait.
	AskConcurrency = 1024
	// AskBacklog is how many asks may wait for that; more are lost, and asked again.
	AskBacklog = 8192
	// PullWindow is how many tasks a fetcher asks the queue for at once, never more than it has callers in
	// Next. Waiting requests are served in turn, one task each: a small window shares tasks evenly among
	// fetchers, and eight hide a round trip of 40 ms at 200 turns a second.
	PullWindow = 8
	// ReadAhead is how many bytes of results are fetched before they are read.
	ReadAhead = 8 << 20
)

// Asker is what a scheduler answers with. Calls come from many goroutines at once. An error means that
// nothing was decided; the fetcher asks again.
type Asker interface {
	Ask(ctx context.Context, ask crawler.Ask) (crawler.Answer, error)
	Notice(ctx context.Context) (crawler.JobNotice, error)
}

// names are the subjects and streams of one namespace.
type names struct {
	tasks, results, fetchers                string // streams and the consumer
	task, result, ask, notice, pull, inbox0 string // subjects; inboxes are below inbox0
}

// DefaultNamespace is what the names of streams and subjects begin with.
const DefaultNamespace = "trawl"

func newNames(namespace string) names {
	n := names{
		tasks: namespace + "_tasks", results: namespace + "_results", fetchers: "fetchers",
		task: namespace + ".task", result: namespace + ".result",
		ask: namespace + ".ask", notice: namespace + ".notice", inbox0: "_INBOX." + namespace,
	}
	n.pull = "$JS.API.CONSUMER.MSG.NEXT." + n.tasks + "." + n.fetchers
	return n
}

// inbox is where answers to a role go: a role may listen to its own only.
func (n *names) inbox(role cluster.Role) string { return n.inbox0 + "." + string(role) }

// answerer turns the bytes of asks into the bytes of replies.
type answerer struct {
	asker Asker
	limit func() int // largest reply that can be sent, in bytes
	log   *slog.Logger

	unread rate.Sometimes // for the log: a node that sends what cannot be read may do so for ever
}

// ask answers one question for a turn.
func (a *answerer) ask(ctx context.Context, data []byte) []byte {
	ask, err := wire.DecodeAsk(data)
	if err != nil {
		a.unread.Do(func() { a.log.Warn("an ask could not be read, like others after it in the next minute", "error", err) })
		return wire.EncodeFailure(err)
	}
	ctx, cancel := context.WithTimeout(ctx, AskTimeout)
	defer cancel()
	answer, err := a.asker.Ask(ctx, ask)
	if err != nil {
		return wire.EncodeFailure(err)
	}
	reply, err := a.encode(wire.EncodeAnswer(&answer))
	if errors.Is(err, wire.ErrTooLarge) && len(answer.Validators) > 0 {
		answer.Validators = nil // costs conditional requests only
		reply, err = a.encode(wire.EncodeAnswer(&answer))
	}
	return a.orFailure(reply, err, "answer", "host", string(ask.Host))
}

// notice answers the question for the job.
func (a *answerer) notice(ctx context.Context) []byte {
	ctx, cancel := context.WithTimeout(ctx, AskTimeout)
	defer cancel()
	n, err := a.asker.Notice(ctx)
	if err != nil {
		return wire.EncodeFailure(err)
	}
	reply, err := a.encode(wire.EncodeNotice(&n))
	if errors.Is(err, wire.ErrTooLarge) && len(n.ScopeKeys) > 0 {
		n.ScopeKeys, n.ScopeWhole = nil, false // the fetcher sends all links then
		reply, err = a.encode(wire.EncodeNotice(&n))
	}
	return a.orFailure(reply, err, "notice")
}

func (a *answerer) encode(body []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	reply := wire.EncodeReply(body)
	if len(reply) > a.limit() {
		return nil, ErrTooLarge
	}
	return reply, nil
}

func (a *answerer) orFailure(reply []byte, err error, what string, attrs ...any) []byte {
	if err != nil {
		a.log.Error("a reply could not be sent", append(attrs, "what", what, "error", err)...)
		return wire.EncodeFailure(err)
	}
	return reply
}

// serve hands each request to handle in a goroutine of its own, at most [AskConcurrency] at once. It
// returns when ctx ends, after the handlers have returned.
func serve[T any](ctx context.Context, requests <-chan T, handle func(T)) {
	var wg sync.WaitGroup
	defer wg.Wait()
	room := make(chan struct{}, AskConcurrency)
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-requests:
			select {
			case <-ctx.Done():
				return
			case room <- struct{}{}:
			}
			wg.Go(func() {
				defer func() { <-room }()
				handle(q)
			})
		}
	}
}

// readReply unwraps the bytes of a reply.
func readReply(reply []byte) ([]byte, error) {
	body, failure, err := wire.DecodeReply(reply)
	if err != nil {
		return nil, err
	}
	if failure != "" {
		return nil, errors.New("scheduler: " + failure)
	}
	return body, nil
}
