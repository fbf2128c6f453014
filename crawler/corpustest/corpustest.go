// Package corpustest gives tests the cases of other projects' test suites.
package corpustest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Read decodes a file of the corpus into v. Without TRAWL_CORPUS, which names the folder, the test is skipped.
func Read(t testing.TB, name string, v any) {
	t.Helper()
	dir := os.Getenv("TRAWL_CORPUS")
	if dir == "" {
		t.Skip("TRAWL_CORPUS is not set: it names the folder of cases from other projects' test suites")
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}
