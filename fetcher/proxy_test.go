package fetcher

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"trawl/crawler"
	"trawl/fetcher/fetchertest"
)

func TestCertificatesOfTheJobAreTrustedBesideTheSystems(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that is to fail
	s.StartTLS()
	t.Cleanup(s.Close)
	for name, ca := range map[string]string{"with it": fetchertest.CertificatePEM(s), "without it": ""} {
		t.Run(name, func(t *testing.T) {
			r := newRealWorld(t, s.URL)
			r.job.CA = ca
			got := r.fetch("/")["/"]
			if want := ca != ""; (got.Outcome == crawler.Fetched) != want || (got.Reason == crawler.ReasonTLS) == want {
				t.Errorf("%+v", got)
			}
		})
	}
	if _, err := newView(crawler.JobNotice{Job: crawler.Job{CA: "nonsense"}}, nil); err == nil {
		t.Error("certificates that are none are taken")
	}
}

func TestAFetcherUsesItsProxy(t *testing.T) {
	s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) })
	p := fetchertest.NewProxy(t, s, false)
	r := newRealWorld(t, "http://name.test")
	r.job.AllowPrivate, r.job.IgnoreRobots = nil, false
	r.set = func(o *Options) { o.Proxy = func(*url.URL) (*url.URL, error) { return p.URL, nil } }
	if got := r.fetch("/a")["/a"]; got.Outcome != crawler.Fetched || got.Bytes != int64(len("name.test")) {
		t.Errorf("%+v", got)
	}
	if asked := strings.Fields(p.Saw()); !slices.Contains(asked, "http://name.test/robots.txt") {
		t.Errorf("the proxy saw %s", p.Saw())
	}
}
