package download

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"trawl/crawler"
	"trawl/fetcher/download/dial"
	"trawl/fetcher/trouble"
)

// errResent: net/http was about to send a request for the second time, because the server had closed the
// connection of the first.
var errResent = errors.New("the server closed the connection before it answered")

// classify says for which reason an exchange without a whole answer failed, with a text for people. It is
// the one table from errors to reasons; its order matters.
func classify(err error) (crawler.Reason, string) {
	text := err.Error()
	var limit *limitError
	var failed *dial.Error
	var dns *net.DNSError
	var stream *streamError
	switch {
	case errors.As(err, &limit):
		return crawler.ReasonTimeout, limit.Error()
	case errors.Is(err, errResent):
		return crawler.ReasonReset, text
	case errors.As(err, &failed):
		return failed.Reason, text
	case errors.As(err, &dns):
		return crawler.ReasonDNS, text
	case isTLS(err):
		return crawler.ReasonTLS, text
	case dial.TimedOut(err):
		return crawler.ReasonTimeout, text
	case isReset(err):
		return crawler.ReasonReset, text
	case asStream(err, &stream):
		return stream.reason(), text
	case resetText(text):
		return crawler.ReasonReset, text
	}
	if strings.Contains(text, "readLoopPeekFailLocked") { // net/http's word for it
		text = "the server sent something before it was asked"
	}
	return crawler.ReasonProtocol, text
}

func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &certificate) ||
		errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid)
}

func isReset(err error) bool {
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	var op *net.OpError
	return errors.As(err, &op)
}

// resetText knows the errors of net/http that have no type: connections that went away.
func resetText(text string) bool {
	for _, t := range []string{
		"http: server closed idle connection", "server sent GOAWAY", "http2: client connection lost",
		"http2: client conn", "http2: Transport received Server's graceful shutdown",
	} {
		if strings.Contains(text, t) {
			return true
		}
	}
	return false
}

// streamError has the shape of net/http's error for a stream of HTTP/2 that one side ended, so that
// errors.As fills it in.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "http/2 stream error" }

// Codes of RST_STREAM (RFC 9113 section 7) of a server that refuses to go on, rather than of one
// that broke the protocol.
const (
	h2NoError       = 0x0
	h2InternalError = 0x2
	h2Refused       = 0x7
	h2Cancel        = 0x8
	h2EnhanceCalm   = 0xb
)

func (e streamError) reason() crawler.Reason {
	switch e.Code {
	case h2NoError, h2InternalError, h2Refused, h2Cancel, h2EnhanceCalm:
		return crawler.ReasonReset
	}
	return crawler.ReasonProtocol
}

func asStream(err error, to **streamError) bool {
	var e streamError
	if !errors.As(err, &e) {
		return false
	}
	*to = &e
	return true
}

// signOf reads an exchange's error. Signs of life are not among its answers: bytes, new connections, refusals and names that
// do not exist are noted where they come.
func signOf(err error) trouble.Sign {
	var limit *limitError
	var dns *net.DNSError
	var proxy *dial.ProxyError
	switch {
	case errors.As(err, &proxy):
		return trouble.SignLocal
	case errors.As(err, &dns):
		return signOfResolver(dns)
	case dial.NoWayOut(err):
		return trouble.SignLocal
	case errors.As(err, &limit), dial.TimedOut(err):
		return trouble.SignSilence
	}
	return trouble.SignNone
}

// signOfResolver: net.DNSError keeps the text of its cause only. A resolver on this machine answers "server misbehaving" when
// its own servers do not answer.
func signOfResolver(err *net.DNSError) trouble.Sign {
	if err.IsNotFound {
		return trouble.SignNone
	}
	for _, text := range []string{"connection refused", "network is unreachable", "no route to host", "network is down", "operation not permitted"} {
		if strings.Contains(err.Err, text) {
			return trouble.SignLocal
		}
	}
	return trouble.SignSilence
}
