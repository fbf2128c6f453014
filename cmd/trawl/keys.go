package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"

	"trawl/cluster"
	"trawl/cluster/trust"
)

// keyFlags say what proves that a node, or a command that asks one, belongs to a cluster.
type keyFlags struct{ files trust.KeyFiles }

func (k *keyFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&k.files.Secret, "secret-file", "", "file with the cluster's secret (or TRAWL_SECRET); trawl secret makes one; further lines are secrets that are accepted too")
	fs.StringVar(&k.files.Cert, "tls-cert", "", "certificate of a PKI of your own (PEM), in place of one made from the secret; with --tls-key and --tls-ca")
	fs.StringVar(&k.files.Key, "tls-key", "", "key of --tls-cert (PEM)")
	fs.StringVar(&k.files.CA, "tls-ca", "", "authorities whose certificates are accepted (PEM)")
}

// open reads the secret, from a file or the environment, and the certificates. None is no error: a nil keyring.
func (k *keyFlags) open(log *slog.Logger) (*trust.Keyring, error) {
	files := k.files
	if text := os.Getenv("TRAWL_SECRET"); text != "" && files.Secret == "" {
		var err error
		if files.Given, err = trust.ParseSecret(text); err != nil {
			return nil, usage("TRAWL_SECRET: %v", err)
		}
	}
	keys, err := trust.OpenKeyring(files, log)
	if err != nil && !errors.Is(err, cluster.ErrRefused) {
		return nil, usageError{err}
	}
	return keys, err
}

// ask is open for a command that only asks: what it warns of goes to standard error.
func (k *keyFlags) ask(p *program) (*trust.Keyring, error) {
	return k.open(p.logger(&logFlags{quiet: true}, new(slog.LevelVar)))
}

// rereads reports whether there are files to be read again at SIGHUP.
func (k *keyFlags) rereads() bool { return k.files.Secret != "" || k.files.Cert != "" }

// hangups lets the keys be read again at each SIGHUP, until the returned function is called. Keys without files leave
// the signal to [endings].
func (k *keyFlags) hangups(ctx context.Context, keys *trust.Keyring) func() {
	if !k.rereads() {
		return func() {}
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-c:
				keys.Reload()
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { signal.Stop(c); cancel(); <-ended }
}
