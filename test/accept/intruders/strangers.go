package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// wrongNodes are real nodes that may not join. Each must end soon, with status 5 and one line.
func (s *suite) wrongNodes(ctx context.Context) (string, error) {
	tests := []struct {
		name, program, want string
		args                []string
	}{
		{"another secret", s.trawl, "secret", []string{"fetcher", "--secret-file", s.theirs.file}},
		{"no secret", s.trawl, "secret", []string{"fetcher"}},
		{"another crawl", s.trawl, "another crawl", []string{"scheduler", filepath.Join(s.dir, "seeds.txt"), "--scope", "domain", "--secret-file", s.mine.file}},
		{"another version", s.other, "version", []string{"fetcher", "--secret-file", s.mine.file}},
	}
	var told []string
	for i, t := range tests {
		if t.program == "" {
			continue
		}
		begin := time.Now()
		port, err := freePorts()
		if err != nil {
			return "", err
		}
		p, err := s.run(t.program, fmt.Sprintf("stranger-%d", i), append(t.args, "--join", local(s.port), "--bind", local(port), "--dir",
			filepath.Join(s.dir, fmt.Sprintf("stranger-%d", i)))...)
		if err != nil {
			return "", err
		}
		code, err := p.wait(10 * time.Second)
		if err != nil {
			return "", fmt.Errorf("%s: %w: %s", t.name, err, p.text())
		}
		var lines []string
		for line := range strings.Lines(p.text()) {
			if strings.HasPrefix(line, "trawl:") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
		if code != 5 || len(lines) != 1 || !strings.Contains(lines[0], t.want) {
			return "", fmt.Errorf("%s: status %d, %q", t.name, code, p.text())
		}
		told = append(told, fmt.Sprintf("%s: status 5 after %d ms", t.name, time.Since(begin).Milliseconds()))
	}
	return strings.Join(told, ", "), s.sameFetchers(ctx, "first", "leaver", "second")
}

// strangers try the ports that speak TLS with everything but a certificate of this cluster.
func (s *suite) strangers(context.Context) (string, error) {
	now := time.Now()
	mint := func(c *realm, from, to time.Time) *tls.Config {
		cert, err := c.certificate(from, to)
		if err != nil {
			panic(err) // the clock and the random source are all it needs
		}
		return clientWith(&cert)
	}
	old := mint(s.mine, now.Add(-time.Hour), now.Add(time.Hour))
	old.MaxVersion = tls.VersionTLS12
	good := mint(s.mine, now.Add(-time.Hour), now.Add(time.Hour))
	tests := map[string]*tls.Config{
		"no certificate":                                 clientWith(nil),
		"another cluster's":                              mint(s.theirs, now.Add(-time.Hour), now.Add(time.Hour)),
		"ended a minute ago":                             mint(s.mine, now.Add(-time.Hour), now.Add(-time.Minute)),
		"ended a year ago":                               mint(s.mine, now.Add(-2*365*24*time.Hour), now.Add(-365*24*time.Hour)),
		"not valid yet":                                  mint(s.mine, now.Add(time.Hour), now.Add(2*time.Hour)),
		"the right one over TLS 1.2":                     old,
		"plain text, as a NATS client":                   nil,
		"plain text, as an HTTP client":                  nil,
		"a first byte that is TLS's, then nothing of it": nil,
	}
	welcome := []string{1: "PING\r\n", 2: "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"} // what a member may say there
	words := map[string]string{
		"plain text, as a NATS client":                   "CONNECT {\"verbose\":true}\r\nPING\r\n",
		"plain text, as an HTTP client":                  "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a first byte that is TLS's, then nothing of it": "\x16\x03\x01\x02\x00" + strings.Repeat("\x00", 512),
	}
	for n := 1; n <= 2; n++ {
		port := s.port + n
		for name, conf := range tests {
			if err := learnsNothing(local(port), conf, cmp.Or(words[name], welcome[n])); err != nil {
				return "", fmt.Errorf("%s, port %d: %w", name, n, err)
			}
		}
		// The same with the right certificate is let in, so that the others were not refused for another reason.
		if err := learnsNothing(local(port), good, welcome[n]); err == nil {
			return "", fmt.Errorf("the right certificate is refused at port %d", n)
		}
	}
	return fmt.Sprintf("%d kinds at 2 ports, not one byte of an answer", len(tests)), nil
}

// learnsNothing says something to a port, and complains about an answer that is more than a refusal.
func learnsNothing(addr string, conf *tls.Config, words string) error {
	c, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		return err
	}
	defer c.Close()
	if conf == nil {
		if _, err := c.Write([]byte(words)); err != nil {
			return nil // it hung up
		}
		answer := heard(c, 3*time.Second)
		if len(answer) <= 7 && bytes.HasPrefix(append(answer, 21), []byte{21}) || bytes.HasPrefix(answer, []byte("HTTP/1.0 400 Bad Request")) && len(answer) < 128 {
			return nil // an alert, or net/http's word to those who speak no TLS
		}
		return fmt.Errorf("it answered %.100q", answer)
	}
	t := tls.Client(c, conf)
	_ = c.SetDeadline(time.Now().Add(3 * time.Second))
	if err := t.Handshake(); err != nil {
		return nil
	}
	_, _ = t.Write([]byte(words))
	b := make([]byte, 1000)
	n, err := t.Read(b)
	if n > 0 || err == nil {
		return fmt.Errorf("it answered %.100q", b[:n])
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return errors.New("it does not refuse")
	}
	return nil
}

// replayTLS sends again what a member once said to queue and control.
func (s *suite) replayTLS(ctx context.Context) (string, error) {
	words := map[int]string{
		1: "CONNECT {\"verbose\":false}\r\nPING\r\n",
		2: "POST /v1/stop HTTP/1.1\r\nHost: localhost\r\nX-Not-Sent: 1\r\nContent-Length: 0\r\n\r\n",
	}
	sent := 0
	for port, text := range words {
		recorded, err := s.record(local(s.port+port), port == 2, text)
		if err != nil {
			return "", err
		}
		for _, from := range []string{"", "127.0.0.9"} {
			c, err := dialFrom("tcp", from, local(s.port+port))
			if err != nil {
				return "", err
			}
			_, _ = c.Write(recorded) // it may hang up in the middle
			_ = heard(c, time.Second)
			c.Close()
			sent += len(recorded)
		}
	}
	if _, err := s.status(ctx); err != nil {
		return "", fmt.Errorf("the scheduler was stopped by a recording: %w", err)
	}
	return fmt.Sprintf("%d bytes sent again, the job was not stopped", sent), nil
}

// record keeps the bytes of a member's session. A request to stop is left unfinished there, and whole in the
// recording: the attacked node has not seen it before.
func (s *suite) record(addr string, control bool, text string) ([]byte, error) {
	conf, err := s.mine.member()
	if err != nil {
		return nil, err
	}
	raw, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	tap := &tapped{Conn: raw}
	c := tls.Client(tap, conf)
	if err := c.Handshake(); err != nil {
		return nil, fmt.Errorf("a member is refused: %w", err)
	}
	tap.hold = control
	if _, err := c.Write([]byte(text)); err != nil {
		return nil, err
	}
	if !control {
		_ = heard(c, 300*time.Millisecond)
	}
	return tap.said.bytes, nil
}

// tapped records what is written, and can keep it from being sent.
type tapped struct {
	net.Conn
	said record
	hold bool
}

func (t *tapped) Write(p []byte) (int, error) {
	_, _ = t.said.Write(p)
	if t.hold {
		return len(p), nil
	}
	return t.Conn.Write(p)
}

// shipments tries names with which a shipped file would leave the scheduler's directory.
func (s *suite) shipments(context.Context) (string, error) {
	conf, err := s.mine.member()
	if err != nil {
		return "", err
	}
	t := &http.Transport{TLSClientConfig: conf}
	defer t.CloseIdleConnections()
	names := []string{
		"../out", "archive/../../out", "files/../job.yaml", "/etc/passwd", "archive//x", "archive/./x", "job.yaml", "ledger/CURRENT", "lock", "archive/", "files",
		"archive/a%00b", "archive/a%0Ab", "archive%5C..%5Cx", "queue/x", "control.sock", "%2e%2e/x", "archive/" + strings.Repeat("x", 5000),
	}
	for _, name := range names {
		for _, path := range []string{"PUT /v1/depot/append?offset=0&name=", "GET /v1/depot/size?name=", "POST /v1/depot/finish?size=0&digest=sha256:" + strings.Repeat("0", 64) + "&name="} {
			method, path, _ := strings.Cut(path, " ")
			req, err := http.NewRequest(method, "https://"+local(s.port+2)+path+name, strings.NewReader(""))
			if err != nil {
				return "", err
			}
			resp, err := t.RoundTrip(req)
			if err != nil {
				return "", err
			}
			resp.Body.Close()
			if resp.StatusCode/100 != 4 {
				return "", fmt.Errorf("%s %q: status %d", method, name, resp.StatusCode)
			}
		}
	}
	for _, header := range []string{"Origin", "Sec-Fetch-Site"} { // a page in the browser of somebody who has a certificate
		req, err := http.NewRequest(http.MethodPost, "https://"+local(s.port+2)+"/v1/stop", nil)
		if err != nil {
			return "", err
		}
		req.Header.Set(header, "https://elsewhere.example")
		resp, err := t.RoundTrip(req)
		if err != nil {
			return "", err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			return "", fmt.Errorf("a web page may stop the job: status %d", resp.StatusCode)
		}
	}
	return fmt.Sprintf("%d names refused, each in 3 requests; 2 requests of web pages refused", len(names)), nil
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
