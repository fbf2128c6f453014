package schedulertest

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"

	"trawl/crawler"
)

// Queues are both queues in memory: tasks may be lost and doubled, parts are a log.
type Queues struct {
	mu     sync.Mutex
	Rng    *rand.Rand
	Tasks  []crawler.Task
	Log    []crawler.LoggedPart
	Purged uint64
	More   chan struct{}
	Lossy  bool
}

func NewQueues(seed uint64) *Queues {
	return &Queues{Rng: rand.New(rand.NewPCG(seed, 1)), More: make(chan struct{}, 1)}
}

func (q *Queues) Offer(_ context.Context, tasks []crawler.Task) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range tasks {
		switch n := q.Rng.IntN(20); {
		case q.Lossy && n == 0:
		case q.Lossy && n == 1:
			q.Tasks = append(q.Tasks, t, t)
		default:
			q.Tasks = append(q.Tasks, t)
		}
	}
	return nil
}

func (q *Queues) Queued(context.Context) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.Tasks), nil
}

func (q *Queues) Take() (crawler.Task, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.Tasks) == 0 {
		return crawler.Task{}, false
	}
	i := q.Rng.IntN(len(q.Tasks))
	t := q.Tasks[i]
	q.Tasks = slices.Delete(q.Tasks, i, i+1)
	return t, true
}

func (q *Queues) Send(p crawler.Part) {
	q.mu.Lock()
	q.Log = append(q.Log, crawler.LoggedPart{Position: uint64(len(q.Log)) + 1, Part: p})
	q.mu.Unlock()
	select {
	case q.More <- struct{}{}:
	default:
	}
}

func (q *Queues) Read(ctx context.Context, after uint64, max int) ([]crawler.LoggedPart, error) {
	for {
		q.mu.Lock()
		var out []crawler.LoggedPart
		if int(after) < len(q.Log) {
			out = slices.Clone(q.Log[after:min(int(after)+max, len(q.Log))])
		}
		q.mu.Unlock()
		if len(out) > 0 {
			return out, nil
		}
		select {
		case <-q.More:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (q *Queues) Last(context.Context) (uint64, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return uint64(len(q.Log)), nil
}

func (q *Queues) Purge(_ context.Context, upTo uint64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.Purged = max(q.Purged, upTo)
	return nil
}
