package trust

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"trawl/cluster"
	"trawl/cluster/clustertest"
)

func testIdentity(t *testing.T, s Secret, now func() time.Time) *identity {
	t.Helper()
	id, err := newIdentity(ringOf(s), cluster.RoleFetcher, "n1", now)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestHandshakes(t *testing.T) {
	at := func(d time.Duration) func() time.Time {
		return func() time.Time { return time.Now().Add(d) }
	}
	ours := testIdentity(t, ourSecret, time.Now)
	same := testIdentity(t, ourSecret, time.Now)
	other := testIdentity(t, theirSecret, time.Now)
	expired := testIdentity(t, ourSecret, at(-CertificateLife-time.Hour))
	early := testIdentity(t, ourSecret, at(2*ClockSkew))
	skewed := testIdentity(t, ourSecret, at(ClockSkew/2))

	// stale shows the certificate of one identity at the time of another.
	stale := func(c *tls.Config) *tls.Config { c.Time = time.Now; return c }
	anonymous := clientOf(ours)
	anonymous.GetClientCertificate = nil
	blind := clientOf(other)
	blind.VerifyConnection = nil
	old := clientOf(ours)
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	named := ours.server()
	named.GetConfigForClient = nil
	named.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return namedOther(t), nil }
	self := clientOf(ours)
	self.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return selfSigned(t), nil }

	tests := []struct {
		name           string
		server, client *tls.Config
		ok             bool
	}{
		{"two nodes with one secret", ours.server(), clientOf(same), true},
		{"a node with itself", ours.server(), clientOf(ours), true},
		{"a clock half an hour ahead", ours.server(), stale(clientOf(skewed)), true},
		{"a client of another cluster", ours.server(), clientOf(other), false},
		{"a client of another cluster that takes any server", ours.server(), blind, false},
		{"a server of another cluster", other.server(), clientOf(ours), false},
		{"a client without a certificate", ours.server(), anonymous, false},
		{"a client with a certificate of its own", ours.server(), self, false},
		{"a client whose certificate has expired", ours.server(), stale(clientOf(expired)), false},
		{"a server whose certificate has expired", stale(expired.server()), clientOf(ours), false},
		{"a client whose certificate is not valid yet", ours.server(), stale(clientOf(early)), false},
		{"a client that speaks TLS 1.2", ours.server(), old, false},
		{"a server with another name in its certificate", named, clientOf(ours), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serverErr, clientErr := clustertest.Shake(t, tt.server, tt.client)
			if (serverErr == nil) != tt.ok || (clientErr == nil) != tt.ok {
				t.Errorf("server: %v; client: %v", serverErr, clientErr)
			}
		})
	}
}

func clientOf(id *identity) *tls.Config { return id.client(func() string { return "" }) }

func ours(id *identity) *x509.Certificate { return id.ring.state().authorities[0].cert }

// namedOther is a certificate of the cluster for a name that no node has.
func namedOther(t *testing.T) *tls.Certificate {
	t.Helper()
	a, err := newAuthority(ourSecret)
	if err != nil {
		t.Fatal(err)
	}
	own := clustertest.PKI{Cert: a.cert, Key: a.key}
	return own.Issue(t, clustertest.Leaf{Names: []string{"other.example"}}).Pair
}

func selfSigned(t *testing.T) *tls.Certificate {
	t.Helper()
	id := testIdentity(t, Secret("made up by somebody else"), time.Now)
	cert, err := id.certificate(id.ring.state())
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestTheAuthorityIsTheSameEverywhere(t *testing.T) {
	a, b := testIdentity(t, ourSecret, time.Now), testIdentity(t, ourSecret, time.Now)
	if !bytes.Equal(ours(a).Raw, ours(b).Raw) {
		t.Error("two nodes with one secret have different authorities")
	}
	if bytes.Equal(ours(a).RawSubjectPublicKeyInfo, ours(testIdentity(t, theirSecret, time.Now)).RawSubjectPublicKeyInfo) {
		t.Error("two secrets have one authority")
	}
	x, _ := a.certificate(a.ring.state())
	y, _ := b.certificate(b.ring.state())
	if bytes.Equal(x.Leaf.Raw, y.Leaf.Raw) {
		t.Error("two nodes have one certificate")
	}
	if x.Leaf.Subject.CommonName != "n1" || x.Leaf.Subject.OrganizationalUnit[0] != string(cluster.RoleFetcher) {
		t.Errorf("the subject is %v", x.Leaf.Subject)
	}
}

func TestANodeCannotSignForOthersWithItsCertificate(t *testing.T) {
	id := testIdentity(t, ourSecret, time.Now)
	leaf, _ := id.certificate(id.ring.state())
	if leaf.Leaf.IsCA || leaf.Leaf.KeyUsage&x509.KeyUsageCertSign != 0 {
		t.Error("a node's certificate can sign others")
	}
}

func TestACertificateIsRenewedHalfWay(t *testing.T) {
	now := time.Now()
	id := testIdentity(t, ourSecret, func() time.Time { return now })
	first, _ := id.certificate(id.ring.state())
	now = now.Add(CertificateLife/2 - time.Minute)
	if again, _ := id.certificate(id.ring.state()); again != first {
		t.Error("renewed before half of its life")
	}
	now = now.Add(2 * time.Minute)
	next, err := id.certificate(id.ring.state())
	if err != nil || next == first {
		t.Fatalf("not renewed after half of its life: %v", err)
	}
	if !next.Leaf.NotAfter.After(first.Leaf.NotAfter) {
		t.Error("the new one does not last longer")
	}
}
