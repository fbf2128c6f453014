package trawl_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dependenciesPage says of each module which of our packages import it, and what for.
const dependenciesPage = "docs/decisions/dependencies.md"

func TestThePageOfDependenciesNamesWhoImportsWhat(t *testing.T) {
	text, err := os.ReadFile(dependenciesPage)
	if err != nil {
		t.Fatal(err)
	}
	written := make(map[string][]string)
	quoted := regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[1], "`") {
			continue
		}
		var where []string
		if strings.Contains(cells[2], "root") {
			where = append(where, "root")
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[2], -1) {
			where = append(where, m[1])
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			written[m[1]] = slices.Sorted(slices.Values(where))
		}
	}
	found := importers(t, slices.Collect(maps.Keys(written)))
	for module, where := range written {
		if got := slices.Sorted(maps.Keys(found[module])); !slices.Equal(got, where) {
			t.Errorf("%s: %s is imported by %v, and the page says %v", dependenciesPage, module, got, where)
		}
		delete(found, module)
	}
	for module := range found {
		t.Errorf("%s: %s is imported and not on the page: say what it saves", dependenciesPage, module)
	}
}

// importers finds which of our packages import which module, without tests and what is only for tests.
func importers(t *testing.T, modules []string) map[string]map[string]bool {
	t.Helper()
	found := make(map[string]map[string]bool)
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		where := filepath.ToSlash(filepath.Dir(file))
		if strings.HasPrefix(where, "internal/webfarm") {
			return nil
		}
		switch house, _, _ := strings.Cut(where, "/"); house {
		case "bench", "test":
			return nil
		case ".":
			where = "root"
		}
		if strings.HasSuffix(where, "test") {
			return nil // a package that only tests import
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
				continue // ours, or the standard library's
			}
			module := path
			if i := slices.IndexFunc(modules, func(m string) bool { return path == m || strings.HasPrefix(path, m+"/") }); i >= 0 {
				module = modules[i]
			}
			if found[module] == nil {
				found[module] = make(map[string]bool)
			}
			found[module][where] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
