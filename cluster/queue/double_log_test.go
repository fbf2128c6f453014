package queue

import (
	"context"
	"errors"
	"fmt"

	"trawl/cluster/queue/wire"
	"trawl/crawler"
)

// errFault is what a fault of [Faults] ends in.
var errFault = errors.New("no confirmation")

// PrepareStreams is as [Conn.PrepareStreams].
func (m *Memory) PrepareStreams(ctx context.Context, after uint64) error {
	if err := m.usable(ctx); err != nil {
		return fmt.Errorf("prepare the queues: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last() < after {
		m.parts, m.first = nil, after+1
	}
	return nil
}

// last is the position of the newest part. Called with the lock held.
func (m *Memory) last() uint64 { return m.first + uint64(len(m.parts)) - 1 }

// Send is as [Conn.Send].
func (m *Memory) Send(ctx context.Context, part *crawler.Part) error {
	data, err := wire.EncodePart(part)
	if err != nil {
		return err
	}
	if err := m.usable(ctx); err != nil {
		return fmt.Errorf("send part: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	fail, stored := false, true
	if m.faults.FailSend != nil {
		if fail, stored = m.faults.FailSend(*part); !fail {
			stored = true
		}
	}
	if stored {
		m.parts = append(m.parts, data)
		close(m.grown)
		m.grown = make(chan struct{})
	}
	if fail {
		return fmt.Errorf("send part: %w", errFault)
	}
	return nil
}

// Read is as [Conn.Read].
func (m *Memory) Read(ctx context.Context, after uint64, most int) ([]crawler.LoggedPart, error) {
	for {
		if err := m.usable(ctx); err != nil {
			return nil, fmt.Errorf("read the result log: %w", err)
		}
		parts, grown := m.after(after, max(most, 1))
		if len(parts) > 0 {
			return parts, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
		case <-m.closed:
		}
	}
}

// after returns what is stored after the position, and a channel that is closed when there is more.
func (m *Memory) after(after uint64, most int) ([]crawler.LoggedPart, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last() < after {
		m.parts, m.first = nil, after+1
	}
	var out []crawler.LoggedPart
	for i, data := range m.parts {
		position := m.first + uint64(i)
		if position <= after {
			continue
		}
		if len(out) == most {
			break
		}
		part, err := wire.DecodePart(data)
		out = append(out, crawler.LoggedPart{Position: position, Part: part, Err: err})
	}
	return out, m.grown
}

// Last is as [Conn.Last].
func (m *Memory) Last(ctx context.Context) (uint64, error) {
	if err := m.usable(ctx); err != nil {
		return 0, fmt.Errorf("look at the result log: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last(), nil
}

// Purge is as [Conn.Purge].
func (m *Memory) Purge(ctx context.Context, upTo uint64) error {
	if err := m.usable(ctx); err != nil {
		return fmt.Errorf("purge the result log: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if upTo > m.last() {
		return fmt.Errorf("purge the result log: up to %d, but it ends at %d", upTo, m.last())
	}
	if upTo >= m.first {
		m.parts = m.parts[upTo-m.first+1:]
		m.first = upTo + 1
	}
	return nil
}
