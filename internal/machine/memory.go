package machine

import (
	"math"
	"os"
	"strconv"
	"strings"
)

// A process that aims at so much memory divides it up like this, and here alone:
//
//	memoryBase             pages under way, queue, gossip, the program itself
//	two fifths of the rest blocks of the ledger that were read, and its filters: 2.5 bytes a known URL
//	an eighth              URLs that were seen of late, 16 bytes each
//	what is left           tables in memory, and what the collector has not collected yet
const (
	memoryBase = 200 << 20
	// LeastMemory is the least that a process can aim at, with the caches that a ledger has without any setting.
	LeastMemory = 320 << 20
	// mostDefault is the most that a process aims at which was not told.
	mostDefault = 1 << 30
	// memoryShare of the machine's memory is a hundredth: a crawler is rarely alone on it, and few crawls need more. Without cgo the
	// ledger's blocks are the collector's too, which takes half as much again for what it has not collected.
	memoryShare = 100

	leastCache, leastLinks      = 40 << 20, 1 << 20
	leastMemtable, mostMemtable = 16 << 20, 64 << 20
	linkBytes                   = 16
)

// Caches are the shares of a process's memory that grow with a crawl, up to here.
type Caches struct {
	Blocks   int64 // of the ledger, in bytes
	Memtable int64 // one of its tables in memory, in bytes
	Links    int   // URLs that were seen of late
}

// CachesOf divides a process's memory up.
func CachesOf(memory int64) Caches {
	rest := max(0, memory-memoryBase)
	c := Caches{Blocks: max(leastCache, rest*2/5), Memtable: min(max(leastMemtable, memory/64), mostMemtable), Links: leastLinks}
	for int64(c.Links)*2*linkBytes <= rest/8 {
		c.Links *= 2
	}
	return c
}

// DefaultMemory is what a process aims at that was not told: a share of the machine's memory, or of what its control group lets it have.
func DefaultMemory() int64 { return defaultMemory(memory(os.ReadFile)) }

func defaultMemory(all int64) int64 { return min(max(all/memoryShare, LeastMemory), mostDefault) }

// memory is what this process may use of the machine, 0 where the system does not say.
func memory(read func(string) ([]byte, error)) int64 {
	least := int64(math.MaxInt64)
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := read(file)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 { // else "max"
			least = min(least, n)
		}
	}
	text, err := read("/proc/meminfo")
	if err != nil {
		text = nil
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			if kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64); err == nil {
				least = min(least, kib<<10)
			}
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}
