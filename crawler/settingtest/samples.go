// Package settingtest has values of settings for tests.
package settingtest

import (
	"strings"
	"testing"

	"trawl/crawler"
)

// samples are values of settings that no type or choice gives.
var samples = map[string]string{
	"include": "a", "exclude": "b", "accept": "text/html", "user-agent": "x/1", "header": "X-A: b", "allow-private": "10.0.0.0/8", "ca-file": Certificate,
	"int": "7", "int64": "7", "duration": "7s", "size": "7MiB", "rate": "7MiB",
}

// Sample is a text of a setting that says something unusual.
func Sample(t testing.TB, s *crawler.Setting) string {
	t.Helper()
	job := crawler.NewJob(crawler.Crawl)
	usual := s.Value(&job)
	if text, ok := samples[s.Name]; ok {
		return text
	}
	if text, ok := samples[usual.Type()]; ok {
		return text
	}
	if on, is := usual.Plain().(bool); is {
		return map[bool]string{true: "false", false: "true"}[on]
	}
	for _, c := range s.Choices {
		if word, _, _ := strings.Cut(c, "\t"); word != usual.String() {
			return word
		}
	}
	t.Fatalf("setting %s: give an unusual value for it, or for its type %s (crawler/settingtest)", s.Name, usual.Type())
	return ""
}

// Certificate is one of nobody (PEM).
const Certificate = `-----BEGIN CERTIFICATE-----
MIIBCzCBs6ADAgECAgEBMAoGCCqGSM49BAMCMA8xDTALBgNVBAMTBHRlc3QwIBcN
NzAwMTAxMDAwMDAwWhgPMjEwMDAxMDEwMDAwMDBaMA8xDTALBgNVBAMTBHRlc3Qw
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASTe27A0Xid1MI8fVM+2lBBKkOTaPDI
ByoMDqisBcuxfn70hAFBzyyQipyr3zE1f9GSQzgu+sFlkUVTYyyNjht+MAoGCCqG
SM49BAMCA0cAMEQCIF4OxlVXwd6y0jCWj18KnNu79622XJDgWiJk0ioHnIzVAiBq
PLg9SU8wNkHOkEHa59vFuCq91dytJngWV2Jprxxdjw==
-----END CERTIFICATE-----
`
