package trust_test

import (
	"fmt"
	"testing"

	"trawl/cluster"
	"trawl/cluster/clustertest"
	"trawl/cluster/trust/trusttest"
)

func TestNodesOneStepApartUnderstandEachOther(t *testing.T) {
	for i, there := range trusttest.Steps() {
		for j, here := range trusttest.Steps() {
			t.Run(fmt.Sprintf("a server at step %d, a client at step %d", i, j), func(t *testing.T) {
				server, err := trusttest.Ring(there...).ServerTLS(cluster.RoleScheduler, "s")
				clustertest.Must(t, err)
				client, err := trusttest.Ring(here...).ClientTLS(cluster.RoleFetcher, "f", nil)
				clustertest.Must(t, err)
				serverErr, clientErr := clustertest.Shake(t, server, client)
				if ok := serverErr == nil && clientErr == nil; ok != trusttest.Understand(i, j) {
					t.Errorf("TLS: %v; %v", serverErr, clientErr)
				}
			})
		}
	}
}
