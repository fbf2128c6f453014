package trawl_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A program that uses the library has no flags: texts below cmd name settings in `quotes`, and the command line alone
// turns them into flags.
func TestTheCoreNamesSettingsAndNoFlags(t *testing.T) {
	flag := regexp.MustCompile(`(^|[^a-z0-9-])--[a-z]`)
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && (d.Name() == "cmd" || file == "bench" || file == "test"):
			return filepath.SkipDir // programs
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil || ast.IsGenerated(parsed) {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if text, is := n.(*ast.BasicLit); is && flag.MatchString(text.Value) {
				t.Errorf("%s: %s spells a flag: write the setting's `name`", set.Position(n.Pos()), text.Value)
			}
			return true
		})
		for _, group := range parsed.Comments {
			if flag.MatchString(group.Text()) {
				t.Errorf("%s: a comment spells a flag: write the setting's name", set.Position(group.Pos()))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
