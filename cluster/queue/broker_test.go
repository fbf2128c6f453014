package queue

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/trust/trusttest"
)

func TestBrokerOptionsAreCheckedBeforeAnythingStarts(t *testing.T) {
	for name, c := range map[string]struct {
		o  BrokerOptions
		ok bool
	}{
		"in process":                    {BrokerOptions{StoreDir: "q"}, true},
		"plain text on loopback":        {BrokerOptions{StoreDir: "q", Listen: "127.0.0.1:0"}, true},
		"a secret, everywhere":          {BrokerOptions{StoreDir: "q", Listen: "0.0.0.0:7947", Keys: trusttest.Ring(trusttest.OurSecret)}, true},
		"plain text for other machines": {BrokerOptions{StoreDir: "q", Listen: "0.0.0.0:0"}, false},
		"plain text on every address":   {BrokerOptions{StoreDir: "q", Listen: ":0"}, false},
		"plain text on a name":          {BrokerOptions{StoreDir: "q", Listen: "queue.example:0"}, false},
		"an address without a port":     {BrokerOptions{StoreDir: "q", Listen: "127.0.0.1"}, false},
		"no store":                      {BrokerOptions{}, false},
		"a store of less than nothing":  {BrokerOptions{StoreDir: "q", MaxStore: -1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := NewBroker(c.o); (err == nil) != c.ok {
				t.Errorf("%v", err)
			}
		})
	}
}

// fillStore puts a task and three parts into a store, and closes it.
func fillStore(t *testing.T, dir string) {
	b, stop := startBroker(t, BrokerOptions{StoreDir: dir})
	s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler})
	clustertest.Must(t, s.PrepareStreams(t.Context(), 0))
	offer(t, t.Context(), s, 1, 1)
	for n := 1; n <= 3; n++ {
		clustertest.Must(t, s.Send(t.Context(), clustertest.Part(n)))
	}
	s.Close()
	stop()
}

func TestAStoreThatWasLostOrDamagedStartsEmpty(t *testing.T) {
	stream := func(dir, name string) string {
		return filepath.Join(storePath(dir), "$G", "streams", name)
	}
	for name, damage := range map[string]func(dir string) error{
		"it was deleted":          os.RemoveAll,
		"it is a file":            func(dir string) error { return errorsOf(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)) },
		"its content was deleted": func(dir string) error { return os.RemoveAll(storePath(dir)) },
		"its content is a file": func(dir string) error {
			return errorsOf(os.RemoveAll(storePath(dir)), os.WriteFile(storePath(dir), nil, 0o600))
		},
		"a stream was deleted": func(dir string) error { return os.RemoveAll(stream(dir, "trawl_results")) },
		"what a stream is cannot be read": func(dir string) error {
			return os.WriteFile(filepath.Join(stream(dir, "trawl_results"), "meta.inf"), []byte("{"), 0o600)
		},
		"what a stream is was emptied": func(dir string) error {
			return os.WriteFile(filepath.Join(stream(dir, "trawl_results"), "meta.inf"), nil, 0o600)
		},
		"a checksum is gone":               func(dir string) error { return os.Remove(filepath.Join(stream(dir, "trawl_results"), "meta.sum")) },
		"the mark is gone":                 func(dir string) error { return os.Remove(filepath.Join(dir, storeMarkFile)) },
		"the mark was cut":                 func(dir string) error { return os.Truncate(filepath.Join(dir, storeMarkFile), 0) },
		"the parts themselves were zeroed": func(dir string) error { return zero(filepath.Join(stream(dir, "trawl_results"), "msgs")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "queue")
			fillStore(t, dir)
			clustertest.Must(t, damage(dir))

			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			b, _ := startBroker(t, BrokerOptions{StoreDir: dir})
			s := newConn(t, ConnectOptions{Broker: b, Role: cluster.RoleScheduler})
			clustertest.Must(t, s.PrepareStreams(ctx, 3)) // the ledger had settled all three
			if last, err := s.Last(ctx); err != nil || last != 3 {
				t.Errorf("last is %d, %v", last, err)
			}
			clustertest.Must(t, s.Send(ctx, clustertest.Part(4)))
			if numbers, last := readAll(t, ctx, s, 3, 1, 10); last != 4 || numbers[0] != 4 {
				t.Errorf("part %v at %d", numbers, last)
			}
			offer(t, ctx, s, 2, 2)
			n, _ := next(t, ctx, s)
			if n == 1 { // the tasks were not damaged
				n, _ = next(t, ctx, s)
			}
			if n != 2 {
				t.Errorf("task %d", n)
			}
		})
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// zero overwrites every file of a directory with as many zeros.
func zero(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, e.Name()), make([]byte, info.Size()), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func TestAStoreOfAnotherModeIsNotTouched(t *testing.T) {
	dir := t.TempDir()
	fillStore(t, dir)
	clustertest.Must(t, os.WriteFile(filepath.Join(dir, storeMarkFile), []byte(`{"format":1,"mode":"clustered"}`), 0o600))
	b, err := NewBroker(BrokerOptions{StoreDir: dir})
	clustertest.Must(t, err)
	err = b.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "clustered") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(storePath(dir), "$G", "streams", "trawl_results")); err != nil {
		t.Error(err)
	}
}

func TestABrokerThatCannotListenSaysSo(t *testing.T) {
	dir := t.TempDir()
	fillStore(t, dir)
	b, err := NewBroker(BrokerOptions{StoreDir: dir, Listen: silent(t)})
	clustertest.Must(t, err)
	if err := b.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("%v", err)
	}
	select {
	case <-b.Ready():
		t.Error("it is ready")
	default:
	}
	again, _ := startBroker(t, BrokerOptions{StoreDir: dir})
	s := newConn(t, ConnectOptions{Broker: again, Role: cluster.RoleScheduler})
	if last, err := s.Last(t.Context()); err != nil || last != 3 {
		t.Errorf("its store did not survive: last is %d, %v", last, err)
	}
}

// TestBrokerProcess is no test: it is the process that TestNothingConfirmedIsLostByAKill kills.
func TestBrokerProcess(t *testing.T) {
	dir := os.Getenv("TRAWL_TEST_BROKER_DIR")
	if dir == "" {
		t.Skip("it is the process that TestNothingConfirmedIsLostByAKill starts and kills")
	}
	b, err := NewBroker(BrokerOptions{StoreDir: dir, Listen: os.Getenv("TRAWL_TEST_BROKER_LISTEN"), MaxStore: 256 << 20})
	clustertest.Must(t, err)
	go func() {
		<-b.Ready()
		fmt.Println("listening", b.Addr())
	}()
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// brokerProcess starts a child and returns its address and the way to kill it.
func brokerProcess(t *testing.T, dir, listen string) (addr string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestBrokerProcess$")
	cmd.Env = append(os.Environ(), "TRAWL_TEST_BROKER_DIR="+dir, "TRAWL_TEST_BROKER_LISTEN="+listen)
	out, err := cmd.StdoutPipe()
	clustertest.Must(t, err)
	clustertest.Must(t, cmd.Start())
	kill = func() {
		_ = cmd.Process.Kill() // already gone the second time
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
			return addr, kill
		}
	}
	t.Fatalf("the child said nothing: %v", lines.Err())
	return "", nil
}

func TestNothingConfirmedIsLostByAKill(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	addr, kill := brokerProcess(t, dir, "127.0.0.1:0")
	s := newConn(t, ConnectOptions{URL: "nats://" + addr, Role: cluster.RoleScheduler})
	f := newConn(t, ConnectOptions{URL: "nats://" + addr, Role: cluster.RoleFetcher})
	clustertest.Must(t, s.PrepareStreams(ctx, 0))

	const rounds, each = 3, 200
	confirmed := make(chan int, rounds*each)
	sent := make(chan error, 1)
	go func() { // one part after the other, as a fetcher does
		for n := 1; n <= rounds*each; n++ {
			if err := f.Send(ctx, clustertest.Part(n)); err != nil {
				sent <- err
				return
			}
			confirmed <- n
		}
		sent <- nil
	}()
	for range rounds - 1 {
		for range each / 2 {
			<-confirmed
		}
		kill()
		_, kill = brokerProcess(t, dir, addr)
	}
	clustertest.Must(t, <-sent)

	// A part whose confirmation was lost is there twice. None is missing, and none comes before an earlier one.
	want, after := 1, uint64(0)
	for want <= rounds*each {
		parts, err := s.Read(ctx, after, 64)
		clustertest.Must(t, err)
		for _, p := range parts {
			clustertest.Must(t, p.Err)
			switch after = p.Position; p.Part.Number {
			case want:
				want++
			case want - 1:
			default:
				t.Fatalf("part %d where %d was due", p.Part.Number, want)
			}
		}
	}
}
