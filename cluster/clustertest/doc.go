// Package clustertest has what the tests of several rooms of cluster share: waiting, connections without the secret, TLS and a PKI of one's
// own. It knows none of the rooms, so that the tests of each may use it. Only tests import it.
package clustertest
