//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestHowAProcessMayEnd(t *testing.T) {
	p, err := newPlace("here", (&cluster{}).address(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.leave()
	for name, c := range map[string]struct {
		script string
		kill   bool
		want   string // part of what is wrong, "" for nothing
	}{
		"with the right status and a reason":   {"echo done >&2", false, ""},
		"with another status":                  {"echo 'trawl: no room' >&2; exit 1", false, "exit status 1: trawl: no room"},
		"without a reason":                     {`echo '{"level":"INFO"}'`, false, "without a line"},
		"killed by the bench":                  {"echo begun; sleep 60", true, ""},
		"killed by somebody else":              {"kill -9 $$", false, "signal: killed"},
		"with a panic":                         {"echo 'panic: oh' >&2; exit 2", false, "it crashed: panic: oh"},
		"with a panic before it was killed":    {"echo 'panic: oh' >&2; sleep 60", true, "it crashed"},
		"with a log of pages that panic in it": {`echo '{"text":"panic: no"}'; echo done`, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			one, err := start(p, filepath.Join(t.TempDir(), "log"), []int{0}, "sh", "-c", c.script)
			if err != nil {
				t.Fatal(err)
			}
			if c.kill {
				for text := []byte(nil); len(text) == 0; text, _ = os.ReadFile(one.log) {
					pause(t.Context(), time.Millisecond)
				}
				one.kill()
			}
			<-one.ended
			got := ""
			if err := one.end(); err != nil {
				got = err.Error()
			}
			if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// chunk is a record of a log, as one chunk with a head of 11 bytes.
func chunk(data string) []byte {
	return append([]byte{1, 2, 3, 4, byte(len(data)), byte(len(data) >> 8), 5, 9, 9, 9, 9}, data...)
}

func TestTheEndOfALogIsFound(t *testing.T) {
	first, second := chunk("first"), chunk(strings.Repeat("x", 32<<10-11-16-3)) // leaves 3 bytes of the block
	text := append(append([]byte(nil), first...), second...)
	if end, last := logEnd(append(text, make([]byte, 100<<10)...)); end != len(text) || !bytes.Equal(last, second) {
		t.Errorf("end %d of %d", end, len(text))
	}
	text = append(append(text, 0, 0, 0), chunk("in the next block")...)
	if end, last := logEnd(text); end != len(text) || !bytes.Equal(last, chunk("in the next block")) {
		t.Errorf("end %d of %d", end, len(text))
	}
	if end, _ := logEnd(text[:len(text)-3]); end != len(first)+len(second) {
		t.Errorf("end %d with half a record after %d", end, len(first)+len(second))
	}
	if end, last := logEnd(make([]byte, 4096)); end != 0 || last != nil {
		t.Errorf("an empty log ends at %d with %q", end, last)
	}
}

func TestTornFilesLoseTheirTailOnly(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "000001.log")
	text := append(append(chunk("first"), chunk("the second, which is whole")...), make([]byte, 1000)...)
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	end, _ := logEnd(text)
	if err := tearLedger(dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got[:end], text[:end]) || bytes.Equal(got, text) || len(got) != len(text) {
		t.Errorf("%v: what was synced changed, or nothing did", err)
	}

	block := filepath.Join(dir, "1.blk")
	sizes, now := newSizes(), time.Now()
	sizes.was[block] = []sizeAt{{now.Add(-3 * time.Second), 10}, {now.Add(-time.Second), 20}}
	if err := os.WriteFile(block, make([]byte, 30), 0o600); err != nil {
		t.Fatal(err)
	}
	if cut, err := tearQueue(dir, sizes, now); err != nil || cut != 20 {
		t.Errorf("%d bytes cut, %v", cut, err)
	}
	if info, err := os.Stat(block); err != nil || info.Size() != 10 {
		t.Errorf("%v %v", info, err)
	}
}
