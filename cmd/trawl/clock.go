package main

import (
	"context"
	"os"
	"strings"
	"sync"
	"time"

	"trawl/internal/node"

	"github.com/spf13/pflag"
)

// clockReadEvery is how often the file of a moved wall clock is read.
const clockReadEvery = 100 * time.Millisecond

// movedClock is a wall clock that a test moves: its file holds how far, as a duration. Safe for concurrent use.
type movedClock struct {
	file string

	mu     sync.Mutex
	read   time.Time
	offset time.Duration
}

func (c *movedClock) add(fs *pflag.FlagSet) {
	fs.StringVar(&c.file, "wall-clock", "", "file with a duration that is added to the wall clock, for tests")
	fs.Lookup("wall-clock").Hidden = true
}

// moves lets the clock of what runs with the context be moved, where there is a file.
func (c *movedClock) moves(ctx context.Context) context.Context {
	if c.file == "" {
		return ctx
	}
	return node.WithHooks(ctx, node.Hooks{ClockOffset: c.now})
}

// now is how far the clock is moved. A file that is missing or makes no sense leaves it where it was.
func (c *movedClock) now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.read) < clockReadEvery {
		return c.offset
	}
	c.read = time.Now()
	text, err := os.ReadFile(c.file)
	if err != nil {
		return c.offset
	}
	if d, err := time.ParseDuration(strings.TrimSpace(string(text))); err == nil {
		c.offset = d
	}
	return c.offset
}
