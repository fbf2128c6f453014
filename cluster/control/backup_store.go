package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// BackupStore keeps backups at an HTTP server: one object each, written by PUT and read by GET. It is safe for
// concurrent use.
type BackupStore struct{ http *http.Client }

// NewBackupStore goes through the proxy that the function names for a URL; nil = through none.
func NewBackupStore(proxy func(*url.URL) (*url.URL, error)) *BackupStore {
	t := &http.Transport{
		TLSHandshakeTimeout:   Timeout,
		ExpectContinueTimeout: Timeout,
		DialContext:           (&net.Dialer{Timeout: Timeout}).DialContext,
		IdleConnTimeout:       IdleTimeout,
		DisableCompression:    true,
		ForceAttemptHTTP2:     true,
	}
	if proxy != nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) { return proxy(r.URL) }
	}
	return &BackupStore{http: &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a backup goes to the URL that was given
	}}
}

// Close closes idle connections. The store can still be used.
func (s *BackupStore) Close() { s.http.CloseIdleConnections() }

// Put stores n bytes under a URL. What remains of a cut upload is the server's affair; its reader finds out.
func (s *BackupStore) Put(ctx context.Context, at *url.URL, r io.Reader, n int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body := &watched{r: r, left: n, timer: time.AfterFunc(BackupStall, func() { cancel(fmt.Errorf("no progress for %s", BackupStall)) })}
	defer body.timer.Stop()
	defer body.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, at.String(), body)
	if err != nil {
		return fmt.Errorf("store at %s: %w", PublicURL(at), withoutURL(err))
	}
	req.ContentLength = n
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Expect", "100-continue") // a refusal comes before the bytes are sent
	resp, err := s.http.Do(req)
	if err != nil {
		return s.failed(ctx, "store at", at, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, MaxChange)) // so that the connection can be used again
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return answered("store at", at, resp)
	}
	return nil
}

// Get reads what lies under a URL, to be closed by the caller.
func (s *BackupStore) Get(ctx context.Context, at *url.URL) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(BackupStall, func() { cancel(fmt.Errorf("no progress for %s", BackupStall)) })
	end := func() { timer.Stop(); cancel(nil) }
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		end()
		return nil, fmt.Errorf("read from %s: %w", PublicURL(at), withoutURL(err))
	}
	resp, err := s.http.Do(req)
	if err != nil {
		err = s.failed(ctx, "read from", at, err)
		end()
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		err := errors.Join(answered("read from", at, resp), resp.Body.Close())
		end()
		return nil, err
	}
	return &storedBackup{Reader: &lively{r: resp.Body, timer: timer}, close: func() error { defer end(); return resp.Body.Close() }}, nil
}

type storedBackup struct {
	io.Reader
	close func() error
}

func (b *storedBackup) Close() error { return b.close() }

// answered is the error of an answer that is no success. Redirects are none: the store is to be named itself.
func answered(doing string, at *url.URL, resp *http.Response) error {
	if resp.StatusCode >= 300 && resp.StatusCode <= 399 {
		return fmt.Errorf("%s %s: it answered %s, elsewhere: give the address itself", doing, PublicURL(at), resp.Status)
	}
	return fmt.Errorf("%s %s: it answered %s", doing, PublicURL(at), resp.Status)
}

func (s *BackupStore) failed(ctx context.Context, doing string, at *url.URL, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("%s %s: %w", doing, PublicURL(at), withoutURL(err))
}

// withoutURL removes the URL from an error: it may hold a password, and the caller names it anyway.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// PublicURL is a URL as it may be shown and logged: without what gives access, which may stand before the host and behind
// the path.
func PublicURL(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
