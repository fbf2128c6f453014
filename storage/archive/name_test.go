package archive

import (
	"strings"
	"testing"

	"trawl/internal/durable/disktest"
	"trawl/storage/storagetest"
)

func TestTwoFetchersOfOneNameWriteFilesOfTheirOwnNames(t *testing.T) {
	home := t.TempDir()
	d := openDepot(t, home)
	names := map[string]bool{}
	for _, body := range []string{"one", "two"} {
		away := t.TempDir()
		w := openWARC(t, away, WARCOptions{Prefix: "dup"})
		l := storagetest.Put(t, w, storagetest.Exchange("http://a.example/", body))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for name, content := range disktest.Tree(t, away) {
			if err := deliver(t.Context(), d, name, content); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		mustVerify(t, home, l, storagetest.Digest(body))
		if n, ok := parseWARCName(strings.TrimPrefix(l.File, "archive/")); !ok || n.prefix != "dup" || names[l.File] {
			t.Errorf("%s does not say who wrote it, or is another's name: %v", l.File, n)
		}
		names[l.File] = true
	}
}
