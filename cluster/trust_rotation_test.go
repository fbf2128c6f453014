package cluster_test

import (
	"fmt"
	"testing"

	"trawl/cluster"
	"trawl/cluster/clustertest"
)

func TestNodesOneStepApartUnderstandEachOther(t *testing.T) {
	for i, there := range cluster.Steps() {
		for j, here := range cluster.Steps() {
			t.Run(fmt.Sprintf("a server at step %d, a client at step %d", i, j), func(t *testing.T) {
				server, err := cluster.Ring(there...).ServerTLS(cluster.RoleScheduler, "s")
				clustertest.Must(t, err)
				client, err := cluster.Ring(here...).ClientTLS(cluster.RoleFetcher, "f", nil)
				clustertest.Must(t, err)
				serverErr, clientErr := clustertest.Shake(t, server, client)
				if ok := serverErr == nil && clientErr == nil; ok != cluster.Understand(i, j) {
					t.Errorf("TLS: %v; %v", serverErr, clientErr)
				}
			})
		}
	}
}
