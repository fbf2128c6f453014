package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base32"
	"encoding/base64"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// realm is what follows from a secret. It is written a second time here, from docs/security.md and not with the code that is
// attacked, so that a change of the derivation is noticed.
type realm struct {
	secret string
	file   string
}

func newRealm(dir, name string) (*realm, error) {
	b := make([]byte, 32)
	rand.Read(b)
	c := &realm{secret: base64.RawURLEncoding.EncodeToString(b), file: filepath.Join(dir, name)}
	return c, os.WriteFile(c.file, []byte(c.secret+"\n"), 0o600)
}

func (c *realm) derive(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, []byte(c.secret), nil, purpose, 32)
	if err != nil {
		panic(err) // a fixed length that is short enough
	}
	return key
}

// userKey is the key of a role on the queue, and its public form as NATS writes it.
func (c *realm) userKey(role string) (ed25519.PrivateKey, string) {
	key := ed25519.NewKeyFromSeed(c.derive("trawl 1 queue user " + role))
	raw := append([]byte{20 << 3}, key.Public().(ed25519.PublicKey)...) // U
	sum := crc16(raw)
	raw = append(raw, byte(sum), byte(sum>>8))
	return key, base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
}

func crc16(b []byte) (sum uint16) {
	for _, x := range b {
		sum ^= uint16(x) << 8
		for range 8 {
			if sum&0x8000 != 0 {
				sum = sum<<1 ^ 0x1021
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}

// certificate mints a node's certificate that is valid between the two times.
func (c *realm) certificate(from, to time.Time) (tls.Certificate, error) {
	authority := ed25519.NewKeyFromSeed(c.derive("trawl 1 certificate authority"))
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "trawl cluster"}}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "intruder", Organization: []string{"trawl"}},
		DNSNames: []string{"trawl"}, NotBefore: from, NotAfter: to, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca, key.Public(), authority)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// member is the TLS of a node that holds the secret.
func (c *realm) member() (*tls.Config, error) {
	cert, err := c.certificate(time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	return clientWith(&cert), err
}

// clientWith trusts every server: an intruder does not mind.
func clientWith(cert *tls.Certificate) *tls.Config {
	c := &tls.Config{InsecureSkipVerify: true, ServerName: "trawl"}
	if cert != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	return c
}
