package trust

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"trawl/cluster"
)

// AdviceCommand is for a command that asks a node from outside.
const AdviceCommand = "give this command the cluster's secret, and `tls-cert`, `tls-key` and `tls-ca` where it has a PKI of its own"

// Advice is what a node can look at when its certificate, or another's, was not accepted.
func (r *Keyring) Advice() string {
	if r.OwnPKI() {
		return "are `tls-cert` and `tls-ca` those of this cluster?"
	}
	return "is the secret the same, or has the cluster certificates of a PKI (`tls-cert`)?"
}

// ExplainTLS says in a line why TLS with another node failed, and what to look at.
func ExplainTLS(err error, advice string) string {
	if why := refusedThere(err); why != "" {
		return fmt.Sprintf("%s: %s (%s)", why, advice, cluster.OneLine(err))
	}
	if verify, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return refusedHere(verify, advice)
	}
	return fmt.Sprintf("%s (%s)", advice, cluster.OneLine(err))
}

// refusedThere reports what the other side said about this node's certificate, "" when it said nothing.
func refusedThere(err error) string {
	_, alert, ok := strings.Cut(err.Error(), "remote error: tls: ")
	if !ok {
		return ""
	}
	for _, a := range []struct{ text, why string }{
		{"expired certificate", "it says that this node's certificate has ended"},
		{"certificate required", "it asks for a certificate"},
		{"unknown certificate authority", "it does not know who made this node's certificate"},
		{"bad certificate", "it does not accept this node's certificate"},
	} {
		if strings.Contains(alert, a.text) {
			return a.why
		}
	}
	return ""
}

// refusedHere reports why this node did not accept the other's certificate.
func refusedHere(err *tls.CertificateVerificationError, advice string) string {
	var (
		invalid x509.CertificateInvalidError
		name    x509.HostnameError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		c := err.UnverifiedCertificates[0]
		return fmt.Sprintf("its certificate is valid from %s to %s: it needs a new one there, or a clock is wrong",
			c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339))
	case errors.As(err, &name):
		return fmt.Sprintf("its certificate is for another name: it must be valid for %s or for the address (%s)", ServerName, cluster.OneLine(name))
	}
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
		return "its certificate is not of this cluster: " + advice
	}
	return fmt.Sprintf("its certificate is not accepted: %s (%s)", advice, cluster.OneLine(err.Err))
}
