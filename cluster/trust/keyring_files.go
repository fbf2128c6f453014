package trust

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"trawl/cluster"
)

const (
	// KeyCheck is how often a running node looks at its secret file and certificates. A change is taken when two
	// looks agree, so that a file is not read while it is written.
	KeyCheck = time.Second
	// ExpiryNotice is how long before the end of its certificate a node begins to warn.
	ExpiryNotice = 7 * 24 * time.Hour
	// maxKeyFile is the most that is read of a file with secrets or certificates, in bytes.
	maxKeyFile = 1 << 20
)

// KeyFiles say where a node finds what makes it a member.
type KeyFiles struct {
	Secret string // file with a secret a line, the current one first
	Given  Secret // the secret itself, where there is no file of it

	// PEM files of a PKI of one's own: this node's certificate (and those between it and the authority), its key,
	// and the authorities. All three or none; the secret is needed as well.
	Cert, Key, CA string
}

// ErrKeyFiles: the files do not go together or cannot be used.
var ErrKeyFiles = errors.New("cannot be used")

// OpenKeyring reads the files; Run follows them. Without any it returns nil, which has no secret. An error is
// [cluster.ErrRefused] where others would refuse this node's certificate, as it is not valid now.
func OpenKeyring(f KeyFiles, log *slog.Logger) (*Keyring, error) {
	if f.empty() {
		return nil, nil
	}
	if err := f.validate(); err != nil {
		return nil, err
	}
	text, err := f.read()
	if err != nil {
		return nil, err
	}
	secrets, p, err := text.parse(&f)
	if err != nil {
		return nil, err
	}
	if p != nil {
		if err := p.current(time.Now()); err != nil {
			return nil, fmt.Errorf("%w: %w", cluster.ErrRefused, err)
		}
	}
	r, err := NewKeyring(secrets...)
	if err == nil && p != nil {
		err = r.set(secrets, p)
	}
	if err != nil {
		return nil, err
	}
	r.files, r.log = f, log
	r.done = text.digest()
	r.last = r.done
	warnOpen(f.Secret, log)
	warnOpen(f.Key, log)
	r.announceEnd(time.Now())
	return r, nil
}

func (f *KeyFiles) empty() bool {
	return f.Secret == "" && f.Given.IsZero() && f.Cert == "" && f.Key == "" && f.CA == ""
}

func (f *KeyFiles) validate() error {
	var missing []string
	for _, o := range []struct{ flag, value string }{{"`tls-cert`", f.Cert}, {"`tls-key`", f.Key}, {"`tls-ca`", f.CA}} {
		if o.value == "" {
			missing = append(missing, o.flag)
		}
	}
	switch {
	case len(missing) == 1 || len(missing) == 2:
		return fmt.Errorf("certificates %w: `tls-cert`, `tls-key` and `tls-ca` go together, and %s is missing", ErrKeyFiles, strings.Join(missing, " and "))
	case len(missing) == 0 && f.Secret == "" && f.Given.IsZero():
		return fmt.Errorf("certificates %w without the cluster's secret, which encrypts the gossip: give `secret-file` or TRAWL_SECRET as well", ErrKeyFiles)
	}
	return nil
}

// keyText is the content of the files.
type keyText struct{ secret, cert, key, ca []byte }

type digest [sha256.Size]byte

func (t *keyText) digest() digest {
	h := sha256.New()
	for _, part := range [][]byte{t.secret, t.cert, t.key, t.ca} {
		fmt.Fprintf(h, "%d\n", len(part))
		h.Write(part)
	}
	return digest(h.Sum(nil))
}

func (f *KeyFiles) read() (t keyText, err error) {
	for _, o := range []struct {
		flag, file string
		into       *[]byte
	}{{"`secret-file`", f.Secret, &t.secret}, {"`tls-cert`", f.Cert, &t.cert}, {"`tls-key`", f.Key, &t.key}, {"`tls-ca`", f.CA, &t.ca}} {
		if o.file == "" {
			continue
		}
		if *o.into, err = readKeyFile(o.file); err != nil {
			return t, fmt.Errorf("%s: %w", o.flag, err)
		}
	}
	return t, nil
}

func readKeyFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(b) > maxKeyFile {
		err = fmt.Errorf("%s is longer than %d bytes", file, maxKeyFile)
	}
	return b, err
}

func (t *keyText) parse(f *KeyFiles) (secrets []Secret, p *pki, err error) {
	if f.Secret == "" {
		secrets = []Secret{f.Given}
	} else if secrets, err = ParseSecrets(string(t.secret)); err != nil {
		return nil, nil, fmt.Errorf("`secret-file` %s: %w", f.Secret, err)
	}
	if f.Cert != "" {
		if p, err = parsePKI(t.cert, t.key, t.ca); err != nil {
			return nil, nil, err
		}
	}
	return secrets, p, nil
}

// Run follows the files until the context ends, and then returns nil; at once where there are none.
func (r *Keyring) Run(ctx context.Context) error {
	if r == nil || r.files.Secret == "" && r.files.Cert == "" {
		return nil
	}
	t := time.NewTicker(KeyCheck)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			r.look(false)
			r.announceEnd(time.Now())
		}
	}
}

// Reload takes the files as they are now, for a user who says that they are complete.
func (r *Keyring) Reload() {
	if r != nil && !r.files.empty() {
		r.look(true)
	}
}

// look takes what the files hold when it differs from before: at once, or when it is the same at two looks. What
// cannot be used is logged once, and changes nothing.
func (r *Keyring) look(atOnce bool) {
	r.looking.Lock()
	defer r.looking.Unlock()
	text, err := r.files.read()
	sum := text.digest()
	if err != nil {
		sum = sha256.Sum256([]byte(err.Error()))
	}
	settled := sum == r.last || atOnce
	r.last = sum
	if sum == r.done || !settled {
		return
	}
	r.done = sum
	var secrets []Secret
	var p *pki
	if err == nil {
		secrets, p, err = text.parse(&r.files)
	}
	if err == nil && p != nil {
		err = p.current(time.Now())
	}
	if err == nil && p != nil && r.server {
		err = p.forServers()
	}
	before := r.state()
	if err == nil && before.same(secrets, p) {
		return
	}
	if err == nil {
		err = r.set(secrets, p)
	}
	if err != nil {
		r.log.Warn("the changed secret file or certificates cannot be used; those from before stay accepted", "error", err)
		return
	}
	warnOpen(r.files.Secret, r.log)
	warnOpen(r.files.Key, r.log)
	r.log.Info("changed secrets or certificates are accepted now", "secrets", len(secrets), "current", change(before, secrets), "pki", p != nil)
}

// requireServerCert rejects certificates that are not valid for servers, from now on.
func (r *Keyring) requireServerCert() error {
	r.looking.Lock()
	defer r.looking.Unlock()
	if p := r.state().pki; p != nil {
		if err := p.forServers(); err != nil {
			return err
		}
	}
	r.server = true
	return nil
}

// change says what a rotation did, without a word about the secrets themselves.
func change(before *keys, secrets []Secret) string {
	if string(before.secrets[0]) == string(secrets[0]) {
		return "as before"
	}
	return "another one"
}

func (k *keys) same(secrets []Secret, p *pki) bool {
	return slices.EqualFunc(k.secrets, secrets, func(a, b Secret) bool { return string(a) == string(b) }) && k.pki.same(p)
}

// announceEnd warns once when the node's own certificate ends soon.
func (r *Keyring) announceEnd(now time.Time) {
	p := r.state().pki
	if p == nil {
		return
	}
	r.looking.Lock()
	defer r.looking.Unlock()
	if p != r.warned && now.After(p.leaf().NotAfter.Add(-ExpiryNotice)) {
		r.warned = p
		r.log.Warn("this node's certificate ends soon: put a new one into the file of `tls-cert`; it is taken without a restart",
			"file", r.files.Cert, "ends", p.leaf().NotAfter.UTC().Format(time.RFC3339))
	}
}

// warnOpen warns of a file that others on this machine can read.
func warnOpen(file string, log *slog.Logger) {
	if file == "" || runtime.GOOS == "windows" {
		return
	}
	info, err := os.Stat(file)
	if err == nil && info.Mode().Perm()&0o044 != 0 {
		log.Warn("other users of this machine can read a file that should be this user's alone: chmod 600 it",
			"file", file, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
	}
}
