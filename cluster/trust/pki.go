package trust

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

// pki is a PKI that the cluster's owner brought: this node's certificate and the authorities whose certificates
// are accepted. It never changes.
type pki struct {
	cert *tls.Certificate // Leaf is set
	pool *x509.CertPool
	text []byte // of the authorities, to see a change
}

// parsePKI reads PEM texts. Whether the certificate is valid now is asked apart ([pki.current]).
func parsePKI(cert, key, ca []byte) (*pki, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("`tls-cert` and `tls-key` %w: %s", ErrKeyFiles, withoutPrefix(err))
	}
	p := &pki{cert: &pair, pool: x509.NewCertPool(), text: ca}
	if n, err := addAuthorities(p.pool, ca); err != nil {
		return nil, fmt.Errorf("`tls-ca` %w: %w", ErrKeyFiles, err)
	} else if n == 0 {
		return nil, fmt.Errorf("`tls-ca` %w: there is no certificate in it; give a PEM file", ErrKeyFiles)
	}
	// Of a certificate that has ended it is still asked whether it was this authority's.
	within := p.leaf().NotBefore
	if err := p.verify(p.cert.Certificate, within, x509.ExtKeyUsageAny); err != nil {
		return nil, fmt.Errorf("`tls-cert` %w: it does not come from the authority in `tls-ca`", ErrKeyFiles)
	}
	if err := p.verify(p.cert.Certificate, within, x509.ExtKeyUsageClientAuth); err != nil {
		return nil, fmt.Errorf("`tls-cert` %w: it may not be used by a client (extendedKeyUsage clientAuth)", ErrKeyFiles)
	}
	return p, nil
}

// withoutPrefix is the text of an error of package tls, which never holds a key.
func withoutPrefix(err error) string {
	return string(bytes.TrimPrefix([]byte(err.Error()), []byte("tls: ")))
}

func addAuthorities(pool *x509.CertPool, text []byte) (n int, err error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return n, nil
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return n, err
		}
		pool.AddCert(c)
		n++
	}
}

func (p *pki) leaf() *x509.Certificate { return p.cert.Leaf }

func (p *pki) verify(chain [][]byte, now time.Time, use x509.ExtKeyUsage) error {
	certs := make([]*x509.Certificate, len(chain))
	for i, der := range chain {
		var err error
		if certs[i], err = x509.ParseCertificate(der); err != nil {
			return err
		}
	}
	return verifyChain(certs, p.pool, now, use)
}

// serves reports whether the certificate may be shown by a server.
func (p *pki) forServers() error {
	if err := p.verify(p.cert.Certificate, p.leaf().NotBefore, x509.ExtKeyUsageServerAuth); err != nil {
		return fmt.Errorf("`tls-cert` %w: it may not be used by a server (extendedKeyUsage serverAuth)", ErrKeyFiles)
	}
	return nil
}

// current reports whether the certificate is valid now.
func (p *pki) current(now time.Time) error {
	switch c := p.leaf(); {
	case now.After(c.NotAfter):
		return fmt.Errorf("the certificate in `tls-cert` ended on %s: get a new one", c.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(c.NotBefore):
		return fmt.Errorf("the certificate in `tls-cert` is valid from %s on: is this machine's clock right?", c.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// same reports whether two hold the same certificates.
func (p *pki) same(o *pki) bool {
	if p == nil || o == nil {
		return p == o
	}
	return bytes.Equal(p.text, o.text) && slices.EqualFunc(p.cert.Certificate, o.cert.Certificate, bytes.Equal)
}

// verifyChain verifies a certificate and those that were shown with it.
func verifyChain(certs []*x509.Certificate, roots *x509.CertPool, now time.Time, use x509.ExtKeyUsage) error {
	if len(certs) == 0 {
		return errors.New("no certificate was shown")
	}
	between := x509.NewCertPool()
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	_, err := certs[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use}})
	return err
}

// named reports whether a server's certificate is for the name that all nodes have, or, of an own PKI, for the
// address that was dialed (HOST:PORT; "" when it is not known).
func (k *keys) named(leaf *x509.Certificate, address string) error {
	err := leaf.VerifyHostname(ServerName)
	if err == nil || k.pki == nil || address == "" {
		return err
	}
	host, _, splitErr := net.SplitHostPort(address)
	if splitErr != nil {
		return err
	}
	if leaf.VerifyHostname(host) == nil {
		return nil
	}
	return fmt.Errorf("it is neither for %s nor for the name %s: %w", host, ServerName, err)
}
