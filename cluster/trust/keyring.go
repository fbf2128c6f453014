package trust

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"trawl/cluster"
)

// MaxSecrets is how many secrets a node may hold at once; a rotation needs two.
const MaxSecrets = 8

// ParseSecrets reads secrets from text, one a line, the current one first. Empty lines do not count.
func ParseSecrets(text string) ([]Secret, error) {
	var all []Secret
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		s, err := ParseSecret(line)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all, func(o Secret) bool { return bytes.Equal(o, s) }) {
			all = append(all, s)
		}
	}
	switch {
	case len(all) == 0:
		return nil, errors.New("there is no secret in it: make one with `trawl secret`")
	case len(all) > MaxSecrets:
		return nil, fmt.Errorf("%d secrets are more than %d: leave out the oldest, which are the last", len(all), MaxSecrets)
	}
	return all, nil
}

// Keyring is what proves that a node is a member, and by which it recognizes other members: the current secret,
// further secrets that it accepts as well, and the certificates of an own PKI where there is one. It changes while
// nodes run. What a node accepts (in the gossip, at the queue, at the control API) follows the keyring by itself; the
// gossip and new TLS connections also use the current secret at once. A fetcher's login to the queue keeps the secret
// with which it connected.
//
// A rotation is three changes, each made on all nodes before the next one: the new secret behind the old one; the new
// one first, and each fetcher started again; the old one gone. Nodes that are one change apart accept each other.
//
// A nil Keyring has no secret. All methods are safe for concurrent use.
type Keyring struct {
	files KeyFiles
	log   *slog.Logger

	mu      sync.Mutex
	now     *keys
	changed chan struct{}

	looking sync.Mutex // guards what follows
	last    digest     // of the files, as they were at the last look
	done    digest     // of what was taken or refused last
	warned  *pki       // whose end was announced
	server  bool       // a server shows the certificate
}

// NewKeyring holds the secrets, the current one first. It changes with [Keyring.Set] only.
func NewKeyring(secrets ...Secret) (*Keyring, error) {
	k, err := newKeys(nil, secrets, nil)
	if err != nil {
		return nil, err
	}
	return &Keyring{log: slog.New(slog.DiscardHandler), now: k, changed: make(chan struct{})}, nil
}

// Set replaces the secrets; the first becomes the current one.
func (r *Keyring) Set(secrets ...Secret) error {
	return r.set(secrets, r.state().pki)
}

func (r *Keyring) set(secrets []Secret, p *pki) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next, err := newKeys(r.now, secrets, p)
	if err != nil {
		return err
	}
	r.now = next
	close(r.changed)
	r.changed = make(chan struct{})
	return nil
}

// IsZero reports whether there is no secret.
func (r *Keyring) IsZero() bool { return r == nil }

// Current is the secret that this node proves itself with.
func (r *Keyring) Current() Secret {
	if r == nil {
		return nil
	}
	return r.state().secrets[0]
}

// OwnPKI reports whether the certificates are not made from the secret.
func (r *Keyring) OwnPKI() bool { return r != nil && r.state().pki != nil }

// Changed returns a channel that is closed when the keys have changed since the call: take the channel first,
// then look at the keys, then wait. Without a secret it is nil.
func (r *Keyring) Changed() <-chan struct{} {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

func (r *Keyring) state() *keys {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// GossipKeys gives the keys of the gossip, the current one first.
func (r *Keyring) GossipKeys() ([][]byte, error) { return r.state().gossip() }

// QueueUsers gives the public keys with which a role may log in to the queue.
func (r *Keyring) QueueUsers(role cluster.Role) ([]string, error) { return r.state().users(role) }

// QueueSeed gives the key of a role for the queue, of the current secret.
func (r *Keyring) QueueSeed(role cluster.Role) ([]byte, error) {
	pair, err := r.Current().UserKey(role)
	if err != nil {
		return nil, err
	}
	seed, err := pair.Seed()
	if err != nil {
		return nil, fmt.Errorf("make a queue user: %w", err)
	}
	return seed, nil
}

func (r *Keyring) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }
func (r *Keyring) LogValue() slog.Value       { return slog.StringValue(redacted) }

// keys are what a keyring holds at one time; they never change.
type keys struct {
	secrets     []Secret // the current one first; never empty
	authorities []*authority
	pki         *pki           // nil: certificates come from the secrets
	pool        *x509.CertPool // whose certificates are accepted
}

// newKeys derives what the secrets stand for. Authorities of secrets that were there before stay the same.
func newKeys(before *keys, secrets []Secret, p *pki) (*keys, error) {
	if len(secrets) == 0 || len(secrets) > MaxSecrets || secrets[0].IsZero() {
		return nil, ErrNeedSecret
	}
	k := &keys{secrets: slices.Clone(secrets), pki: p, pool: x509.NewCertPool()}
	for _, s := range secrets {
		a := before.authorityOf(s)
		if a == nil {
			var err error
			if a, err = newAuthority(s); err != nil {
				return nil, err
			}
		}
		k.authorities = append(k.authorities, a)
		k.pool.AddCert(a.cert)
	}
	if p != nil {
		k.pool = p.pool
	}
	return k, nil
}

func (k *keys) authorityOf(s Secret) *authority {
	if k == nil {
		return nil
	}
	for i, o := range k.secrets {
		if bytes.Equal(o, s) {
			return k.authorities[i]
		}
	}
	return nil
}

// gossip gives the keys of the gossip, the current one first.
func (k *keys) gossip() ([][]byte, error) {
	var all [][]byte
	for _, s := range k.secrets {
		key, err := s.GossipKey()
		if err != nil {
			return nil, err
		}
		all = append(all, key)
	}
	return all, nil
}

// users gives the public keys with which a role may log in to the queue.
func (k *keys) users(role cluster.Role) ([]string, error) {
	var all []string
	for _, s := range k.secrets {
		pair, err := s.UserKey(role)
		if err != nil {
			return nil, err
		}
		public, err := pair.PublicKey()
		if err != nil {
			return nil, fmt.Errorf("make a queue user: %w", err)
		}
		all = append(all, public)
	}
	return all, nil
}
