package trawl_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"trawl"
)

// A crawl of a small site, with its rows read by the program that ran it.
func Example() {
	pages := map[string]string{
		"/":           `<a href="about.html">about us</a> <a href="gone.html">news</a>`,
		"/about.html": `<title>About us</title>`,
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, page)
	}))
	defer site.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	job := trawl.NewJob(trawl.KindCrawl)
	job.Delay = 0 // the site is ours
	crawl, err := trawl.New(job, trawl.Options{Dir: dir, Seeds: trawl.ReadSeeds([]string{site.URL}, nil)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer crawl.Close()
	if err := crawl.Run(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(crawl.Ending())
	for row, err := range crawl.Rows() {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(strings.TrimPrefix(row.URL.String(), site.URL), row.Outcome, row.Status)
	}
	// Unordered output:
	// done
	// / fetched 200
	// /about.html fetched 200
	// /gone.html failed 404
}
