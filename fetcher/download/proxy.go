package download

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/download/dial"
)

// A proxy (http, https, socks5, socks5h; https targets by CONNECT) is the operator's setting: its own address is
// reached whatever it is. URLs that spell a private address are refused as without a proxy. What is not
// promised through one, as it cannot be seen from here:
//
//   - that a name does not lead to a private address: the proxy resolves it;
//   - that a name that does not exist is reported as such: the proxy answers with a status, or refuses to connect;
//   - the server's address, which rows and records leave out;
//   - that the proxy sends a request once, and none after the lease has ended: only our side of its connection is
//     tied to the lease.

// via finds the proxy for a URL, nil for none, or the error that the URL may not be asked for through it.
func (t *transport) via(u weburl.URL) (*url.URL, error) {
	if t.proxy == nil {
		return nil, nil
	}
	via, err := t.proxy(requestURL(u))
	if err != nil {
		return nil, dial.NewError(crawler.ReasonConnect, fmt.Errorf("choose a proxy: %w", err))
	}
	if via == nil {
		return nil, nil
	}
	return via, t.dialer.CheckSpelled(u)
}

// overProxy makes a request one for a proxy. A plain one names its URL whole, byte for byte (RFC 9112 section 3.2.2).
func overProxy(r *http.Request, via *url.URL, u weburl.URL) *http.Request {
	if via == nil {
		return r
	}
	if wantsWhole(via, u) {
		path, _, _ := strings.Cut(u.RequestURI(), "?")
		r.URL.Opaque = "//" + r.URL.Host + path
	}
	return r.WithContext(dial.WithProxy(r.Context(), via))
}

// wantsWhole reports whether the request line for a proxy names the URL whole.
func wantsWhole(via *url.URL, u weburl.URL) bool {
	return via != nil && u.Scheme() == "http" && (via.Scheme == "http" || via.Scheme == "https")
}

// connected refuses what a proxy answers to CONNECT other than 200, in words for people.
func connected(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return dial.NewError(crawler.ReasonConnect, fmt.Errorf("the proxy refused to connect: %s", Detail(answer.Status)))
}
