package control

import (
	"context"
	"net/http"
	"net/url"

	"trawl/crawler/explain"
	"trawl/crawler/weburl"
)

const pathExplain = "/v1/explain"

// explainRoutes serves the explanation of single URLs.
func (c *Server) explainRoutes(mux *http.ServeMux) {
	if c.opts.Explain != nil {
		mux.HandleFunc("GET "+pathExplain, c.explain)
	}
}

func (c *Server) explain(w http.ResponseWriter, r *http.Request) {
	u, err := weburl.Parse(r.URL.Query().Get("url"))
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	e, err := c.opts.Explain(r.Context(), u)
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, e)
}

// Explain asks for the whole story of a URL.
func (c *Client) Explain(ctx context.Context, u weburl.URL) (explain.Explanation, error) {
	var e explain.Explanation
	err := c.call(ctx, Timeout, http.MethodGet, pathExplain, url.Values{"url": {u.String()}}, &e)
	return e, err
}
