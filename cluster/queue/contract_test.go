package queue

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"trawl/cluster/clustertest"
	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// schedulerEnd and fetcherEnd are the two ends of the queues; both implementations have both.
type schedulerEnd interface {
	PrepareStreams(ctx context.Context, after uint64) error
	Offer(ctx context.Context, tasks []crawler.Task) error
	Queued(ctx context.Context) (int, error)
	Read(ctx context.Context, after uint64, max int) ([]crawler.LoggedPart, error)
	Last(ctx context.Context) (uint64, error)
	Purge(ctx context.Context, upTo uint64) error
	ServeAsks(ctx context.Context, h Asker) error
}

type fetcherEnd interface {
	Next(ctx context.Context) (crawler.Delivery, error)
	Send(ctx context.Context, part *crawler.Part) error
	Ask(ctx context.Context, ask crawler.Ask) (crawler.Answer, error)
	Notice(ctx context.Context) (crawler.JobNotice, error)
}

// queueEnds are a scheduler and two fetchers at one pair of queues.
type queueEnds struct {
	s schedulerEnd
	f [2]fetcherEnd
}

// queueContract is what every implementation promises. open makes queues that were not prepared.
var queueContract = map[string]struct {
	ackWait time.Duration
	test    func(t *testing.T, ctx context.Context, q queueEnds)
}{
	"the queue says how many tasks it holds":                        {time.Minute, contractQueued},
	"a task that is not acked comes again, one that is acked never": {300 * time.Millisecond, contractAck},
	"a fetcher gets no more tasks than it asked for":                {0, contractNoMore},
	"a caller that gave up takes no task with it":                   {0, contractGaveUp},
	"one task over the limit does not hold up the others":           {0, contractTooLarge},
	"parts are read in order, from any position, until purged":      {0, contractLog},
	"reading waits for the next part":                               {0, contractWait},
	"positions go on where the ledger stands":                       {0, contractPositions},
	"asks are answered, many at once":                               {0, contractAsks},
	"an ask that nobody answers fails":                              {0, contractNoAnswer},
	"calls end with their context":                                  {0, contractContext},
}

func runContract(t *testing.T, bubble bool, open func(t *testing.T, ackWait time.Duration) queueEnds) {
	for name, c := range queueContract {
		run := func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			c.test(t, ctx, open(t, c.ackWait))
		}
		if bubble {
			inside := run
			run = func(t *testing.T) { synctest.Test(t, inside) }
		}
		t.Run(name, run)
	}
}

func TestMemoryKeepsTheContract(t *testing.T) {
	runContract(t, true, func(t *testing.T, ackWait time.Duration) queueEnds {
		m := NewMemory(ackWait)
		t.Cleanup(m.Close)
		return queueEnds{s: m, f: [2]fetcherEnd{m, m}}
	})
}

func offer(tb testing.TB, ctx context.Context, s schedulerEnd, from, to int) {
	tb.Helper()
	var tasks []crawler.Task
	for n := from; n <= to; n++ {
		tasks = append(tasks, clustertest.Task(tb, n))
	}
	clustertest.Must(tb, s.Offer(ctx, tasks))
}

func next(tb testing.TB, ctx context.Context, f fetcherEnd) (int, func()) {
	tb.Helper()
	d, err := f.Next(ctx)
	clustertest.Must(tb, err)
	var n int
	if _, err := fmt.Sscanf(string(d.Task.Host), "h%d.example", &n); err != nil {
		tb.Fatal(err)
	}
	if !reflect.DeepEqual(d.Task, clustertest.Task(tb, n)) {
		tb.Errorf("task changed on its way: %+v", d.Task)
	}
	return n, d.Ack
}

func contractAck(t *testing.T, ctx context.Context, q queueEnds) {
	clustertest.Must(t, q.s.PrepareStreams(ctx, 0))
	offer(t, ctx, q.s, 1, 2)
	first, ackFirst := next(t, ctx, q.f[0])
	ackFirst()
	ackFirst() // harmless
	second, _ := next(t, ctx, q.f[0])
	if first == second {
		t.Fatalf("task %d came twice at once", first)
	}
	again, ack := next(t, ctx, q.f[1])
	if again != second {
		t.Fatalf("task %d came again, not %d", again, second)
	}
	ack()
	offer(t, ctx, q.s, 3, 3)
	if n, ack := next(t, ctx, q.f[1]); n != 3 {
		t.Errorf("task %d came after its ack", n)
	} else {
		ack()
	}
}

func contractQueued(t *testing.T, ctx context.Context, q queueEnds) {
	clustertest.Must(t, q.s.PrepareStreams(ctx, 0))
	expect := func(want int) {
		t.Helper()
		clustertest.Eventually(t, ctx, fmt.Sprint(want, " tasks in the queue"), func() bool {
			n, err := q.s.Queued(ctx)
			return err == nil && n == want
		})
	}
	expect(0)
	offer(t, ctx, q.s, 1, 3)
	expect(3)
	_, ack := next(t, ctx, q.f[0])
	expect(3) // until it is acked
	ack()
	expect(2)
}

func contractNoMore(t *testing.T, ctx context.Context, q queueEnds) {
	clustertest.Must(t, q.s.PrepareStreams(ctx, 0))
	offer(t, ctx, q.s, 1, 3)
	seen := map[int]bool{}
	for _, f := range []fetcherEnd{q.f[0], q.f[1], q.f[1]} {
		n, _ := next(t, ctx, f)
		seen[n] = true
	}
	if len(seen) != 3 {
		t.Errorf("the tasks were %v", seen)
	}
}

func contractGaveUp(t *testing.T, ctx context.Context, q queueEnds) {
	clustertest.Must(t, q.s.PrepareStreams(ctx, 0))
	for n := range 5 {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		if _, err := q.f[0].Next(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("waiting ended with %v", err)
		}
		cancel()
		offer(t, ctx, q.s, n, n)
		_, ack := next(t, ctx, q.f[1]) // well before AckWait
		ack()
	}
}

func contractTooLarge(t *testing.T, ctx context.Context, q queueEnds) {
	clustertest.Must(t, q.s.PrepareStreams(ctx, 0))
	large := clustertest.Task(t, 1)
	large.URLs[0].Name = strings.Repeat("x", crawler.MaxTaskBytes)
	if err := q.s.Offer(ctx, []crawler.Task{large, clustertest.Task(t, 2)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("offer: %v", err)
	}
	if n, _ := next(t, ctx, q.f[0]); n != 2 {
		t.Errorf("task %d came", n)
	}
	part := clustertest.Part(1)
	part.State.Robots = []crawler.RobotsFile{{Scheme: "http", Body: make([]byte, crawler.MaxPartBytes)}}
	if err := q.f[0].Send(ctx, part); !errors.Is(err, ErrTooLarge) {
		t.Errorf("send: %v", err)
	}
}

// readAll reads n parts after the position and checks that they follow each other.
func readAll(tb testing.TB, ctx context.Context, s schedulerEnd, after uint64, n, most int) (numbers []int, last uint64) {
	tb.Helper()
	for len(numbers) < n {
		parts, err := s.Read(ctx, after, most)
		clustertest.Must(tb, err)
		if len(parts) == 0 || len(parts) > most {
			tb.Fatalf("%d parts, asked for at most %d", len(parts), most)
		}
		for _, p := range parts {
			clustertest.Must(tb, p.Err)
			if p.Position <= after {
				tb.Fatalf("position %d after %d", p.Position, after)
			}
			if !reflect.DeepEqual(&p.Part, clustertest.Part(p.Part.Number)) {
				tb.Errorf("part changed on its way: %+v", p.Part)
			}
			after = p.Position
			numbers = append(numbers, p.Part.Number)
		}
	}
	return numbers, after
}

func contractLog(t *testing.T, ctx context.Context, q queueEnds) {
	clustertest.Must(t, q.s.PrepareStreams(ctx, 0))
	for n := 1; n <= 5; n++ {
		clustertest.Must(t, q.f[n%2].Send(ctx, clustertest.Part(n)))
	}
	want := []int{1, 2, 3, 4, 5}
	numbers, last := readAll(t, ctx, q.s, 0, 5, 2)
	if !reflect.DeepEqual(numbers, want) {
		t.Errorf("read %v", numbers)
	}
	if l, err := q.s.Last(ctx); err != nil || l != last {
		t.Errorf("last is %d, %v; read up to %d", l, err, last)
	}
	if numbers, _ = readAll(t, ctx, q.s, 0, 5, 100); !reflect.DeepEqual(numbers, want) {
		t.Errorf("read again %v", numbers)
	}
	if numbers, _ = readAll(t, ctx, q.s, 2, 3, 100); !reflect.DeepEqual(numbers, want[2:]) {
		t.Errorf("read from the middle %v", numbers)
	}
	clustertest.Must(t, q.s.Purge(ctx, 0))
	clustertest.Must(t, q.s.Purge(ctx, 3))
	clustertest.Must(t, q.s.Purge(ctx, 2)) // gone already
	if numbers, _ = readAll(t, ctx, q.s, 0, 2, 100); !reflect.DeepEqual(numbers, want[3:]) {
		t.Errorf("read after the purge %v", numbers)
	}
	clustertest.Must(t, q.s.Purge(ctx, 5))
	if l, err := q.s.Last(ctx); err != nil || l != last {
		t.Errorf("last is %d, %v after everything was purged", l, err)
	}
	if err := q.s.Purge(ctx, 6); err == nil {
		t.Error("what was not stored yet can be purged")
	}
	clustertest.Must(t, q.f[0].Send(ctx, clustertest.Part(6)))
	if _, l := readAll(t, ctx, q.s, last, 1, 1); l != last+1 {
		t.Errorf("position %d after %d", l, last)
	}
}

func contractWait(t *testing.T, ctx context.Context, q queueEnds) {
	clustertest.Must(t, q.s.PrepareStreams(ctx, 0))
	type read struct {
		parts []crawler.LoggedPart
		err   error
	}
	done := make(chan read)
	position := uint64(0)
	for n := 1; n <= 3; n++ {
		go func() {
			parts, err := q.s.Read(ctx, position, 10)
			done <- read{parts, err}
		}()
		select {
		case r := <-done:
			t.Fatalf("%d parts of an empty log, %v", len(r.parts), r.err)
		case <-time.After(50 * time.Millisecond):
		}
		clustertest.Must(t, q.f[0].Send(ctx, clustertest.Part(n)))
		r := <-done
		clustertest.Must(t, r.err)
		if len(r.parts) != 1 || r.parts[0].Part.Number != n {
			t.Fatalf("read %+v", r.parts)
		}
		position = r.parts[0].Position
	}
}

func contractPositions(t *testing.T, ctx context.Context, q queueEnds) {
	expect := func(want uint64) {
		t.Helper()
		if l, err := q.s.Last(ctx); err != nil || l != want {
			t.Fatalf("last is %d, %v; want %d", l, err, want)
		}
	}
	clustertest.Must(t, q.s.PrepareStreams(ctx, 100)) // a new log beside an old ledger
	expect(100)
	clustertest.Must(t, q.f[0].Send(ctx, clustertest.Part(1)))
	if _, l := readAll(t, ctx, q.s, 100, 1, 1); l != 101 {
		t.Fatalf("the first part is at %d", l)
	}
	clustertest.Must(t, q.s.PrepareStreams(ctx, 100)) // a usual start: nothing changes
	expect(101)
	clustertest.Must(t, q.f[0].Send(ctx, clustertest.Part(2)))
	clustertest.Must(t, q.s.PrepareStreams(ctx, 200)) // the log lost its end
	expect(200)
	clustertest.Must(t, q.f[0].Send(ctx, clustertest.Part(3)))
	if numbers, l := readAll(t, ctx, q.s, 200, 1, 9); l != 201 || numbers[0] != 3 {
		t.Fatalf("part %v is at %d", numbers, l)
	}
	if numbers, _ := readAll(t, ctx, q.s, 0, 1, 9); numbers[0] != 3 {
		t.Fatalf("what was settled is still there: %v", numbers)
	}
}

// askerFunc answers asks with a function, and notices with a job.
type askerFunc func(ctx context.Context, ask crawler.Ask) (crawler.Answer, error)

func (f askerFunc) Ask(ctx context.Context, ask crawler.Ask) (crawler.Answer, error) {
	return f(ctx, ask)
}

func (f askerFunc) Notice(context.Context) (crawler.JobNotice, error) {
	return crawler.JobNotice{Job: crawler.NewJob(crawler.Crawl), Life: crawler.Life{7}, ScopeKeys: []uint64{1, 2}, ScopeWhole: true}, nil
}

// serveAsks answers until the test ends.
func serveAsks(t *testing.T, ctx context.Context, s schedulerEnd, h Asker) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error)
	go func() { done <- s.ServeAsks(ctx, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve asks: %v", err)
		}
	})
}

func contractAsks(t *testing.T, ctx context.Context, q queueEnds) {
	const together = 50
	var all sync.WaitGroup // nobody is answered before all have asked
	all.Add(together)
	serveAsks(t, ctx, q.s, askerFunc(func(ctx context.Context, ask crawler.Ask) (crawler.Answer, error) {
		if ask.Host == "refused.example" {
			return crawler.Answer{}, errors.New("no room in the ledger")
		}
		all.Done()
		all.Wait()
		u, err := weburl.Parse("http://" + string(ask.Host) + "/more")
		return crawler.Answer{
			Verdict: crawler.Granted, Lease: time.Minute, Credentials: session.Credentials{HTTP: ask.Fetcher}, More: []crawler.TaskURL{{URL: u}},
			Robots: []crawler.RobotsFile{{Scheme: "http", Status: crawler.RobotsRules, Body: []byte(strings.Repeat("x", 500_000))}},
		}, err
	}))
	var notice crawler.JobNotice
	clustertest.Eventually(t, ctx, "a notice", func() (ok bool) {
		var err error
		notice, err = q.f[0].Notice(ctx)
		return err == nil
	})
	if notice.Life != (crawler.Life{7}) || notice.Job.Lease != crawler.NewJob(crawler.Crawl).Lease || len(notice.ScopeKeys) != 2 {
		t.Errorf("notice: %+v", notice)
	}
	var wg sync.WaitGroup
	for n := range together {
		wg.Go(func() {
			ask := crawler.Ask{Turn: clustertest.Turn(n), Holder: crawler.HolderID{1}, Host: clustertest.Task(t, n).Host, Fetcher: fmt.Sprint(n)}
			a, err := q.f[n%2].Ask(ctx, ask)
			if err != nil || a.Verdict != crawler.Granted || a.Credentials.HTTP != fmt.Sprint(n) || len(a.Robots[0].Body) != 500_000 {
				t.Errorf("ask %d: %v, %v", n, a.Verdict, err)
			}
		})
	}
	wg.Wait()
	_, err := q.f[0].Ask(ctx, crawler.Ask{Turn: clustertest.Turn(1), Holder: crawler.HolderID{1}, Host: "refused.example"})
	if err == nil || !strings.Contains(err.Error(), "no room in the ledger") {
		t.Errorf("an asker that fails: %v", err)
	}
}

func contractNoAnswer(t *testing.T, ctx context.Context, q queueEnds) {
	_, err := q.f[0].Ask(ctx, crawler.Ask{Turn: clustertest.Turn(1), Holder: crawler.HolderID{1}, Host: "a.example"})
	if err == nil || ctx.Err() != nil {
		t.Errorf("an answer out of nowhere: %v", err)
	}
}

func contractContext(t *testing.T, ctx context.Context, q queueEnds) {
	clustertest.Must(t, q.s.PrepareStreams(ctx, 0))
	over, cancel := context.WithCancel(ctx)
	cancel()
	_, errNext := q.f[0].Next(over)
	_, errRead := q.s.Read(over, 0, 1)
	_, errAsk := q.f[0].Ask(over, crawler.Ask{Turn: clustertest.Turn(1), Holder: crawler.HolderID{1}, Host: "a.example"})
	_, errLast := q.s.Last(over)
	for call, err := range map[string]error{
		"next": errNext, "read": errRead, "ask": errAsk, "last": errLast, "purge": q.s.Purge(over, 1),
		"offer": q.s.Offer(over, []crawler.Task{clustertest.Task(t, 1)}), "send": q.f[0].Send(over, clustertest.Part(1)),
		"prepare": q.s.PrepareStreams(over, 0),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", call, err)
		}
	}
}
