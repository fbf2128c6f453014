package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"trawl/crawler"
)

// Paths of the control API that change a job or read all of it.
const (
	pathChange = "/v1/change"
	pathSeeds  = "/v1/seeds"
	pathExport = "/v1/export"
)

const (
	// MaxChange is the most bytes of a change.
	MaxChange = 64 << 10
	// SteerTimeout bounds a change: changed limits are applied to every host.
	SteerTimeout = 5 * time.Minute
	// StreamTimeout is how long a stream of seeds or rows may stand still.
	StreamTimeout = time.Minute
)

// Steering is what a job's control offers besides status and stop. Calls come from many goroutines at once.
type Steering interface {
	// Change changes the job; it is durable when Change returns nil.
	Change(ctx context.Context, c crawler.Change) error
	// Add admits seeds from a list, a URL a line; what was read is durable when it returns.
	Add(ctx context.Context, list io.Reader) (crawler.Added, error)
	// Export writes the rows that the request asks for, and returns how many.
	Export(ctx context.Context, w io.Writer, request url.Values) (int64, error)
}

func (c *Server) steer(mux *http.ServeMux) {
	if c.opts.Steering == nil {
		return
	}
	mux.HandleFunc("POST "+pathChange, c.change)
	mux.HandleFunc("POST "+pathSeeds, c.seeds)
	mux.HandleFunc("GET "+pathExport, c.export)
}

func (c *Server) change(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxChange))
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	var change crawler.Change
	if err := json.Unmarshal(text, &change); err != nil {
		fail(w, http.StatusBadRequest, "the change cannot be read: "+err.Error())
		return
	}
	setDeadlines(w, SteerTimeout)
	if err := c.opts.Steering.Change(r.Context(), change); err != nil {
		fail(w, http.StatusConflict, err.Error())
		return
	}
	c.opts.Logger.Info("control: the job was changed", "change", string(text))
	answer(w, struct{}{})
}

func (c *Server) seeds(w http.ResponseWriter, r *http.Request) {
	list := &moving{ctx: r.Context(), r: r.Body, rc: http.NewResponseController(w)}
	defer context.AfterFunc(r.Context(), list.interrupt)()
	added, err := c.opts.Steering.Add(r.Context(), list)
	if err != nil {
		fail(w, http.StatusConflict, err.Error())
		return
	}
	c.opts.Logger.Info("control: seeds were added", "seeds", added.Seeds, "new", added.New, "known", added.Known, "refused", added.Refused, "bad", added.Bad)
	answer(w, added)
}

func (c *Server) export(w http.ResponseWriter, r *http.Request) {
	out := &movingOut{w: w, rc: http.NewResponseController(w)}
	w.Header().Set("Trailer", rowsTrailer)
	n, err := c.opts.Steering.Export(r.Context(), out, r.URL.Query())
	switch {
	case err == nil:
		w.Header().Set(rowsTrailer, strconv.FormatInt(n, 10))
	case out.wrote:
		panic(http.ErrAbortHandler) // the reader must not take what it has for the whole
	default:
		fail(w, http.StatusBadRequest, err.Error())
	}
}

// rowsTrailer stands after an export and says how many rows it has.
const rowsTrailer = "Trawl-Rows"

// moving reads a body that may take as long as it likes while it moves.
type moving struct {
	ctx context.Context // ends the reading
	r   io.Reader
	rc  *http.ResponseController
}

func (m *moving) Read(p []byte) (int, error) {
	_ = m.rc.SetReadDeadline(time.Now().Add(StreamTimeout)) // both fail only when the connection is gone
	_ = m.rc.SetWriteDeadline(time.Now().Add(SteerTimeout))
	if err := m.ctx.Err(); err != nil { // after the deadline was set: interrupt may have come before
		return 0, err
	}
	return m.r.Read(p)
}

// interrupt ends a Read that waits, when the context has ended.
func (m *moving) interrupt() { _ = m.rc.SetReadDeadline(time.Unix(1, 0)) }

// movingOut is the same for an answer.
type movingOut struct {
	w     io.Writer
	rc    *http.ResponseController
	wrote bool
}

func (m *movingOut) Write(p []byte) (int, error) {
	m.wrote = true
	_ = m.rc.SetWriteDeadline(time.Now().Add(StreamTimeout))
	return m.w.Write(p)
}

// Change changes the running job.
func (c *Client) Change(ctx context.Context, change crawler.Change) error {
	text, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("control at %s: %w", c.target, err)
	}
	return c.post(ctx, pathChange, bytes.NewReader(text), nil)
}

// Add gives the running job more seeds, a URL a line.
func (c *Client) Add(ctx context.Context, list io.Reader) (crawler.Added, error) {
	var added crawler.Added
	err := c.post(ctx, pathSeeds, list, &added)
	return added, err
}

func (c *Client) post(ctx context.Context, path string, body io.Reader, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, body)
	if err != nil {
		return fmt.Errorf("control at %s: %w", c.target, err)
	}
	return c.do(ctx, req, into)
}

// Export writes the rows that the request asks for to w, from a running job, and returns how many; -1 when the job does not
// report it. After an error what was written is not the whole.
func (c *Client) Export(ctx context.Context, w io.Writer, request url.Values) (int64, error) {
	resp, err := c.open(ctx, pathExport+"?"+request.Encode())
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	into := &ourWriter{w: w}
	if _, err := io.Copy(into, resp.Body); into.err != nil {
		return 0, into.err // ours, not the connection's
	} else if err != nil {
		return 0, c.explain(ctx, err)
	}
	n, err := strconv.ParseInt(resp.Trailer.Get(rowsTrailer), 10, 64)
	if err != nil {
		n = -1
	}
	return n, nil
}

// ourWriter keeps the error of the writer below it.
type ourWriter struct {
	w   io.Writer
	err error
}

func (f *ourWriter) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	f.err = err
	return n, err
}

// open asks for an answer that is read as a stream. Its body is to be closed.
func (c *Client) open(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("control at %s: %w", c.target, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer))
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	return nil, c.refusal(resp.StatusCode, text)
}
