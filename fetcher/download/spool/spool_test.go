package spool

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"trawl/crawler"
	"trawl/fetcher/fetchertest"
)

func TestSpoolHoldsBodiesOfAnySizeInPiecesOfAnySize(t *testing.T) {
	s, err := NewSpools(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, spoolSmall, spoolSmall + 1, spoolMemory, spoolMemory + 1, crawler.MiB} {
		for _, piece := range []int{1000, 32 * crawler.KiB, crawler.MiB} {
			want := fetchertest.Noise(size)
			sp := s.Open()
			for rest := want; len(rest) > 0; {
				n, err := sp.Write(rest[:min(piece, len(rest))])
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			b, err := sp.Body()
			if err != nil {
				t.Fatal(err)
			}
			got := b.Bytes
			if b.File != "" {
				got, _ = os.ReadFile(b.File)
			}
			if !bytes.Equal(got, want) || b.Size != int64(size) || (b.File != "") != (size > spoolMemory) {
				t.Errorf("size %d in pieces of %d: %d bytes, size %d, file %q", size, piece, len(got), b.Size, b.File)
			}
			sp.Discard()
			sp.Discard()
		}
	}
	left, _ := os.ReadDir(s.Dir)
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSpoolLeavesAFileThatTheArchiveTookOver(t *testing.T) {
	s, err := NewSpools(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	sp := s.Open()
	sp.Write(fetchertest.Noise(crawler.MiB))
	b, err := sp.Body()
	if err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(t.TempDir(), "taken")
	if err := os.Rename(b.File, taken); err != nil {
		t.Fatal(err)
	}
	sp.Discard()
	if _, err := os.Stat(taken); err != nil {
		t.Error(err)
	}
}

func TestSpoolsRemoveWhatAnEarlierProcessLeft(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"body-123", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := NewSpools(dir); err != nil {
		t.Fatal(err)
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 1 || left[0].Name() != "other" {
		t.Errorf("left: %v", left)
	}
}

func TestSpoolKeepsItsFirstError(t *testing.T) {
	s, err := NewSpools(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.Dir = filepath.Join(s.Dir, "gone")
	sp := s.Open()
	defer sp.Discard()
	if _, err := sp.Write(fetchertest.Noise(crawler.MiB)); err == nil {
		t.Error("a write without a place succeeded")
	}
	if _, err := sp.Write([]byte("x")); err == nil {
		t.Error("a write after an error succeeded")
	}
	if _, err := sp.Body(); err == nil {
		t.Error("a body with a hole was handed out")
	}
}
