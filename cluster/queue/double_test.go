package queue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"trawl/cluster/queue/wire"
	"trawl/crawler"
)

// Memory holds both queues in memory, for tests of a scheduler and fetchers in one process. It keeps the
// same promises as [Conn] and, by [Faults], shows what they do not promise. Values are encoded and decoded on
// their way, so that the ends share no memory and the limits of messages hold. It takes its time from package time, so that it runs in a synctest bubble. It is safe for concurrent use;
// the zero value is not usable.
type Memory struct {
	ackWait time.Duration
	asks    chan memoryAsk
	closed  chan struct{}

	mu      sync.Mutex
	faults  Faults
	tasks   []*memoryTask // in order of offer; acked ones are removed
	waiters []*waiter     // callers of Next, in order of coming
	alarm   *time.Timer   // rings when a task falls due by time

	parts [][]byte      // of the result log
	first uint64        // position of parts[0]
	grown chan struct{} // closed when a part is stored
}

// memoryTask is a stored task; it may be handed out from due on.
type memoryTask struct {
	data []byte
	due  time.Time
}

type waiter struct{ got chan crawler.Delivery }

type memoryAsk struct {
	data   []byte // nil for a notice
	reply  chan []byte
	notice bool
}

// Faults are what may go wrong between the two ends. Nil functions do nothing; the others are called under
// the lock of the queue and must not call it.
type Faults struct {
	LoseTask      func(crawler.Task) bool          // the message never comes
	DelayTask     func(crawler.Task) time.Duration // it comes later
	DuplicateTask func(crawler.Task) bool          // it comes twice
	LoseAck       func(crawler.Task) bool          // the ack does not arrive: the task comes again
	LoseAsk       func(crawler.Ask) bool           // the scheduler does not hear the ask
	LoseAnswer    func(crawler.Answer) bool        // the fetcher does not hear the answer
	// FailSend makes Send fail for a part, which is then stored or not.
	FailSend func(crawler.Part) (fail, stored bool)
}

// NewMemory makes empty queues; ackWait 0 is [DefaultAckWait].
func NewMemory(ackWait time.Duration) *Memory {
	if ackWait <= 0 {
		ackWait = DefaultAckWait
	}
	return &Memory{
		ackWait: ackWait, asks: make(chan memoryAsk), closed: make(chan struct{}),
		first: 1, grown: make(chan struct{}),
	}
}

// SetFaults replaces the faults.
func (m *Memory) SetFaults(f Faults) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = f
}

// Close ends every call with [ErrClosed]. It may be called more than once.
func (m *Memory) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.closed:
		return
	default:
	}
	close(m.closed)
	if m.alarm != nil {
		m.alarm.Stop()
	}
}

// Offer is as [Conn.Offer].
func (m *Memory) Offer(ctx context.Context, tasks []crawler.Task) error {
	if err := m.usable(ctx); err != nil {
		return fmt.Errorf("offer: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var problems []error
	for i := range tasks {
		data, err := wire.EncodeTask(&tasks[i])
		if err != nil {
			problems = append(problems, err)
			continue
		}
		m.add(data, tasks[i])
	}
	m.handOut()
	if err := first(problems); err != nil {
		return fmt.Errorf("offer: %d of %d turns not stored: %w", len(problems), len(tasks), err)
	}
	return nil
}

// Queued is as [Conn.Queued].
func (m *Memory) Queued(ctx context.Context) (int, error) {
	if err := m.usable(ctx); err != nil {
		return 0, fmt.Errorf("look at the task queue: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.tasks), nil
}

// add stores a task with the current faults. Called with the lock held.
func (m *Memory) add(data []byte, t crawler.Task) {
	f, due := &m.faults, time.Now()
	if f.LoseTask != nil && f.LoseTask(t) {
		return
	}
	if f.DelayTask != nil {
		due = due.Add(f.DelayTask(t))
	}
	m.tasks = append(m.tasks, &memoryTask{data: data, due: due})
	if f.DuplicateTask != nil && f.DuplicateTask(t) {
		m.tasks = append(m.tasks, &memoryTask{data: data, due: due})
	}
}

// handOut gives tasks that are due to those who wait, one each, in order of coming. Called with the lock
// held.
func (m *Memory) handOut() {
	now := time.Now()
	for _, t := range m.tasks {
		if len(m.waiters) == 0 {
			break
		}
		if t.due.After(now) {
			continue
		}
		t.due = now.Add(m.ackWait)
		task, err := wire.DecodeTask(t.data)
		if err != nil {
			continue // it was encoded by Offer
		}
		m.waiters[0].got <- crawler.Delivery{Task: task, Ack: sync.OnceFunc(func() { m.ack(t, task) })}
		m.waiters = m.waiters[1:]
	}
	m.setAlarm(now)
}

// setAlarm sees to it that somebody who waits gets what falls due later.
func (m *Memory) setAlarm(now time.Time) {
	if m.alarm != nil {
		m.alarm.Stop()
		m.alarm = nil
	}
	if len(m.waiters) == 0 || len(m.tasks) == 0 || m.isClosed() {
		return
	}
	due := m.tasks[0].due
	for _, t := range m.tasks[1:] {
		if t.due.Before(due) {
			due = t.due
		}
	}
	m.alarm = time.AfterFunc(due.Sub(now), func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.handOut()
	})
}

func (m *Memory) ack(t *memoryTask, task crawler.Task) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.faults.LoseAck != nil && m.faults.LoseAck(task) {
		return
	}
	m.remove(t)
}

func (m *Memory) remove(t *memoryTask) {
	for i, o := range m.tasks {
		if o == t {
			m.tasks = append(m.tasks[:i], m.tasks[i+1:]...)
			return
		}
	}
}

// Next is as [Conn.Next].
func (m *Memory) Next(ctx context.Context) (crawler.Delivery, error) {
	if err := m.usable(ctx); err != nil {
		return crawler.Delivery{}, err
	}
	w := &waiter{got: make(chan crawler.Delivery, 1)}
	m.mu.Lock()
	m.waiters = append(m.waiters, w)
	m.handOut()
	m.mu.Unlock()
	select {
	case d := <-w.got:
		return d, nil
	case <-ctx.Done():
	case <-m.closed:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, o := range m.waiters {
		if o == w {
			m.waiters = append(m.waiters[:i], m.waiters[i+1:]...)
			break
		}
	}
	select {
	case d := <-w.got: // it came at the same moment
		return d, nil
	default:
		return crawler.Delivery{}, m.why(ctx)
	}
}

// usable reports why a call need not begin.
func (m *Memory) usable(ctx context.Context) error {
	if ctx.Err() != nil || m.isClosed() {
		return m.why(ctx)
	}
	return nil
}

func (m *Memory) isClosed() bool {
	select {
	case <-m.closed:
		return true
	default:
		return false
	}
}

func (m *Memory) why(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return ErrClosed
}

// Ask is as [Conn.Ask].
func (m *Memory) Ask(ctx context.Context, ask crawler.Ask) (crawler.Answer, error) {
	data, err := wire.EncodeAsk(&ask)
	if err != nil {
		return crawler.Answer{}, err
	}
	f := m.currentFaults()
	body, err := m.request(ctx, memoryAsk{data: data}, f.LoseAsk != nil && f.LoseAsk(ask))
	if err != nil {
		return crawler.Answer{}, fmt.Errorf("ask for turn %v: %w", ask.Turn, err)
	}
	answer, err := wire.DecodeAnswer(body, ask.Host)
	if err == nil && f.LoseAnswer != nil && f.LoseAnswer(answer) {
		_, err = m.request(ctx, memoryAsk{}, true)
	}
	if err != nil {
		return crawler.Answer{}, fmt.Errorf("ask for turn %v: %w", ask.Turn, err)
	}
	return answer, nil
}

func (m *Memory) currentFaults() Faults {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.faults
}

// Notice is as [Conn.Notice].
func (m *Memory) Notice(ctx context.Context) (crawler.JobNotice, error) {
	body, err := m.request(ctx, memoryAsk{notice: true}, false)
	if err != nil {
		return crawler.JobNotice{}, fmt.Errorf("ask for the job: %w", err)
	}
	return wire.DecodeNotice(body)
}

// request waits for a reply; a request that is lost waits for nothing.
func (m *Memory) request(ctx context.Context, q memoryAsk, lost bool) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, AskTimeout)
	defer cancel()
	q.reply = make(chan []byte, 1)
	asks := m.asks
	if lost {
		asks = nil
	}
	for {
		select {
		case asks <- q:
			asks = nil
		case reply := <-q.reply:
			return readReply(reply)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-m.closed:
			return nil, ErrClosed
		}
	}
}

// ServeAsks is as [Conn.ServeAsks].
func (m *Memory) ServeAsks(ctx context.Context, h Asker) error {
	a := &answerer{asker: h, limit: func() int { return maxPayload }, log: slog.New(slog.DiscardHandler)}
	served, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		defer cancel()
		select {
		case <-m.closed:
		case <-served.Done():
		}
	})
	serve(served, m.asks, func(q memoryAsk) {
		if q.notice {
			q.reply <- a.notice(served)
			return
		}
		q.reply <- a.ask(served, q.data)
	})
	cancel()
	if ctx.Err() == nil {
		return fmt.Errorf("answer asks: %w", ErrClosed)
	}
	return nil
}
