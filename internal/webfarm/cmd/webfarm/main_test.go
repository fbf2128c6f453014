package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trawl/internal/webfarm"
)

func TestItServesUntilTheEndAndWritesItsAudit(t *testing.T) {
	dir := t.TempDir()
	audit, urls := filepath.Join(dir, "audit.json"), filepath.Join(dir, "urls")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan int, 1)
	var errs bytes.Buffer
	go func() {
		ended <- run(ctx, []string{"-hosts", "2", "-pages", "5", "-listen", "127.0.0.1:0", "-audit", audit, "-urls", urls}, in, &errs)
		in.Close()
	}()
	lines := bufio.NewReader(out)
	var seeds []string
	for range 2 {
		s, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, strings.TrimSpace(s))
	}
	tr := &http.Transport{DisableKeepAlives: true}
	r, err := (&http.Client{Transport: tr}).Get(seeds[1])
	if err != nil || r.StatusCode != 200 {
		t.Fatalf("%v %v", r, err)
	}
	io.Copy(io.Discard, r.Body)
	r.Body.Close()
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("status %d: %s", code, errs.String())
	}
	text, err := os.ReadFile(audit)
	var a webfarm.Audit
	if err != nil || json.Unmarshal(text, &a) != nil || a.Total.Pages != 1 || a.Hosts[1].Unique != 1 {
		t.Errorf("%s %v", text, err)
	}
	if text, err := os.ReadFile(urls); err != nil || bytes.Count(text, []byte{'\n'}) != 10 {
		t.Errorf("%s %v", text, err)
	}
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{{"-hosts"}, {"x"}, {"-listen", "0.0.0.0:80"}, {"-listen", "80"}} {
		var errs bytes.Buffer
		if code := run(t.Context(), args, io.Discard, &errs); code != 2 || errs.Len() == 0 {
			t.Errorf("%q: status %d, %q", args, code, errs.String())
		}
	}
	var errs bytes.Buffer
	if code := run(t.Context(), []string{"-reset", "0.7", "-slow", "0.7"}, io.Discard, &errs); code != 1 || !strings.Contains(errs.String(), "Faults") {
		t.Errorf("status %d, %q", code, errs.String())
	}
}

func TestItLogsRequestsAndIsSteeredOverASocket(t *testing.T) {
	dir := t.TempDir()
	requests, socket := filepath.Join(dir, "requests"), filepath.Join(dir, "c")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan int, 1)
	var errs bytes.Buffer
	go func() {
		ended <- run(ctx, []string{"-hosts", "1", "-pages", "2", "-net", "127.3.0.0/16", "-requests", requests, "-control", "unix:" + socket}, in, &errs)
		in.Close()
	}()
	seed, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(seed, "http://127.3.1.1:") {
		t.Fatalf("%q %v", seed, err)
	}
	ask := func(method, url string, tr *http.Transport) {
		t.Helper()
		q, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		tr.DisableKeepAlives = true
		r, err := (&http.Client{Transport: tr}).Do(q)
		if err != nil || r.StatusCode != 200 {
			t.Fatalf("%s: %v %v", url, r, err)
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	ask("GET", strings.TrimSpace(seed)+"robots.txt", &http.Transport{})
	ask("GET", strings.TrimSpace(seed), &http.Transport{})
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	for text := []byte(nil); !strings.Contains(string(text), " robots 200 wf 0 /robots.txt\n"); { // a line comes after its answer
		ask("POST", "http://localhost/__flush", &http.Transport{DialContext: dial})
		if text, err = os.ReadFile(requests); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("status %d: %s", code, errs.String())
	}
	if text, err := os.ReadFile(requests); err != nil || strings.Count(string(text), "\n") != 2 {
		t.Errorf("at the end: %q %v", text, err)
	}
}
