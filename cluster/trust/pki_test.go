package trust

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trawl/cluster"
	"trawl/cluster/clustertest"
)

// writeKeys writes the files that a node is given: our secret and a certificate.
func writeKeys(t *testing.T, i *clustertest.Issued, dir string) KeyFiles {
	t.Helper()
	f := KeyFiles{Secret: filepath.Join(dir, "secret")}
	clustertest.Must(t, os.WriteFile(f.Secret, ourSecret, 0o600))
	f.Cert, f.Key, f.CA = i.Write(t, dir)
	return f
}

// ringWith is a keyring with our secret and this certificate, also one that would not be taken from a file.
func ringWith(t *testing.T, i *clustertest.Issued) *Keyring {
	t.Helper()
	r := ringOf(ourSecret)
	p, err := parsePKI(i.Cert, i.Key, i.CA)
	clustertest.Must(t, err)
	clustertest.Must(t, r.set([]Secret{ourSecret}, p))
	return r
}

func TestHandshakesWithAnOwnPKI(t *testing.T) {
	own, other := clustertest.NewPKI(t), clustertest.NewPKI(t)
	node := clustertest.Leaf{Names: []string{ServerName}}
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	clientOnly, serverOnly := both[1:], both[:1]
	at := func(r *Keyring, address string) *tls.Config {
		c, err := r.ClientTLS(cluster.RoleFetcher, "f", func() string { return address })
		clustertest.Must(t, err)
		return c
	}
	// raw shows a certificate that this program would not load.
	raw := func(p *clustertest.Issued) *tls.Config {
		c := at(ringWith(t, own.Issue(t, node)), "127.0.0.1:1")
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return p.Pair, nil }
		return c
	}
	rawServer := func(p *clustertest.Issued) *tls.Config {
		id, err := newIdentity(ringWith(t, p), cluster.RoleScheduler, "s", time.Now)
		clustertest.Must(t, err)
		return id.server()
	}
	good := own.Issue(t, node)
	anonymous := at(ringWith(t, good), "127.0.0.1:1")
	anonymous.GetClientCertificate = nil
	for name, c := range map[string]struct {
		server, client *tls.Config
		ok             bool
	}{
		"the name that all nodes have":         {rawServer(good), at(ringWith(t, good), "127.0.0.1:1"), true},
		"the address that is dialed":           {rawServer(own.Issue(t, clustertest.Leaf{IPs: clustertest.Loopback()})), at(ringWith(t, good), "127.0.0.1:1"), true},
		"the host name that is dialed":         {rawServer(own.Issue(t, clustertest.Leaf{Names: []string{"s.example"}})), at(ringWith(t, good), "s.example:1"), true},
		"a client that is only one":            {rawServer(good), at(ringWith(t, own.Issue(t, clustertest.Leaf{Use: clientOnly})), "127.0.0.1:1"), true},
		"another address":                      {rawServer(own.Issue(t, clustertest.Leaf{IPs: clustertest.Loopback()})), at(ringWith(t, good), "127.0.0.2:1"), false},
		"another name":                         {rawServer(own.Issue(t, clustertest.Leaf{Names: []string{"s.example"}})), at(ringWith(t, good), "127.0.0.1:1"), false},
		"a server of another authority":        {rawServer(other.Issue(t, node)), at(ringWith(t, good), "127.0.0.1:1"), false},
		"a client of another authority":        {rawServer(good), raw(other.Issue(t, node)), false},
		"a server whose certificate has ended": {rawServer(own.Issue(t, clustertest.Leaf{Names: node.Names, From: -3 * time.Hour, To: -time.Hour})), at(ringWith(t, good), "127.0.0.1:1"), false},
		"a client whose certificate has ended": {rawServer(good), raw(own.Issue(t, clustertest.Leaf{From: -3 * time.Hour, To: -time.Hour})), false},
		"a client with a server's certificate": {rawServer(good), raw(own.Issue(t, clustertest.Leaf{Use: serverOnly})), false},
		"a server with a client's certificate": {rawServer(own.Issue(t, clustertest.Leaf{Names: node.Names, Use: clientOnly})), at(ringWith(t, good), "127.0.0.1:1"), false},
		"a client without a certificate":       {rawServer(good), anonymous, false},
		"a client with a secret alone":         {rawServer(good), at(ringOf(ourSecret), "127.0.0.1:1"), false},
		"a server with a secret alone":         {secretServer(t), at(ringWith(t, good), "127.0.0.1:1"), false},
	} {
		t.Run(name, func(t *testing.T) {
			serverErr, clientErr := clustertest.Shake(t, c.server, c.client)
			if (serverErr == nil) != c.ok || (clientErr == nil) != c.ok {
				t.Errorf("server: %v; client: %v", serverErr, clientErr)
			}
		})
	}
}

func secretServer(t *testing.T) *tls.Config {
	t.Helper()
	c, err := ringOf(ourSecret).ServerTLS(cluster.RoleScheduler, "s")
	clustertest.Must(t, err)
	return c
}

func TestKeyFilesAreChecked(t *testing.T) {
	own, other := clustertest.NewPKI(t), clustertest.NewPKI(t)
	good, foreign := own.Issue(t, clustertest.Leaf{Names: []string{ServerName}}), other.Issue(t, clustertest.Leaf{})
	over := own.Issue(t, clustertest.Leaf{From: -3 * time.Hour, To: -time.Hour})
	early := own.Issue(t, clustertest.Leaf{From: time.Hour, To: 2 * time.Hour})
	serverOnly := own.Issue(t, clustertest.Leaf{Use: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	for name, c := range map[string]struct {
		change  func(f *KeyFiles)
		refused bool
		want    string // "" = it is good
	}{
		"all is well":                   {func(*KeyFiles) {}, false, ""},
		"a file is missing":             {func(f *KeyFiles) { f.Key += ".not" }, false, "`tls-key`"},
		"two of three":                  {func(f *KeyFiles) { f.CA = "" }, false, "`tls-ca` is missing"},
		"one of three":                  {func(f *KeyFiles) { f.CA, f.Key = "", "" }, false, "`tls-key` and `tls-ca` is missing"},
		"no secret":                     {func(f *KeyFiles) { f.Secret = "" }, false, "encrypts the gossip"},
		"the key of another":            {func(f *KeyFiles) { clustertest.Must(t, os.WriteFile(f.Key, foreign.Key, 0o600)) }, false, "`tls-key`"},
		"no authority":                  {func(f *KeyFiles) { clustertest.Must(t, os.WriteFile(f.CA, good.Key, 0o600)) }, false, "no certificate in it"},
		"another authority":             {func(f *KeyFiles) { clustertest.Must(t, os.WriteFile(f.CA, foreign.CA, 0o600)) }, false, "does not come from the authority"},
		"no use for a client":           {func(f *KeyFiles) { *f = writeKeys(t, serverOnly, t.TempDir()) }, false, "clientAuth"},
		"it has ended":                  {func(f *KeyFiles) { *f = writeKeys(t, over, t.TempDir()) }, true, "ended on"},
		"it is not valid yet":           {func(f *KeyFiles) { *f = writeKeys(t, early, t.TempDir()) }, true, "clock"},
		"the secret from somewhere":     {func(f *KeyFiles) { f.Secret, f.Given = "", ourSecret }, false, ""},
		"the secret file has no secret": {func(f *KeyFiles) { clustertest.Must(t, os.WriteFile(f.Secret, []byte("short"), 0o600)) }, false, "trawl secret"},
	} {
		t.Run(name, func(t *testing.T) {
			f := writeKeys(t, good, t.TempDir())
			c.change(&f)
			r, err := OpenKeyring(f, clustertest.Log(t))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v", err)
			}
			if errors.Is(err, cluster.ErrRefused) != c.refused {
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
	r := ringWith(t, clustertest.NewPKI(t).Issue(t, clustertest.Leaf{Use: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}))
	if _, err := r.ServerTLS(cluster.RoleScheduler, "s"); err == nil || !strings.Contains(err.Error(), "serverAuth") {
		t.Errorf("%v", err)
	}
}

// The end of a certificate is logged once, and a renewed one is taken from its files while nodes run.
func TestCertificatesAreReadAgainWhenTheyChange(t *testing.T) {
	own := clustertest.NewPKI(t)
	dir := t.TempDir()
	node := clustertest.Leaf{Names: []string{ServerName}, To: ExpiryNotice - time.Hour}
	var log bytes.Buffer
	there, err := OpenKeyring(writeKeys(t, own.Issue(t, node), dir), slog.New(slog.NewTextHandler(&log, nil)))
	clustertest.Must(t, err)
	there.announceEnd(time.Now())
	if strings.Count(log.String(), "ends soon") != 1 {
		t.Errorf("the log says %q", log.String())
	}
	node.To = 1000 * time.Hour
	fresh := own.Issue(t, node)
	writeKeys(t, fresh, dir)
	there.Reload()
	if !there.state().pki.same(&pki{cert: fresh.Pair, text: fresh.CA}) {
		t.Fatalf("the new certificate is not in force: %s", log.String())
	}
}
