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

	"github.com/spf13/pflag"

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

// caFile is the flag --ca-file of a job.
func caFile(j *crawler.Job) pflag.Value {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, s := range crawler.Settings() {
		if s.Name == "ca-file" {
			return addSetting(fs, &s.Description, s.Value(j), "").Value
		}
	}
	return nil
}

func TestCertificatesComeFromAFileOrStandThere(t *testing.T) {
	text := testCertificate(t)
	for name, value := range map[string]string{"a file": writeFile(t, "ca.pem", "# mine\n"+text), "the text": text, "none": ""} {
		c := caFile(new(crawler.Job))
		if err := c.Set(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if (value == "") != (c.String() == "") || value != "" && !strings.Contains(c.String(), text) {
			t.Errorf("%s is read as %q", name, c)
		}
	}
	for value, want := range map[string]string{
		t.TempDir() + "/none":                     "no such file or directory",
		writeFile(t, "key.pem", "no certificate"): "holds no certificate",
		pemBegin + "\nabc":                        "no certificate that can be read",
		writeFile(t, "bad.pem", pemBegin+"\nabc"): "holds no certificate",
	} {
		c := caFile(new(crawler.Job))
		if err := c.Set(value); err == nil || !strings.Contains(err.Error(), want) || c.String() != "" {
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
