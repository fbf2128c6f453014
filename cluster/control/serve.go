package control

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"trawl/cluster/trust"
	"trawl/crawler"
)

// Paths of the control API.
const (
	pathStatus = "/v1/status"
	pathStop   = "/v1/stop"
	pathSize   = "/v1/depot/size"
	pathAppend = "/v1/depot/append"
	pathFinish = "/v1/depot/finish"
)

func (c *Server) handler() http.Handler {
	mux := http.NewServeMux()
	if c.opts.Status != nil {
		mux.HandleFunc("GET "+pathStatus, c.status)
	}
	if c.opts.Stop != nil {
		mux.HandleFunc("POST "+pathStop, c.stop)
	}
	if c.opts.Depot != nil {
		mux.HandleFunc("GET "+pathSize, c.size)
		mux.HandleFunc("PUT "+pathAppend, c.append)
		mux.HandleFunc("POST "+pathFinish, c.finish)
	}
	c.steer(mux)
	c.explainRoutes(mux)
	c.copies(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && !trust.Admits(c.opts.TLS, r.TLS) {
			c.opts.Logger.Debug("control: ended a connection from before a change of keys", "from", r.RemoteAddr)
			w.Header().Set("Connection", "close")
			fail(w, http.StatusMisdirectedRequest, errChangedKeys.Error())
			return
		}
		if why := c.foreign(r); why != "" {
			c.refused.Hit(slog.String("from", r.RemoteAddr), slog.String("why", why))
			fail(w, http.StatusForbidden, why)
			return
		}
		if !c.welcome(r) {
			w.Header().Set("Connection", "close")
			fail(w, http.StatusServiceUnavailable, "too many connections at once: try again")
			return
		}
		setDeadlines(w, Timeout)
		mux.ServeHTTP(w, r)
	})
}

// foreign reports why a request is turned away, "" when it is not. Without TLS anything on this machine can
// connect, also a browser that shows somebody else's page: browsers say where a request comes from, and a
// name that was made to point at loopback stands in Host.
func (c *Server) foreign(r *http.Request) string {
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		return "the control API is not for web pages: use `trawl status`"
	}
	if r.TLS != nil {
		if len(r.TLS.VerifiedChains) == 0 {
			return "no certificate of this cluster was shown"
		}
		if c.opts.Keys.OwnPKI() && !c.opts.Keys.Proves(r.Header) {
			return "a certificate alone does not prove the cluster's secret: give `secret-file` or TRAWL_SECRET as well"
		}
		return ""
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if (local == nil || local.Network() != "unix") && !localHost(r.Host) {
		return "the Host of the request is not this machine"
	}
	return ""
}

func localHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// setDeadlines gives a request the time d for the rest of it.
func setDeadlines(w http.ResponseWriter, d time.Duration) {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(d)) // both fail only when the connection is gone
	_ = rc.SetWriteDeadline(time.Now().Add(d))
}

func (c *Server) status(w http.ResponseWriter, _ *http.Request) { answer(w, c.opts.Status()) }

func (c *Server) stop(w http.ResponseWriter, r *http.Request) {
	c.opts.Logger.Info("control: asked to stop", "from", r.RemoteAddr)
	answer(w, struct{}{})
	_ = http.NewResponseController(w).Flush() // the asker knows before this node is gone
	c.opts.Stop()
}

// depotSize is the answer to a question for a file's size.
type depotSize struct {
	Size int64 `json:"size"`
}

func (c *Server) size(w http.ResponseWriter, r *http.Request) {
	name, ok := shipment(w, r)
	if !ok {
		return
	}
	n, err := c.opts.Depot.Size(r.Context(), name)
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, depotSize{n})
}

func (c *Server) append(w http.ResponseWriter, r *http.Request) {
	name, ok := shipment(w, r)
	if !ok {
		return
	}
	offset, ok := number(w, r, "offset")
	if !ok {
		return
	}
	if r.ContentLength < 0 {
		fail(w, http.StatusLengthRequired, "an upload must say its length")
		return
	}
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Time{}) // the reading is bounded; the answer gets its own deadline
	cut := func() { _ = rc.SetReadDeadline(time.Unix(1, 0)) }
	body := &paced{r: r.Body, left: r.ContentLength, window: func(d time.Duration) {
		_ = rc.SetReadDeadline(time.Now().Add(d))
		if r.Context().Err() != nil {
			cut()
		}
	}}
	stop := context.AfterFunc(r.Context(), cut) // a node that ends does not wait for uploads
	defer stop()
	err := c.opts.Depot.Append(r.Context(), name, offset, body, r.ContentLength)
	setDeadlines(w, Timeout)
	if err != nil {
		fail(w, http.StatusConflict, err.Error())
		return
	}
	answer(w, struct{}{})
}

func (c *Server) finish(w http.ResponseWriter, r *http.Request) {
	name, ok := shipment(w, r)
	if !ok {
		return
	}
	size, ok := number(w, r, "size")
	if !ok {
		return
	}
	digest, ok := parseDigest(r.URL.Query().Get("digest"))
	if !ok {
		fail(w, http.StatusBadRequest, "digest is not sha256: and 64 hex digits")
		return
	}
	setDeadlines(w, finishTime(size))
	if err := c.opts.Depot.Finish(r.Context(), name, size, digest); err != nil {
		fail(w, http.StatusConflict, err.Error())
		return
	}
	answer(w, struct{}{})
}

// finishTime is how long the comparison of a file may take.
func finishTime(size int64) time.Duration {
	return FinishTimeout + time.Duration(size/FinishRate)*time.Second
}

func parseDigest(s string) (d crawler.Digest, ok bool) {
	text, ok := strings.CutPrefix(s, "sha256:")
	if !ok || len(text) != 2*len(d) {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(text))
	return d, err == nil
}

// shipment reads the file's name. Only names that a fetcher ships are let through; the receiver keeps to
// its directory all the same.
func shipment(w http.ResponseWriter, r *http.Request) (string, bool) {
	name := r.URL.Query().Get("name")
	if !shipmentName(name) {
		fail(w, http.StatusBadRequest, fmt.Sprintf("%.200q is not the name of a shipped file", name))
		return "", false
	}
	return name, true
}

func shipmentName(name string) bool {
	if len(name) > MaxShipmentName || !utf8.ValidString(name) || path.Clean(name) != name {
		return false
	}
	if strings.ContainsFunc(name, unicode.IsControl) || strings.ContainsRune(name, '\\') {
		return false
	}
	_, _, body := crawler.ParseBodyName(name)
	return body || strings.HasPrefix(name, crawler.ArchiveDir+"/")
}

func number(w http.ResponseWriter, r *http.Request, key string) (int64, bool) {
	n, err := strconv.ParseInt(r.URL.Query().Get(key), 10, 64)
	if err != nil || n < 0 {
		fail(w, http.StatusBadRequest, key+" is not a number of bytes")
		return 0, false
	}
	return n, true
}

// paced reads an upload of a known length. Each window is opened when it starts, and the next only after
// [StallBytes] came in it, so that a deadline set by window moves with progress, not with mere signs of
// life. After the last byte comes a window for making them durable. Owned by one reader.
type paced struct {
	r      io.Reader
	left   int64
	window func(time.Duration)
	got    int64 // in this window
	open   bool
}

func (p *paced) Read(b []byte) (int, error) {
	if p.left <= 0 {
		return 0, io.EOF
	}
	if !p.open || p.got >= StallBytes {
		p.open, p.got = true, 0
		p.window(StallTimeout)
	}
	n, err := p.r.Read(b[:min(int64(len(b)), p.left)])
	p.left -= int64(n)
	p.got += int64(n)
	switch {
	case p.left == 0:
		p.window(FinishTimeout)
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// failure is the answer to a request that failed.
type failure struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	writeJSON(w, failure{text})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	writeJSON(w, v)
}

func writeJSON(w io.Writer, v any) {
	_ = json.NewEncoder(w).Encode(v) // fails only when nobody reads it any more
}
