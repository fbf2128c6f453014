// Command joins sends a cluster's gossip many times what looks like a join under a key that nobody has, and compares the memory
// of the attacked process before and after. Members and goroutines are compared by the tests of cluster/gossip.
//
//	joins HOST:PORT TRIES PID
package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "joins:", err)
		os.Exit(1)
	}
}

// maxGrowth is how much memory the attacked process may take meanwhile, in kB: what its own work needs.
const maxGrowth = 64 << 10

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: joins HOST:PORT TRIES PID")
	}
	tries, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	before, err := memory(args[2])
	if err != nil {
		return err
	}
	for i := range tries {
		if err := join(args[0], i); err != nil {
			return fmt.Errorf("try %d: %w", i, err)
		}
	}
	after, err := memory(args[2])
	if err != nil {
		return err
	}
	fmt.Printf("%d joins without the secret: memory %d MB before, %d MB after\n", tries, before>>10, after>>10)
	if after > before+maxGrowth {
		return fmt.Errorf("memory grew by %d kB", after-before)
	}
	return nil
}

// join sends what begins like an encrypted push/pull message of the gossip, under a key that nobody has.
func join(addr string, i int) error {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	message := append([]byte{10, 0, 0, 0, 64, 1}, make([]byte, 63)...)
	message[10] = byte(i)
	_, _ = c.Write(message) // it may hang up at once
	return nil
}

func memory(pid string) (int, error) {
	text, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	return 0, fmt.Errorf("no VmRSS of process %s", pid)
}
