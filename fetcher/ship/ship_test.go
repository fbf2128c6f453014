package ship

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"trawl/crawler"
	"trawl/fetcher/fetchertest"
)

// memoryShips is an outbox and a depot in memory. fail, when set, is asked before each call.
type memoryShips struct {
	fail func(call string) error

	mu      sync.Mutex
	here    map[string][]byte
	grows   map[string]bool
	there   map[string][]byte
	done    map[string]bool
	appends []int64
}

func newShips(files map[string][]byte) *memoryShips {
	return &memoryShips{
		fail: func(string) error { return nil }, here: maps.Clone(files),
		grows: make(map[string]bool), there: make(map[string][]byte), done: make(map[string]bool),
	}
}

func (m *memoryShips) Pending() ([]crawler.Shipment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []crawler.Shipment
	for _, name := range slices.Sorted(maps.Keys(m.here)) {
		out = append(out, crawler.Shipment{Name: name, Size: int64(len(m.here[name])), Final: !m.grows[name]})
	}
	return out, m.fail("pending")
}

func (m *memoryShips) Open(name string) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return io.NopCloser(bytes.NewBuffer(bytes.Clone(m.here[name]))), nil // no Seeker
}

func (m *memoryShips) Shipped(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.done[name] {
		return errors.New("removed before it was finished")
	}
	if err := m.fail("shipped " + name); err != nil {
		return err
	}
	delete(m.here, name)
	return nil
}

func (m *memoryShips) Size(_ context.Context, name string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int64(len(m.there[name])), m.fail("size " + name)
}

func (m *memoryShips) Append(_ context.Context, name string, offset int64, r io.Reader, n int64) error {
	b, err := io.ReadAll(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err != nil:
		return err
	case offset != int64(len(m.there[name])) || n != int64(len(b)):
		return fmt.Errorf("%d bytes, said to be %d, at %d of %d", len(b), n, offset, len(m.there[name]))
	}
	if err := m.fail("append " + name); err != nil {
		return err
	}
	m.there[name] = append(m.there[name], b...)
	m.appends = append(m.appends, n)
	return nil
}

func (m *memoryShips) Finish(_ context.Context, name string, size int64, digest crawler.Digest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if int64(len(m.there[name])) != size || sha256.Sum256(m.there[name]) != digest {
		return errors.New("another file")
	}
	m.done[name] = true
	return m.fail("finish " + name)
}

func (m *memoryShips) finished() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.done)
}

func TestDrainShipsEverythingInChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := bytes.Repeat([]byte("0123456789abcdef"), (ShipChunk*2+160)/16)
		m := newShips(map[string][]byte{"archive/a": large, "archive/b": []byte("b"), "archive/empty": {}})
		m.there["archive/a"] = large[:100] // an earlier process shipped so much
		if err := NewShipper(m, m, nil).Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(m.here) > 0 || m.finished() != 3 || !bytes.Equal(m.there["archive/a"], large) {
			t.Errorf("left %d, finished %d", len(m.here), m.finished())
		}
		slices.Sort(m.appends) // files travel at the same time
		if want := []int64{1, 60, ShipChunk, ShipChunk}; !slices.Equal(m.appends, want) {
			t.Errorf("chunks %v, want %v", m.appends, want)
		}
	})
}

func TestDrainGoesOnAfterErrorsAtEachStep(t *testing.T) {
	for _, step := range []string{"pending", "size a", "append a", "finish a", "shipped a"} {
		synctest.Test(t, func(t *testing.T) {
			m := newShips(map[string][]byte{"a": []byte("one"), "b": []byte("two")})
			left := 3
			m.fail = func(call string) error {
				if call == step && left > 0 {
					left--
					return fetchertest.ErrTest
				}
				return nil
			}
			if err := NewShipper(m, m, nil).Drain(t.Context()); err != nil || len(m.here) > 0 || left > 0 {
				t.Errorf("%s: %v, %d left", step, err, len(m.here))
			}
		})
	}
}

func TestFileThatFailsDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newShips(map[string][]byte{"a": []byte("one"), "b": []byte("two")})
		m.there["a"] = []byte("other") // a digest that will never agree
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := NewShipper(m, m, nil).Drain(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !m.done["b"] || m.done["a"] || m.here["a"] == nil {
			t.Errorf("Drain: %v, finished %v", err, m.done)
		}
	})
}

func TestGrowingFileIsShippedAsItGrowsAndFinishedWhenItIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newShips(map[string][]byte{"a": []byte("one")})
		m.grows["a"] = true
		s := NewShipper(m, m, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		grow := func(text string, grows bool) {
			synctest.Wait()
			m.mu.Lock()
			m.here["a"], m.grows["a"] = append(m.here["a"], text...), grows
			m.mu.Unlock()
			time.Sleep(shipInterval)
		}
		grow(" two", true)
		synctest.Wait()
		if string(m.there["a"]) != "one two" || m.finished() != 0 {
			t.Errorf("there is %q, finished %d", m.there["a"], m.finished())
		}
		grow(" three", false)
		synctest.Wait()
		if string(m.there["a"]) != "one two three" || !m.done["a"] || len(m.here) > 0 {
			t.Errorf("there is %q", m.there["a"])
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRunLooksAtTheOutboxByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newShips(nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- NewShipper(m, m, nil).Run(ctx) }()
		synctest.Wait()
		m.mu.Lock()
		m.here = map[string][]byte{"a": []byte("one")}
		m.mu.Unlock()
		<-time.After(shipInterval)
		synctest.Wait()
		if m.finished() != 1 {
			t.Error("not shipped")
		}
		cancel()
		<-ended
	})
}

func TestDrainGivesUpWhatCannotBeShipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newShips(map[string][]byte{"files/a": []byte("a"), "files/b": []byte("b")})
		m.there["files/a"] = []byte("somebody else's, and longer")
		err := NewShipper(m, m, nil).Drain(t.Context())
		if err == nil || len(m.here) != 1 || m.finished() != 1 {
			t.Errorf("error %v, %d left, %d finished", err, len(m.here), m.finished())
		}
	})
}
