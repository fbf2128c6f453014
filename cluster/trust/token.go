package trust

import (
	"crypto/subtle"
	"net/http"
	"strings"
)

// A certificate that is made from the secret proves the secret. One of an own PKI does not: its authority may sign for
// others too. So with an own PKI each request brings a token that follows from the secret, in the form of RFC 6750.
const bearer = "Bearer "

// Bearer brings with every request what proves the current secret, where certificates do not prove it.
func (r *Keyring) Bearer(next http.RoundTripper) http.RoundTripper {
	return &tokenBearer{keys: r, next: next}
}

// tokenBearer adds the current secret's token to requests. Safe for concurrent use.
type tokenBearer struct {
	keys *Keyring
	next http.RoundTripper
}

func (b *tokenBearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if !b.keys.OwnPKI() {
		return b.next.RoundTrip(r)
	}
	token, err := b.keys.Current().ControlToken()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", bearer+token)
	return b.next.RoundTrip(r)
}

// Proves reports whether a request brings the token of one of the secrets that are accepted.
func (r *Keyring) Proves(h http.Header) bool {
	given, ok := strings.CutPrefix(h.Get("Authorization"), bearer)
	if !ok {
		return false
	}
	for _, s := range r.state().secrets {
		token, err := s.ControlToken()
		if err == nil && subtle.ConstantTimeCompare([]byte(token), []byte(given)) == 1 {
			return true
		}
	}
	return false
}
