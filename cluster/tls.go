package cluster

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

// ServerTLS is how a node accepts connections: TLS 1.3, and only from nodes that hold the secret. Role and
// name go into its certificate, for people to read. Without a secret it returns [ErrNeedSecret].
func ServerTLS(secret Secret, role Role, name string) (*tls.Config, error) {
	id, err := newIdentity(secret, role, name, time.Now)
	if err != nil {
		return nil, err
	}
	return id.server(), nil
}

// ClientTLS is how a node connects to others: TLS 1.3, and only to nodes that hold the secret. Without a
// secret it returns [ErrNeedSecret].
func ClientTLS(secret Secret, role Role, name string) (*tls.Config, error) {
	id, err := newIdentity(secret, role, name, time.Now)
	if err != nil {
		return nil, err
	}
	return id.client(), nil
}

// identity is a node's own certificate, and what it needs to make the next one. Safe for concurrent use.
type identity struct {
	authority *x509.Certificate
	key       ed25519.PrivateKey // of the authority
	pool      *x509.CertPool
	subject   pkix.Name
	now       func() time.Time

	mu   sync.Mutex
	cert *tls.Certificate
}

func newIdentity(secret Secret, role Role, name string, now func() time.Time) (*identity, error) {
	key, err := secret.authority()
	if err != nil {
		return nil, err
	}
	ca, err := authorityCertificate(key)
	if err != nil {
		return nil, err
	}
	id := &identity{
		authority: ca,
		key:       key,
		pool:      x509.NewCertPool(),
		subject:   pkix.Name{CommonName: name, OrganizationalUnit: []string{string(role)}, Organization: []string{"trawl"}},
		now:       now,
	}
	id.pool.AddCert(ca)
	if _, err := id.certificate(); err != nil {
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

// certificate returns the node's certificate, a new one when half of the life of the last is over.
func (id *identity) certificate() (*tls.Certificate, error) {
	id.mu.Lock()
	defer id.mu.Unlock()
	now := id.now()
	if id.cert != nil && now.Before(id.cert.Leaf.NotAfter.Add(-CertificateLife/2)) {
		return id.cert, nil
	}
	cert, err := id.mint(now)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	id.cert = cert
	return cert, nil
}

func (id *identity) mint(now time.Time) (*tls.Certificate, error) {
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
	der, err := x509.CreateCertificate(rand.Reader, t, id.authority, key.Public(), id.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

func (id *identity) server() *tls.Config {
	c := id.base()
	c.ClientAuth = tls.RequireAndVerifyClientCert
	c.ClientCAs = id.pool
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return id.certificate() }
	return c
}

func (id *identity) client() *tls.Config {
	c := id.base()
	c.RootCAs = id.pool
	c.ServerName = ServerName
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return id.certificate() }
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
