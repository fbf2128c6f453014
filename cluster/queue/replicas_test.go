package queue

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trawl/cluster"
)

// natsServers starts servers of somebody else, as one cluster when there are several, and returns their addresses.
func natsServers(t *testing.T, n int) string {
	t.Helper()
	routes, ports := "", make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = l.Addr().(*net.TCPAddr).Port
		routes += fmt.Sprintf(",nats://127.0.0.1:%d", ports[i])
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	all := make([]*server.Server, n)
	for i := range all {
		o := &server.Options{ServerName: fmt.Sprintf("s%d", i), Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
		if n > 1 {
			o.Cluster = server.ClusterOpts{Name: "theirs", Host: "127.0.0.1", Port: ports[i]}
			o.Routes = server.RoutesFromStr(routes[1:])
		}
		s, err := server.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		go s.Start()
		all[i] = s
	}
	for _, s := range all {
		if !s.ReadyForConnections(time.Minute) {
			t.Fatal("a server does not start")
		}
	}
	patient := time.NewTicker(20 * time.Millisecond)
	defer patient.Stop()
	for n > 1 && !slices.ContainsFunc(all, func(s *server.Server) bool { return len(s.JetStreamClusterPeers()) == n }) {
		select {
		case <-patient.C:
		case <-t.Context().Done():
			t.Fatal("the servers find no leader")
		}
	}
	var at []string
	for _, s := range all {
		at = append(at, s.ClientURL())
	}
	return strings.Join(at, ",")
}

func TestForeignServersKeepAsManyCopiesAsTheyAllow(t *testing.T) {
	for servers, want := range map[int]int{1: 1, 3: 3} {
		t.Run(fmt.Sprintf("%d servers", servers), func(t *testing.T) {
			c, err := Connect(t.Context(), ConnectOptions{URL: natsServers(t, servers), Foreign: true, Role: cluster.RoleScheduler, Name: "s", Namespace: "job"})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for range 2 { // the second time as at a restart: what is there stays as it is
				if err := c.PrepareStreams(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
				if got := c.Replicas(); got != want {
					t.Fatalf("%d copies, want %d", got, want)
				}
			}
			for _, stream := range []string{c.names.tasks, c.names.results} {
				s, err := c.js.Stream(t.Context(), stream)
				if err != nil {
					t.Fatal(err)
				}
				if got := s.CachedInfo().Config.Replicas; got != want {
					t.Errorf("%s has %d copies, want %d", stream, got, want)
				}
			}
		})
	}
}
