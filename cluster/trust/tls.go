package trust

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"sync"
	"time"

	"trawl/cluster"
)

const (
	// ServerName is the name in every node's certificate. It is the same everywhere: the secret says who
	// belongs, and addresses may change.
	ServerName = "trawl"
	// CertificateLife is how long a node's certificate is valid. Half-way a running node makes a new one.
	CertificateLife = 90 * 24 * time.Hour
	// ClockSkew is how far the clocks of two nodes may differ.
	ClockSkew = time.Hour
)

// ServerTLS is how a node accepts connections: TLS 1.3, and only from nodes with a certificate of the cluster. It
// follows the keys: each handshake uses the current ones. Role and name go into certificates made from the
// secret, for people to read. Without a secret it returns [ErrNeedSecret].
func (r *Keyring) ServerTLS(role cluster.Role, name string) (*tls.Config, error) {
	id, err := newIdentity(r, role, name, time.Now)
	if err != nil {
		return nil, err
	}
	if err := r.requireServerCert(); err != nil {
		return nil, err
	}
	return id.server(), nil
}

// ClientTLS is how a node connects to others: TLS 1.3, and only to nodes with a certificate of the cluster. It
// follows the keys as [Keyring.ServerTLS] does. address returns the HOST:PORT that is dialed; nil when it is not
// known, and then a server's certificate must be for the name that all nodes have. Without a secret it returns
// [ErrNeedSecret].
func (r *Keyring) ClientTLS(role cluster.Role, name string, address func() string) (*tls.Config, error) {
	id, err := newIdentity(r, role, name, time.Now)
	if err != nil {
		return nil, err
	}
	if address == nil {
		address = func() string { return "" }
	}
	return id.client(address), nil
}

// authority is what the certificates of one secret come from: every node has it, and signs its own certificate.
type authority struct {
	cert *x509.Certificate
	key  ed25519.PrivateKey
}

func newAuthority(s Secret) (*authority, error) {
	key, err := s.authority()
	if err != nil {
		return nil, err
	}
	cert, err := authorityCertificate(key)
	if err != nil {
		return nil, err
	}
	return &authority{cert, key}, nil
}

// identity is a node's own certificate, and what it needs to make the next one. Safe for concurrent use.
type identity struct {
	ring    *Keyring
	subject pkix.Name
	now     func() time.Time

	mu   sync.Mutex
	cert *tls.Certificate // made last
	by   *authority       // that signed it
}

func newIdentity(ring *Keyring, role cluster.Role, name string, now func() time.Time) (*identity, error) {
	if ring.IsZero() {
		return nil, ErrNeedSecret
	}
	id := &identity{
		ring:    ring,
		subject: pkix.Name{CommonName: name, OrganizationalUnit: []string{string(role)}, Organization: []string{"trawl"}},
		now:     now,
	}
	if _, err := id.certificate(ring.state()); err != nil {
		return nil, err
	}
	return id, nil
}

// authorityCertificate is the same, byte by byte, on every node that has the key: fixed number and dates,
// and Ed25519 signs without randomness. Its dates mean nothing; the secret's life is the cluster's.
func authorityCertificate(key ed25519.PrivateKey) (*x509.Certificate, error) {
	t := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "trawl cluster"},
		NotBefore:             time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the cluster's certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// certificate returns the node's certificate: of an own PKI, or from the current secret; there a new one when half of
// the life of the last is over.
func (id *identity) certificate(k *keys) (*tls.Certificate, error) {
	if k.pki != nil {
		return k.pki.cert, nil
	}
	id.mu.Lock()
	defer id.mu.Unlock()
	now, by := id.now(), k.authorities[0]
	if id.by == by && now.Before(id.cert.Leaf.NotAfter.Add(-CertificateLife/2)) {
		return id.cert, nil
	}
	cert, err := id.mint(by, now)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	id.cert, id.by = cert, by
	return cert, nil
}

func (id *identity) mint(by *authority, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      id.subject,
		DNSNames:     []string{ServerName},
		NotBefore:    now.Add(-ClockSkew),
		NotAfter:     now.Add(CertificateLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, by.cert, key.Public(), by.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// server asks for the keys again at each handshake. What is set on a copy does not last, except the time.
func (id *identity) server() *tls.Config {
	c := id.serverNow()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return id.serverNow(), nil }
	return c
}

func (id *identity) serverNow() *tls.Config {
	c, k := id.base(), id.ring.state()
	c.ClientAuth = tls.RequireAndVerifyClientCert
	c.ClientCAs = k.pool
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return id.certificate(k) }
	return c
}

func (id *identity) client(address func() string) *tls.Config {
	c := id.base()
	c.ServerName = ServerName
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return id.certificate(id.ring.state())
	}
	c.InsecureSkipVerify = true // the library's own way has fixed authorities and one name; ours is below
	c.VerifyConnection = func(s tls.ConnectionState) error {
		k := id.ring.state()
		err := verifyChain(s.PeerCertificates, k.pool, id.now(), x509.ExtKeyUsageServerAuth)
		if err == nil {
			err = k.named(s.PeerCertificates[0], address())
		}
		if err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
		}
		return nil
	}
	return c
}

// base has no session tickets: a resumed session would skip what makes a certificate expire.
func (id *identity) base() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             nil,
		SessionTicketsDisabled: true,
		Time:                   id.now,
	}
}

// Admits reports whether a client that was let in by the configuration of a server would be let in now.
func Admits(server *tls.Config, s *tls.ConnectionState) bool {
	if server.GetConfigForClient == nil {
		return true // it does not change
	}
	now, err := server.GetConfigForClient(nil)
	return err == nil && verifyChain(s.PeerCertificates, now.ClientCAs, now.Time(), x509.ExtKeyUsageClientAuth) == nil
}
