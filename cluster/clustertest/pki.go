package clustertest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// PKI is an authority that tests make.
type PKI struct {
	Cert *x509.Certificate
	Key  ed25519.PrivateKey
}

// NewPKI makes an authority.
func NewPKI(t *testing.T) *PKI {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	Must(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "an authority of our own"},
		NotBefore: time.Now().Add(-1000 * time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	Must(t, err)
	c, err = x509.ParseCertificate(der)
	Must(t, err)
	return &PKI{c, key}
}

// Leaf says what a certificate is for.
type Leaf struct {
	Names    []string
	IPs      []net.IP
	Use      []x509.ExtKeyUsage // nil: server and client
	From, To time.Duration      // from now; 0: an hour before and after
}

// Issued is a certificate with its PEM texts.
type Issued struct {
	Pair      *tls.Certificate
	Cert, Key []byte
	CA        []byte
}

// Issue makes a certificate.
func (p *PKI) Issue(t *testing.T, o Leaf) *Issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Must(t, err)
	if o.Use == nil {
		o.Use = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	if o.From == 0 {
		o.From = -time.Hour
	}
	if o.To == 0 {
		o.To = time.Hour
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "a node"},
		DNSNames: o.Names, IPAddresses: o.IPs, ExtKeyUsage: o.Use, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(o.From), NotAfter: time.Now().Add(o.To),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, p.Cert, key.Public(), p.Key)
	Must(t, err)
	leaf, err := x509.ParseCertificate(der)
	Must(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	Must(t, err)
	return &Issued{
		Pair: &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf},
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}),
		CA:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Cert.Raw}),
	}
}

// Write writes the files that a node is given.
func (i *Issued) Write(t *testing.T, dir string) (cert, key, ca string) {
	t.Helper()
	cert, key, ca = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	for file, text := range map[string][]byte{cert: i.Cert, key: i.Key, ca: i.CA} {
		Must(t, os.WriteFile(file, text, 0o600))
	}
	return cert, key, ca
}

// Loopback is the address of this machine alone, for certificates.
func Loopback() []net.IP { return []net.IP{net.IPv4(127, 0, 0, 1)} }
