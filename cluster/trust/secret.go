package trust

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"

	"github.com/nats-io/nkeys"

	"trawl/cluster"
)

// Bounds of a secret, in bytes of its text.
const (
	MinSecret = 16
	MaxSecret = 4096
)

// ErrNeedSecret is returned when something would be reachable from other machines without a secret.
var ErrNeedSecret = errors.New("other machines may be let in only with a secret: make one with `trawl secret` " +
	"and give it to every node with `secret-file`, or bind to 127.0.0.1")

// Secret is what the members of a cluster share: every node that holds it is a member. The zero value means that
// there is none. It never shows in logs, errors, or printed values.
type Secret []byte

// NewSecret makes a secret: 32 random bytes in a form that can be printed and typed.
func NewSecret() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseSecret reads a secret from its text. White space around it does not count.
func ParseSecret(text string) (Secret, error) {
	text = strings.TrimSpace(text)
	switch {
	case len(text) < MinSecret:
		return nil, fmt.Errorf("the secret has %d bytes, it must have at least %d: make one with `trawl secret`", len(text), MinSecret)
	case len(text) > MaxSecret:
		return nil, fmt.Errorf("the secret is longer than %d bytes: make one with `trawl secret`", MaxSecret)
	case strings.ContainsFunc(text, unicode.IsControl):
		return nil, errors.New("the secret is not one line of text: make one with `trawl secret`")
	}
	return Secret(text), nil
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return len(s) == 0 }

// redacted stands in for a secret wherever one is printed.
const redacted = "[secret]"

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) Format(f fmt.State, _ rune)   { io.WriteString(f, redacted) }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Purposes of derived keys (the info text of HKDF). Each is part of the protocol: a changed text makes
// nodes unknown to each other.
const (
	purposeGossip    = "trawl 1 gossip"
	purposeAuthority = "trawl 1 certificate authority"
	purposeControl   = "trawl 1 control token"
	purposeUser      = "trawl 1 queue user " // and the role
)

// derive makes 32 bytes for one purpose (HKDF with SHA-256, RFC 5869).
func (s Secret) derive(purpose string) ([]byte, error) {
	if s.IsZero() {
		return nil, ErrNeedSecret
	}
	key, err := hkdf.Key(sha256.New, s, nil, purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return key, nil
}

// GossipKey is the AES-256 key of the gossip.
func (s Secret) GossipKey() ([]byte, error) { return s.derive(purposeGossip) }

// ControlToken is a bearer token that proves the secret where a certificate cannot be shown.
func (s Secret) ControlToken() (string, error) {
	key, err := s.derive(purposeControl)
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(key), nil
}

// UserKey is the key pair with which members of a role log in to the queue. The server is given the public
// keys only; no secret travels.
func (s Secret) UserKey(role cluster.Role) (nkeys.KeyPair, error) {
	if role != cluster.RoleScheduler && role != cluster.RoleFetcher {
		return nil, fmt.Errorf("no queue user for the role %q", role)
	}
	raw, err := s.derive(purposeUser + string(role))
	if err != nil {
		return nil, err
	}
	pair, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, raw)
	if err != nil {
		return nil, fmt.Errorf("make a queue user: %w", err)
	}
	return pair, nil
}

// authority is the private key of the certificate authority: every node has it, and signs its own
// certificate with it.
func (s Secret) authority() (ed25519.PrivateKey, error) {
	seed, err := s.derive(purposeAuthority)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
