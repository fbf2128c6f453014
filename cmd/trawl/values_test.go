package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
)

// testCertificate makes a certificate (PEM).
func testCertificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestARateIsBytesASecond(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "500KiB/s": 500 << 10, "1MB": 1 << 20, "65536": 65536, "1.5M/s": 1536 << 10} {
		var r rate
		if err := r.Set(text); err != nil || int64(r) != want {
			t.Errorf("%s: %d, %v; want %d", text, r, err, want)
		}
	}
	for _, text := range []string{"", "/s", "1MB/m", "fast", "-1", "1/s/s"} {
		r := rate(7)
		if err := r.Set(text); err == nil || r != 7 {
			t.Errorf("%q: %d, %v; want an error and the old value", text, r, err)
		}
	}
}

func TestHeadersAreNamesAndValues(t *testing.T) {
	var h headers
	for _, text := range []string{"A: b", "C:d: e", "Empty:"} {
		if err := h.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	want := headers{{Name: "A", Value: "b"}, {Name: "C", Value: "d: e"}, {Name: "Empty"}}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("%+v, want %+v", h, want)
	}
	for _, text := range []string{"", "A", ": b", "A B: c", "Host: x", "A: b\nC: d"} {
		if err := h.Set(text); err == nil {
			t.Errorf("%q is taken as a header", text)
		}
	}
	if err := h.Replace([]string{"X: y", "bad"}); err == nil || !reflect.DeepEqual(h, want) {
		t.Errorf("a bad list leaves %+v, %v; want the old one and an error", h, err)
	}
}

func TestCertificatesComeFromAFileOrStandThere(t *testing.T) {
	text := testCertificate(t)
	for name, value := range map[string]string{"a file": writeFile(t, "ca.pem", "# mine\n"+text), "the text": text, "none": ""} {
		var c certificates
		if err := c.Set(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if (value == "") != (c == "") || value != "" && !strings.Contains(string(c), text) {
			t.Errorf("%s is read as %q", name, c)
		}
	}
	for value, want := range map[string]string{
		t.TempDir() + "/none":                     "no such file or directory",
		writeFile(t, "key.pem", "no certificate"): "holds no certificate",
		pemBegin + "\nabc":                        "no certificate that can be read",
		writeFile(t, "bad.pem", pemBegin+"\nabc"): "holds no certificate",
	} {
		var c certificates
		if err := c.Set(value); err == nil || !strings.Contains(err.Error(), want) || c != "" {
			t.Errorf("%q: %q, %v; want an error with %q", value, c, err, want)
		}
	}
}

func TestAReasonMayFollowRetryFailedAfterASpace(t *testing.T) {
	t.Chdir(t.TempDir())
	file := writeFile(t, "x", "")
	t.Chdir(file[:strings.LastIndex(file, "/")])
	for name, c := range map[string]struct {
		args  []string
		want  *crawler.Reason
		seeds []string
		bad   string
	}{
		"not given":                 {args: []string{"http://a/"}, seeds: []string{"http://a/"}},
		"alone":                     {args: []string{"--retry-failed"}, want: new(crawler.Reason(""))},
		"alone before a seed":       {args: []string{"--retry-failed", "http://a/"}, want: new(crawler.Reason("")), seeds: []string{"http://a/"}},
		"alone before a list":       {args: []string{"--retry-failed", "x"}, want: new(crawler.Reason("")), seeds: []string{"x"}},
		"with =":                    {args: []string{"--retry-failed=dns"}, want: new(crawler.ReasonDNS)},
		"after a space":             {args: []string{"--retry-failed", "http_status", "http://a/"}, want: new(crawler.ReasonHTTPStatus), seeds: []string{"http://a/"}},
		"an unknown one":            {args: []string{"--retry-failed=dnss"}, bad: `--retry-failed "dnss": use one of dns, connect, tls,`},
		"an unknown one, and space": {args: []string{"--retry-failed", "dnss"}, bad: `--retry-failed "dnss": use one of`},
		"one of a waiting row":      {args: []string{"--retry-failed=limit"}, bad: `--retry-failed "limit": use one of`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := commandLine(t, crawler.Crawl, c.args...)
			if c.bad != "" {
				if err == nil || !strings.HasPrefix(err.Error(), c.bad) {
					t.Errorf("%v, want %s", err, c.bad)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got.options.RetryFailed, c.want) || strings.Join(got.seeds, " ") != strings.Join(c.seeds, " ") {
				t.Errorf("%v, seeds %q, %v; want %v, %q", got.options.RetryFailed, got.seeds, err, c.want, c.seeds)
			}
		})
	}
}
