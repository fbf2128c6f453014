package download

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"trawl/crawler"
	"trawl/fetcher/fetchertest"
)

func serveBody(t testing.TB, body []byte, header ...string) string {
	t.Helper()
	return fetchertest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Write(body)
	}).URL
}

// wantBody compares length, digest and truncation mark with the decoded body, and what was kept with want.
func wantBody(t testing.TB, x *exchange, decoded, want []byte, truncated bool) {
	t.Helper()
	r := x.result
	if r.Bytes != int64(len(decoded)) || r.Digest != crawler.Digest(sha256.Sum256(decoded)) || r.Truncated != truncated {
		t.Errorf("%d bytes, %v, truncated %v; want %d bytes, truncated %v", r.Bytes, r.Digest, r.Truncated, len(decoded), truncated)
	}
	if got := kept(t, x); !bytes.Equal(got, want) {
		t.Errorf("kept %d bytes, want %d", len(got), len(want))
	}
}

func TestBodyIsKeptAsItCameOrDecoded(t *testing.T) {
	body := []byte(strings.Repeat("<p>text and text</p>\n", 5000))
	coded := fetchertest.Gzipped(body)
	for _, c := range []struct {
		name    string
		sent    []byte
		header  []string
		keep    keepMode
		kept    []byte
		decoded []byte
	}{
		{"plain, for an archive", body, nil, keepWire, body, body},
		{"gzip, for an archive", coded, []string{"Content-Encoding", "gzip"}, keepWire, coded, body},
		{"gzip, for a file", coded, []string{"Content-Encoding", "gzip"}, keepDecoded, body, body},
		{"a .tar.gz is not touched", coded, []string{"Content-Type", "application/gzip"}, keepDecoded, coded, coded},
		{"a .tar.gz that is sent with its own gzip as a coding is not touched", coded, []string{"Content-Type", "application/x-gzip", "Content-Encoding", "x-gzip"}, keepDecoded, coded, coded},
		{"neither is it in an archive", coded, []string{"Content-Type", "application/gzip", "Content-Encoding", "gzip"}, keepWire, coded, coded},
		{"another coding of it is undone", fetchertest.Gzipped(coded), []string{"Content-Type", "application/gzip", "Content-Encoding", "gzip, gzip"}, keepDecoded, coded, coded},
		{"an unknown coding is not touched", body, []string{"Content-Encoding", "sdch"}, keepDecoded, body, body},
		{"an empty body with a coding is empty", nil, []string{"Content-Encoding", "gzip"}, keepWire, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := testExchange(t, serveBody(t, c.sent, c.header...))
			x.keep = c.keep
			ask(t, testTransport(t, nil), x)
			wantOutcome(t, x, crawler.Fetched, "")
			wantBody(t, x, c.decoded, c.kept, false)
		})
	}
}

func TestAFileWhoseNameSaysGzipIsNotUnpacked(t *testing.T) {
	body := []byte(strings.Repeat("text and text\n", 500))
	coded := fetchertest.Gzipped(body)
	for _, c := range []struct {
		name, path, file, kind string
		keep                   keepMode
		kept                   []byte
	}{
		{"by the path of its URL", "/f.tar.gz?mirror=1", "", "application/x-tar", keepDecoded, coded},
		{"in capitals", "/F.TGZ", "", "application/octet-stream", keepDecoded, coded},
		{"a picture", "/i.svgz", "", "image/svg+xml", keepDecoded, coded},
		{"by the name that the user gave", "/get?id=7", "data/seven.csv.gz", "text/csv", keepDecoded, coded},
		{"other files are what was packed", "/f.csv", "f.csv", "text/csv", keepDecoded, body},
		{"a query is no name", "/f?x=.gz", "", "text/csv", keepDecoded, body},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := testExchange(t, serveBody(t, coded, "Content-Type", c.kind, "Content-Encoding", "x-gzip")+c.path)
			x.keep, x.name = c.keep, c.file
			ask(t, testTransport(t, nil), x)
			wantOutcome(t, x, crawler.Fetched, "")
			wantBody(t, x, c.kept, c.kept, false)
		})
	}
	t.Run("a page of a crawl is unpacked whatever its name", func(t *testing.T) {
		x := testExchange(t, serveBody(t, coded, "Content-Type", "text/html", "Content-Encoding", "gzip")+"/page.gz")
		x.keep = keepWire
		ask(t, testTransport(t, nil), x)
		wantBody(t, x, body, coded, false)
	})
}

func TestBodyForACallerIsDecodedAndBounded(t *testing.T) {
	page := []byte(strings.Repeat("0123456789", 1000))
	html := []string{"Content-Type", "text/html", "Content-Encoding", "gzip"}
	for _, c := range []struct {
		name   string
		sent   []byte
		header []string
		page   int64
		plain  bool
		want   string
	}{
		{"nothing when nobody reads", fetchertest.Gzipped(page), html, 0, false, ""},
		{"the decoded text", fetchertest.Gzipped(page), html, 1 << 20, false, string(page)},
		{"cut at its limit", fetchertest.Gzipped(page), html, 15, false, "012345678901234"},
		{"nothing of a type that is no text", page, []string{"Content-Type", "image/png"}, 1 << 20, false, ""},
		{"any type as text when that is asked for", page, []string{"Content-Type", "application/octet-stream"}, 10, true, "0123456789"},
		{"colly would gunzip this type", fetchertest.Gzipped(page), []string{"Content-Type", "application/gzip"}, 1 << 20, true, string(fetchertest.Gzipped(page))},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := testExchange(t, serveBody(t, c.sent, c.header...))
			x.textLimit, x.robots = c.page, c.plain
			if got := ask(t, testTransport(t, nil), x); got != c.want {
				t.Errorf("%d bytes %.20q, want %d", len(got), got, len(c.want))
			}
			wantOutcome(t, x, crawler.Fetched, "")
		})
	}
}

func TestBodyBeyondMaxBodyIsCutAndItsConnectionClosed(t *testing.T) {
	body := fetchertest.Noise(11 * crawler.MiB)
	closed := make(chan struct{})
	for _, c := range []struct {
		name   string
		coding string
	}{{"plain", ""}, {"gzip", "gzip"}} {
		t.Run(c.name, func(t *testing.T) {
			sent := body
			if c.coding != "" {
				sent = fetchertest.Gzipped(body)
			}
			x := testExchange(t, serveBody(t, sent, "Content-Encoding", c.coding))
			x.limits.MaxBody, x.keep = 10*crawler.MiB, keepDecoded
			tr := testTransport(t, nil)
			ask(t, tr, x)
			wantOutcome(t, x, crawler.Fetched, "")
			wantBody(t, x, body[:10*crawler.MiB], body[:10*crawler.MiB], true)
			if x.cut.mark != "length" || !strings.Contains(x.result.Detail, "10485760") {
				t.Errorf("mark %q, detail %q", x.cut.mark, x.result.Detail)
			}
		})
	}
	t.Run("an endless one does not hold the worker", func(t *testing.T) {
		s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
			defer close(closed)
			for b := fetchertest.Noise(1 << 16); r.Context().Err() == nil; {
				w.Write(b)
			}
		})
		x := testExchange(t, s.URL)
		x.limits.MaxBody = crawler.MiB
		ask(t, testTransport(t, nil), x)
		wantOutcome(t, x, crawler.Fetched, "")
		<-closed
	})
	t.Run("one of exactly the limit is whole", func(t *testing.T) {
		x := testExchange(t, serveBody(t, body[:crawler.MiB]))
		x.limits.MaxBody = crawler.MiB
		ask(t, testTransport(t, nil), x)
		wantBody(t, x, body[:crawler.MiB], body[:crawler.MiB], false)
	})
}

// A gzip body of empty members goes on for ever and decodes to nothing.
func TestBodyThatDecodesToNothingIsCutOnTheWire(t *testing.T) {
	empty := fetchertest.Gzipped(nil)
	s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		for b := bytes.Repeat(empty, 1000); r.Context().Err() == nil; {
			w.Write(b)
		}
	})
	x := testExchange(t, s.URL)
	x.limits.MaxBody = crawler.MiB
	ask(t, testTransport(t, nil), x)
	wantOutcome(t, x, crawler.Fetched, "")
	if n := len(kept(t, x)); !x.result.Truncated || n > 2*crawler.MiB {
		t.Errorf("truncated %v, kept %d bytes", x.result.Truncated, n)
	}
}

func TestBombStopsAtTheRatio(t *testing.T) {
	bomb := fetchertest.Gzipped(make([]byte, 50_000_000))
	x := testExchange(t, serveBody(t, bomb, "Content-Encoding", "gzip"))
	x.limits.MaxBody = 0
	ask(t, testTransport(t, nil), x)
	wantOutcome(t, x, crawler.Failed, crawler.ReasonBadEncoding)
	if n := x.result.Bytes; n < x.limits.RatioAfter || n > x.limits.RatioAfter+bodyChunk || !x.result.Truncated || x.result.Status != 200 {
		t.Errorf("decoded %d bytes, truncated %v, status %d", n, x.result.Truncated, x.result.Status)
	}
}

func TestBrokenCodingKeepsWhatCame(t *testing.T) {
	body := []byte(strings.Repeat("text ", 20_000))
	coded := fetchertest.Gzipped(body)
	half := coded[:len(coded)-10]
	for _, c := range []struct {
		name    string
		sent    []byte
		decoded int
	}{
		{"an end in the middle that the length agrees with", half, 98_000},
		{"one byte", coded[:1], 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := testExchange(t, serveBody(t, c.sent, "Content-Encoding", "gzip", "Content-Type", "text/html"))
			x.textLimit = 1 << 20
			text := ask(t, testTransport(t, nil), x)
			wantOutcome(t, x, crawler.Failed, crawler.ReasonBadEncoding)
			c.decoded = len(text) // the decoder decides how far it comes
			wantBody(t, x, body[:c.decoded], c.sent, true)
			if x.cut.mark != "" {
				t.Errorf("mark %q", x.cut.mark)
			}
		})
	}
}

func TestLabelsThatTheBytesDoNotBearOut(t *testing.T) {
	body := []byte(strings.Repeat("text ", 20_000))
	coded := fetchertest.Gzipped(body)
	wrong := bytes.Clone(coded)
	wrong[len(wrong)-6] ^= 0xff // checksum
	for _, c := range []struct {
		name, label  string
		sent         []byte
		decoded      []byte
		detail       string
		notHandedOut bool
	}{
		{"no gzip at all", "gzip", body, body, "labelled gzip", false},
		{"no br at all", "br", body, body, "labelled br", false},
		{"a wrong checksum", "gzip", wrong, body, "checksum is wrong", false},
		{"no trailer", "gzip", coded[:len(coded)-8], body, "trailer is missing", false},
		{"a word that is no coding", "UTF-8", body, body, `unknown content coding utf-8, read as it came`, false},
		{"a word beside a coding", "gzip, none", coded, body, `unknown content coding none, read as it came`, false},
		{"a coding that is not known", "compress", fetchertest.Noise(5000), fetchertest.Noise(5000), "unknown content coding compress, kept as it came", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := testExchange(t, serveBody(t, c.sent, "Content-Encoding", c.label, "Content-Type", "text/html"))
			x.textLimit = 1 << 20
			text := ask(t, testTransport(t, nil), x)
			wantOutcome(t, x, crawler.Fetched, "")
			wantBody(t, x, c.decoded, c.sent, false)
			if !strings.Contains(x.result.Detail, c.detail) || (len(text) == 0) != c.notHandedOut || x.opaque != c.notHandedOut {
				t.Errorf("detail %q, %d bytes handed over", x.result.Detail, len(text))
			}
		})
	}
}

func TestCutBodyKeepsStatusHeaderAndPart(t *testing.T) {
	for _, c := range []struct{ name, answer string }{
		{"by length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nETag: \"e\"\r\nContent-Type: text/html\r\n\r\n<a href=/x>"},
		{"in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: \"e\"\r\nContent-Type: text/html\r\n\r\nb\r\n<a href=/x>\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := fetchertest.ServeRaw(t, func(s *fetchertest.RawServer, _ int64, conn net.Conn) {
				s.Request(bufio.NewReader(conn))
				io.WriteString(conn, c.answer)
			})
			x := testExchange(t, s.URL)
			x.textLimit = 100
			text := ask(t, testTransport(t, nil), x)
			wantOutcome(t, x, crawler.Failed, crawler.ReasonReset)
			part := []byte("<a href=/x>")
			wantBody(t, x, part, part, true)
			if x.result.Status != 200 || x.result.ETag != `"e"` || text != string(part) || x.cut.mark != "disconnect" || x.found != nil {
				t.Errorf("%+v, text %q, mark %q, links %v", x.result, text, x.cut.mark, x.found)
			}
		})
	}
}

func TestLimitsOfTimeInABody(t *testing.T) {
	drip := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "part")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	flood := func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for r.Context().Err() == nil {
			io.WriteString(w, "part")
			w.(http.Flusher).Flush()
			<-tick.C
		}
	}
	for _, c := range []struct {
		name   string
		serve  http.HandlerFunc
		idle   time.Duration
		total  time.Duration
		detail string
	}{
		{"no byte for a while", drip, 50 * time.Millisecond, 0, "no byte for 50ms"},
		{"bytes for too long", flood, time.Minute, 100 * time.Millisecond, "not done within 100ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := testExchange(t, fetchertest.Serve(t, c.serve).URL)
			x.limits.Idle, x.limits.Total = c.idle, c.total
			ask(t, testTransport(t, nil), x)
			wantOutcome(t, x, crawler.Failed, crawler.ReasonTimeout)
			if x.result.Status != 200 || x.result.Bytes < 4 || x.cut.mark != "time" || !strings.Contains(x.result.Detail, c.detail) {
				t.Errorf("%+v, mark %q", x.result, x.cut.mark)
			}
		})
	}
}

// The server is quick, our own bandwidth is not: that is no idle server.
func TestWaitingForBandwidthIsNotIdle(t *testing.T) {
	x := testExchange(t, serveBody(t, fetchertest.Noise(300)))
	x.limits.Idle, x.limits.Total = 200*time.Millisecond, 300*time.Millisecond
	ask(t, testTransport(t, func(o *transportOptions) { o.Bandwidth = rate.NewLimiter(400, 100) }), x)
	wantOutcome(t, x, crawler.Fetched, "")
}

func TestLargeBodyIsStreamedToTheSpool(t *testing.T) {
	size := int64(300 * crawler.MiB)
	if testing.Short() {
		size = 64 * crawler.MiB
	}
	s := fetchertest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		chunk := make([]byte, 1<<20)
		for range size / (1 << 20) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	x := testExchange(t, s.URL)
	x.limits.MaxBody, x.textLimit, x.robots = 0, 1000, true
	tr := testTransport(t, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	text := ask(t, tr, x)
	runtime.ReadMemStats(&after)
	wantOutcome(t, x, crawler.Fetched, "")
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 16*crawler.MiB {
		t.Errorf("%d bytes were allocated", grown)
	}
	b, err := x.spool.Body()
	if err != nil || b.Size != size || b.File == "" || len(text) != 1000 {
		t.Fatalf("body %+v, error %v, text of %d bytes", b, err, len(text))
	}
	info, err := os.Stat(b.File)
	if err != nil || info.Size() != size {
		t.Errorf("spool file: %v, %v", info, err)
	}
	x.release()
	if _, err := os.Stat(b.File); !os.IsNotExist(err) {
		t.Errorf("the spool file is still there: %v", err)
	}
}

func TestFullDiskFailsTheResult(t *testing.T) {
	kit := testKit(t)
	kit.spools.Dir += "/gone"
	x := testExchange(t, serveBody(t, fetchertest.Noise(crawler.MiB)))
	ask(t, testTransport(t, func(o *transportOptions) { o.Kit = kit }), x)
	wantOutcome(t, x, crawler.Failed, crawler.ReasonArchive)
}
