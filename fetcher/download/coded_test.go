package download

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/codingtest"
	"trawl/fetcher/fetchertest"
)

// empties are empty gzip members, size bytes of them, which decode to nothing; coded once more, they take a thousandth.
func empties(t testing.TB, size int) []byte {
	t.Helper()
	member := fetchertest.Gzipped(nil)
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	for chunk := bytes.Repeat(member, 1<<12); size > 0; size -= len(chunk) {
		w.Write(chunk)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What one coding gives may vanish in the next one, so that nothing is ever too long at the end.
func TestEachOfStackedCodingsIsBounded(t *testing.T) {
	bomb := codingtest.Encode(t, "br", empties(t, 48*crawler.MiB))
	for _, c := range []struct {
		name    string
		limit   func(*crawler.FetchLimits)
		outcome crawler.Outcome
		reason  crawler.Reason
		bound   string
	}{
		{"by the ratio", func(l *crawler.FetchLimits) {}, crawler.Failed, crawler.ReasonBadEncoding, crawler.BoundRatio},
		{"by the length of a body", func(l *crawler.FetchLimits) { l.Ratio, l.MaxBody = 0, crawler.MiB }, crawler.Fetched, "", crawler.BoundBody},
		{"by the time in all", func(l *crawler.FetchLimits) { l.Ratio, l.MaxBody, l.Total = 0, 0, 50*time.Millisecond }, crawler.Failed, crawler.ReasonTimeout, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := testExchange(t, serveBody(t, bomb, "Content-Encoding", "gzip, gzip, br"))
			c.limit(&x.limits)
			ask(t, testTransport(t, nil), x)
			wantOutcome(t, x, c.outcome, c.reason)
			if !x.result.Truncated || x.cut.bound != c.bound {
				t.Errorf("truncated %v, bound %q, %s", x.result.Truncated, x.cut.bound, x.result.Detail)
			}
		})
	}
	x := testExchange(t, serveBody(t, bomb, "Content-Encoding", "gzip, gzip, br"))
	x.limits.Ratio, x.limits.MaxBody = 0, 0
	ask(t, testTransport(t, nil), x)
	wantOutcome(t, x, crawler.Fetched, "") // or the bounds were not what ended the others
}

// Without a length, the end of the connection is the end of a body; a coding shows that it came too early.
func TestACodedBodyThatTheConnectionCutsIsAReset(t *testing.T) {
	page := []byte(strings.Repeat("<p>some text with a <a href=/link>link</a>", 500))
	for _, name := range []string{"gzip", "deflate", "raw", "br", "zstd"} {
		coded := codingtest.Encode(t, name, page)
		label := strings.Replace(name, "raw", "deflate", 1)
		for _, c := range []struct {
			name, head string
			body       []byte
			outcome    crawler.Outcome
			reason     crawler.Reason
		}{
			{"cut", "", coded[:len(coded)/2], crawler.Failed, crawler.ReasonReset},
			{"whole", "", coded, crawler.Fetched, ""},
			{"broken, and all of it came", fmt.Sprintf("Content-Length: %d\r\n", len(coded)/2), coded[:len(coded)/2], crawler.Failed, crawler.ReasonBadEncoding},
			{"cut before its length", fmt.Sprintf("Content-Length: %d\r\n", len(coded)), coded[:len(coded)/2], crawler.Failed, crawler.ReasonReset},
		} {
			t.Run(name+" "+c.name, func(t *testing.T) {
				s := fetchertest.ServeRaw(t, fetchertest.HangUpAfter("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: "+label+"\r\n"+c.head+"\r\n"+string(c.body)))
				x := testExchange(t, s.URL)
				ask(t, testTransport(t, nil), x)
				wantOutcome(t, x, c.outcome, c.reason)
			})
		}
	}
}
