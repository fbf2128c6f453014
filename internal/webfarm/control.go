package webfarm

import (
	"bufio"
	"encoding/json"
	"net/http"
)

// Control is the farm's own interface, for another process: GET /__audit, /__total (the audit without the
// hosts), /__seeds, /__urls (lines) and /__certificate, POST /__reset and /__flush (the log of requests). It belongs on an address of its own.
func (f *Farm) Control() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /__audit", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(f.Audit())
	})
	m.HandleFunc("GET /__total", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(f.Audit().Total)
	})
	m.HandleFunc("GET /__seeds", func(w http.ResponseWriter, _ *http.Request) {
		for _, s := range f.Seeds() {
			w.Write([]byte(s + "\n"))
		}
	})
	m.HandleFunc("GET /__urls", func(w http.ResponseWriter, _ *http.Request) {
		b := bufio.NewWriter(w)
		defer b.Flush()
		for u := range f.URLs() {
			b.WriteString(u + "\n")
		}
	})
	m.HandleFunc("GET /__certificate", func(w http.ResponseWriter, _ *http.Request) { w.Write(f.Certificate()) })
	m.HandleFunc("POST /__reset", func(http.ResponseWriter, *http.Request) { f.ResetAudit() })
	m.HandleFunc("POST /__flush", func(w http.ResponseWriter, _ *http.Request) {
		if err := f.FlushRequests(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return m
}
