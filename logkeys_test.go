package trawl

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// An error has one key in all logs, so that one search finds them all.
func TestTheLogHasOneKeyForErrors(t *testing.T) {
	other := regexp.MustCompile(`"(err|reason|cause)", (err|.*\berr\b)|slog\.\w+\("err"`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for i, line := range strings.Split(string(text), "\n") {
			if other.MatchString(line) {
				t.Errorf("%s:%d: the key of an error is \"error\": %s", path, i+1, strings.TrimSpace(line))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
