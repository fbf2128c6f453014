package machine

import (
	"io/fs"
	"testing"
)

func TestTheMemoryOfTheControlGroupCountsWhereItIsLess(t *testing.T) {
	const meminfo, v2, v1 = "/proc/meminfo", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
	for name, tt := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"no group":            {map[string]string{meminfo: "MemTotal:       16384 kB\nMemFree:  1 kB\n"}, 16 << 20},
		"a group":             {map[string]string{meminfo: "MemTotal: 16384 kB\n", v2: "1048576\n"}, 1 << 20},
		"an older group":      {map[string]string{meminfo: "MemTotal: 16384 kB\n", v1: "2097152\n"}, 2 << 20},
		"a group without end": {map[string]string{meminfo: "MemTotal: 16384 kB\n", v2: "max\n"}, 16 << 20},
		"an older one":        {map[string]string{meminfo: "MemTotal: 16384 kB\n", v1: "9223372036854771712\n"}, 16 << 20},
		"another system":      {nil, 0},
	} {
		got := memory(func(name string) ([]byte, error) {
			if text, ok := tt.files[name]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		})
		if got != tt.want {
			t.Errorf("%s: %d bytes, want %d", name, got, tt.want)
		}
	}
}

func TestTheShareOfTheMachineHasBounds(t *testing.T) {
	for all, want := range map[int64]int64{0: LeastMemory, 24 << 30: LeastMemory, 50 << 30: 512 << 20, 1 << 40: 1 << 30} {
		if got := defaultMemory(all); got != want {
			t.Errorf("%d of %d bytes, want %d", got, all, want)
		}
	}
}

func TestCachesFitIntoTheMemoryThatTheyAreSharesOf(t *testing.T) {
	if got, want := CachesOf(LeastMemory), (Caches{Blocks: 48 << 20, Memtable: 16 << 20, Links: 1 << 20}); got != want {
		t.Errorf("the least memory gives %+v, want %+v", got, want)
	}
	for memory := int64(LeastMemory); memory < 1<<36; memory += memory / 3 {
		c := CachesOf(memory)
		if all := c.Blocks + 3*c.Memtable + int64(c.Links)*linkBytes; all > memory-memoryBase {
			t.Errorf("of %d MiB the caches take %d MiB", memory>>20, all>>20)
		}
	}
}
