package cluster

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// testPKI is an authority that tests make.
type testPKI struct {
	cert *x509.Certificate
	key  ed25519.PrivateKey
}

// newTestPKI makes an authority; or uses the one of a secret.
func newTestPKI(t *testing.T, a *authority) *testPKI {
	t.Helper()
	if a != nil {
		return &testPKI{a.cert, a.key}
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "an authority of our own"},
		NotBefore: time.Now().Add(-1000 * time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(t, err)
	c, err = x509.ParseCertificate(der)
	must(t, err)
	return &testPKI{c, key}
}

type leafOptions struct {
	names    []string
	ips      []net.IP
	use      []x509.ExtKeyUsage // nil: server and client
	from, to time.Duration      // from now; 0: an hour before and after
}

// issued is a certificate with its PEM texts.
type issued struct {
	pair      *tls.Certificate
	cert, key []byte
	ca        []byte
}

func (p *testPKI) issue(t *testing.T, o leafOptions) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	if o.use == nil {
		o.use = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	if o.from == 0 {
		o.from = -time.Hour
	}
	if o.to == 0 {
		o.to = time.Hour
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "a node"},
		DNSNames: o.names, IPAddresses: o.ips, ExtKeyUsage: o.use, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(o.from), NotAfter: time.Now().Add(o.to),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, p.cert, key.Public(), p.key)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return &issued{
		pair: &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf},
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}),
		ca:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw}),
	}
}

// write writes the files that a node is given.
func (i *issued) write(t *testing.T, dir string) KeyFiles {
	t.Helper()
	f := KeyFiles{
		Secret: filepath.Join(dir, "secret"), Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: filepath.Join(dir, "ca.pem"),
	}
	for file, text := range map[string][]byte{f.Secret: ourSecret, f.Cert: i.cert, f.Key: i.key, f.CA: i.ca} {
		must(t, os.WriteFile(file, text, 0o600))
	}
	return f
}

// ring is a keyring with our secret and this certificate.
func (i *issued) ring(t *testing.T) *Keyring {
	t.Helper()
	r := ringOf(ourSecret)
	p, err := parsePKI(i.cert, i.key, i.ca)
	must(t, err)
	must(t, r.set([]Secret{ourSecret}, p))
	return r
}

var loopback = []net.IP{net.IPv4(127, 0, 0, 1)}

func TestHandshakesWithAnOwnPKI(t *testing.T) {
	own, other := newTestPKI(t, nil), newTestPKI(t, nil)
	node := leafOptions{names: []string{ServerName}}
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	clientOnly, serverOnly := both[1:], both[:1]
	at := func(r *Keyring, address string) *tls.Config {
		c, err := r.ClientTLS(RoleFetcher, "f", func() string { return address })
		must(t, err)
		return c
	}
	// raw shows a certificate that this program would not load.
	raw := func(p *issued) *tls.Config {
		c := at(own.issue(t, node).ring(t), "127.0.0.1:1")
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return p.pair, nil }
		return c
	}
	rawServer := func(p *issued) *tls.Config {
		id, err := newIdentity(p.ring(t), RoleScheduler, "s", time.Now)
		must(t, err)
		return id.server()
	}
	good := own.issue(t, node)
	anonymous := at(good.ring(t), "127.0.0.1:1")
	anonymous.GetClientCertificate = nil
	for name, c := range map[string]struct {
		server, client *tls.Config
		ok             bool
	}{
		"the name that all nodes have":         {rawServer(good), at(good.ring(t), "127.0.0.1:1"), true},
		"the address that is dialed":           {rawServer(own.issue(t, leafOptions{ips: loopback})), at(good.ring(t), "127.0.0.1:1"), true},
		"the host name that is dialed":         {rawServer(own.issue(t, leafOptions{names: []string{"s.example"}})), at(good.ring(t), "s.example:1"), true},
		"a client that is only one":            {rawServer(good), at(own.issue(t, leafOptions{use: clientOnly}).ring(t), "127.0.0.1:1"), true},
		"another address":                      {rawServer(own.issue(t, leafOptions{ips: loopback})), at(good.ring(t), "127.0.0.2:1"), false},
		"another name":                         {rawServer(own.issue(t, leafOptions{names: []string{"s.example"}})), at(good.ring(t), "127.0.0.1:1"), false},
		"a server of another authority":        {rawServer(other.issue(t, node)), at(good.ring(t), "127.0.0.1:1"), false},
		"a client of another authority":        {rawServer(good), raw(other.issue(t, node)), false},
		"a server whose certificate has ended": {rawServer(own.issue(t, leafOptions{names: node.names, from: -3 * time.Hour, to: -time.Hour})), at(good.ring(t), "127.0.0.1:1"), false},
		"a client whose certificate has ended": {rawServer(good), raw(own.issue(t, leafOptions{from: -3 * time.Hour, to: -time.Hour})), false},
		"a client with a server's certificate": {rawServer(good), raw(own.issue(t, leafOptions{use: serverOnly})), false},
		"a server with a client's certificate": {rawServer(own.issue(t, leafOptions{names: node.names, use: clientOnly})), at(good.ring(t), "127.0.0.1:1"), false},
		"a client without a certificate":       {rawServer(good), anonymous, false},
		"a client with a secret alone":         {rawServer(good), at(ringOf(ourSecret), "127.0.0.1:1"), false},
		"a server with a secret alone":         {secretServer(t), at(good.ring(t), "127.0.0.1:1"), false},
	} {
		t.Run(name, func(t *testing.T) {
			serverErr, clientErr := shake(t, c.server, c.client)
			if (serverErr == nil) != c.ok || (clientErr == nil) != c.ok {
				t.Errorf("server: %v; client: %v", serverErr, clientErr)
			}
		})
	}
}

func secretServer(t *testing.T) *tls.Config {
	t.Helper()
	c, err := ringOf(ourSecret).ServerTLS(RoleScheduler, "s")
	must(t, err)
	return c
}

func TestKeyFilesAreChecked(t *testing.T) {
	own, other := newTestPKI(t, nil), newTestPKI(t, nil)
	good, foreign := own.issue(t, leafOptions{names: []string{ServerName}}), other.issue(t, leafOptions{})
	over := own.issue(t, leafOptions{from: -3 * time.Hour, to: -time.Hour})
	early := own.issue(t, leafOptions{from: time.Hour, to: 2 * time.Hour})
	serverOnly := own.issue(t, leafOptions{use: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	for name, c := range map[string]struct {
		change  func(f *KeyFiles)
		refused bool
		want    string // "" = it is good
	}{
		"all is well":                   {func(*KeyFiles) {}, false, ""},
		"a file is missing":             {func(f *KeyFiles) { f.Key += ".not" }, false, "--tls-key"},
		"two of three":                  {func(f *KeyFiles) { f.CA = "" }, false, "--tls-ca is missing"},
		"one of three":                  {func(f *KeyFiles) { f.CA, f.Key = "", "" }, false, "--tls-key and --tls-ca is missing"},
		"no secret":                     {func(f *KeyFiles) { f.Secret = "" }, false, "encrypts the gossip"},
		"the key of another":            {func(f *KeyFiles) { must(t, os.WriteFile(f.Key, foreign.key, 0o600)) }, false, "--tls-key"},
		"no authority":                  {func(f *KeyFiles) { must(t, os.WriteFile(f.CA, good.key, 0o600)) }, false, "no certificate in it"},
		"another authority":             {func(f *KeyFiles) { must(t, os.WriteFile(f.CA, foreign.ca, 0o600)) }, false, "does not come from the authority"},
		"no use for a client":           {func(f *KeyFiles) { *f = serverOnly.write(t, t.TempDir()) }, false, "clientAuth"},
		"it has ended":                  {func(f *KeyFiles) { *f = over.write(t, t.TempDir()) }, true, "ended on"},
		"it is not valid yet":           {func(f *KeyFiles) { *f = early.write(t, t.TempDir()) }, true, "clock"},
		"the secret from somewhere":     {func(f *KeyFiles) { f.Secret, f.Given = "", ourSecret }, false, ""},
		"the secret file has no secret": {func(f *KeyFiles) { must(t, os.WriteFile(f.Secret, []byte("short"), 0o600)) }, false, "trawl secret"},
	} {
		t.Run(name, func(t *testing.T) {
			f := good.write(t, t.TempDir())
			c.change(&f)
			r, err := OpenKeyring(f, testLog(t))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v", err)
			}
			if errors.Is(err, ErrRefused) != c.refused {
				t.Errorf("%v", err)
			}
			if err == nil && !r.OwnPKI() {
				t.Error("the certificates are not in force")
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %v", err)
			}
			t.Log(err)
		})
	}
}

func TestAServerNeedsACertificateForServers(t *testing.T) {
	r := newTestPKI(t, nil).issue(t, leafOptions{use: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}).ring(t)
	if _, err := r.ServerTLS(RoleScheduler, "s"); err == nil || !strings.Contains(err.Error(), "serverAuth") {
		t.Errorf("%v", err)
	}
}

// A renewed certificate is taken from its files while nodes run, and fetchers stay.
func TestCertificatesAreReadAgainWhenTheyChange(t *testing.T) {
	own := newTestPKI(t, nil)
	dir := t.TempDir()
	node := leafOptions{names: []string{ServerName}, to: ExpiryNotice - time.Hour}
	var log bytes.Buffer
	there, err := OpenKeyring(own.issue(t, node).write(t, dir), slog.New(slog.NewTextHandler(&log, nil)))
	must(t, err)
	there.announceEnd(time.Now())
	if strings.Count(log.String(), "ends soon") != 1 {
		t.Errorf("the log says %q", log.String())
	}
	here := own.issue(t, leafOptions{}).ring(t)
	b, _ := startBroker(t, BrokerOptions{Listen: "127.0.0.1:0", Keys: there})
	s := connect(t, ConnectOptions{Broker: b, Role: RoleScheduler})
	must(t, s.PrepareStreams(t.Context(), 0))
	f := connect(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: RoleFetcher, Keys: here})
	must(t, f.Send(t.Context(), queuePart(1)))

	node.to = 1000 * time.Hour
	fresh := own.issue(t, node)
	fresh.write(t, dir)
	there.Reload()
	if !there.state().pki.same(&pki{cert: fresh.pair, text: fresh.ca}) {
		t.Fatalf("the new certificate is not in force: %s", log.String())
	}
	must(t, f.Send(t.Context(), queuePart(2)))
	must(t, connect(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: RoleFetcher, Keys: here}).Send(t.Context(), queuePart(3)))

	newTestPKI(t, nil).issue(t, node).write(t, dir) // another authority: one that is in force from now on
	there.Reload()
	if c, err := Connect(t.Context(), ConnectOptions{URL: "nats://" + b.Addr(), Role: RoleFetcher, Keys: here}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "--tls-ca") {
		if err == nil {
			c.Close()
		}
		t.Errorf("%v", err)
	} else {
		t.Log(err)
	}
}

// Where both sides have certificates that are good, the secret still decides who logs in to the queue.
func TestWithAnOwnPKITheSecretIsNeededAllTheSame(t *testing.T) {
	own := newTestPKI(t, nil)
	there := own.issue(t, leafOptions{names: []string{ServerName}}).ring(t)
	b, _ := startBroker(t, BrokerOptions{Listen: "127.0.0.1:0", Keys: there})
	here := own.issue(t, leafOptions{}).ring(t)
	f := connect(t, ConnectOptions{URL: "nats://" + b.Addr(), Role: RoleFetcher, Keys: here, Patience: time.Second})
	must(t, here.Set(theirSecret))
	other := own.issue(t, leafOptions{}).ring(t)
	must(t, other.Set(theirSecret))
	if _, err := Connect(t.Context(), ConnectOptions{URL: "nats://" + b.Addr(), Role: RoleFetcher, Keys: other}); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
	if _, err := f.Next(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
}

func TestTheControlAPIWithAnOwnPKI(t *testing.T) {
	own, other := newTestPKI(t, nil), newTestPKI(t, nil)
	there := own.issue(t, leafOptions{ips: loopback}).ring(t)
	server, err := there.ServerTLS(RoleScheduler, "s")
	must(t, err)
	a := startControl(t, ControlOptions{Listen: "127.0.0.1:0", TLS: server, Keys: there})
	stranger := own.issue(t, leafOptions{}).ring(t)
	must(t, stranger.Set(Secret("a secret of somebody else")))
	for name, c := range map[string]struct {
		keys   *Keyring
		silent bool   // it brings no token
		want   string // "" = it is let in
	}{
		"a certificate of the authority":              {own.issue(t, leafOptions{}).ring(t), false, ""},
		"a certificate of the authority and no token": {own.issue(t, leafOptions{}).ring(t), true, "does not prove"},
		"the same with another secret":                {stranger, false, "does not prove"},
		"one of another authority":                    {other.issue(t, leafOptions{}).ring(t), false, "not of this cluster"},
		"the secret alone":                            {ringOf(ourSecret), false, "--tls-cert"},
	} {
		t.Run(name, func(t *testing.T) {
			conf, err := c.keys.ClientTLS(RoleFetcher, "f", a.Addr)
			must(t, err)
			client := clientTo(t, a.Addr(), conf)
			if !c.silent {
				client.ProveWith(c.keys)
			}
			_, err = client.Status(t.Context())
			if (err == nil) != (c.want == "") || err != nil && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v", err)
			}
			t.Log(err)
		})
	}
}
