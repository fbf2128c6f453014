package trusttest

import (
	"os"
	"path/filepath"
	"testing"

	"trawl/cluster/clustertest"
	"trawl/cluster/trust"
)

// OurSecret and TheirSecret are two clusters'.
var (
	OurSecret   = trust.Secret("correct horse battery staple")
	TheirSecret = trust.Secret("another horse battery staple")
)

// Ring is a keyring of secrets that are known to be good; nil of none.
func Ring(secrets ...trust.Secret) *trust.Keyring {
	if secrets[0].IsZero() {
		return nil
	}
	r, err := trust.NewKeyring(secrets...)
	if err != nil {
		panic(err)
	}
	return r
}

// RingOfPKI is a keyring with our secret and a certificate of an own PKI.
func RingOfPKI(t *testing.T, i *clustertest.Issued) *trust.Keyring {
	t.Helper()
	r, err := trust.OpenKeyring(WriteKeys(t, i, t.TempDir()), clustertest.Log(t))
	clustertest.Must(t, err)
	return r
}

// WriteKeys writes the files that a node is given: our secret and a certificate.
func WriteKeys(t *testing.T, i *clustertest.Issued, dir string) trust.KeyFiles {
	t.Helper()
	f := trust.KeyFiles{Secret: filepath.Join(dir, "secret")}
	clustertest.Must(t, os.WriteFile(f.Secret, OurSecret, 0o600))
	f.Cert, f.Key, f.CA = i.Write(t, dir)
	return f
}

// Steps are what the nodes of a cluster hold in the course of a rotation.
func Steps() [][]trust.Secret {
	return [][]trust.Secret{{OurSecret}, {OurSecret, TheirSecret}, {TheirSecret, OurSecret}, {TheirSecret}}
}

// Understand reports which steps of a rotation understand each other: those one apart.
func Understand(i, j int) bool { return i-j <= 1 && j-i <= 1 }
