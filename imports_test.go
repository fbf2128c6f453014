package trawl_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// star says which of our packages each one may import, and why.
var star = map[string]struct {
	may []string
	why string
}{
	"crawler":   {[]string{"crawler"}, "it is what all others share: words and rules, without I/O"},
	"scheduler": {[]string{"crawler"}, "it decides, and declares what it needs of queue and ledger in ports.go"},
	"fetcher":   {[]string{"crawler"}, "it does, and declares what it needs of queue and archive in ports.go"},
	"cluster":   {[]string{"crawler", "cluster"}, "it connects, and knows nothing of what is decided or kept"},
	"storage":   {[]string{"crawler", "storage"}, "it keeps, and knows nothing of who decides"},
	"internal":  {[]string{"internal"}, "the synthetic web judges the others, so it shares nothing with them"},
	"bench":     {[]string{"internal"}, "it runs the program from outside"},
}

// engines are libraries that only one of our packages may know.
var engines = map[string]string{
	"github.com/cockroachdb/pebble":   "storage",
	"github.com/parquet-go":           "storage",
	"github.com/nats-io":              "cluster",
	"github.com/hashicorp/memberlist": "cluster",
	"github.com/gocolly/colly":        "fetcher",
	"github.com/spf13/cobra":          "cmd",
}

func TestImportsFormAStar(t *testing.T) {
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		house, _, _ := strings.Cut(filepath.ToSlash(filepath.Dir(file)), "/")
		for _, i := range f.Imports {
			checkImport(t, file, house, strings.Trim(i.Path.Value, `"`))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkImport(t *testing.T, file, house, imported string) {
	if rest, ours := strings.CutPrefix(imported, "trawl/"); ours || imported == "trawl" {
		rule, bound := star[house]
		target, _, _ := strings.Cut(rest, "/")
		if bound && !contains(rule.may, target) {
			t.Errorf("%s imports %s: package %s must not, since %s", file, imported, house, rule.why)
		}
	}
	for library, owner := range engines {
		if strings.HasPrefix(imported, library) && house != owner {
			t.Errorf("%s imports %s: only %s knows that library, so that it can be replaced in one place", file, imported, owner)
		}
	}
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}
