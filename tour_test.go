package trawl

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"
)

// mostTourLines is how many lines a reader of the tour has to read.
const mostTourLines = 900

// The tour of ARCHITECTURE.md names files and functions in them that are there, in six stops, and stays short.
func TestTheTourIsShort(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tour, _ := strings.Cut(string(text), "## The tour in five minutes")
	tour, _, _ = strings.Cut(tour, "\n## ")
	reading := regexp.MustCompile("`([a-z_/]+\\.go)`(?: \\(((?:`\\w+`(?:, )?)+)\\))?")
	lines, stops := 0, 0
	tour, _, _ = strings.Cut(tour, "\n\n[")
	for _, item := range regexp.MustCompile(`(?m)^\d\. `).Split(tour, -1)[1:] {
		item = strings.Join(strings.Fields(item), " ")
		stops++
		found := reading.FindAllStringSubmatch(item, -1)
		if len(found) == 0 {
			t.Errorf("a stop without a file: %s", item)
		}
		for _, m := range found {
			lines += linesOf(t, m[1], strings.FieldsFunc(m[2], func(r rune) bool { return strings.ContainsRune("`, ", r) }))
		}
	}
	t.Logf("%d lines in %d stops", lines, stops)
	if stops != 6 || lines > mostTourLines || lines < 300 {
		t.Errorf("the tour has %d stops and %d lines; it is to have 6, and %d at most", stops, lines, mostTourLines)
	}
}

// linesOf counts the lines of functions of a file, with their comments; without any, of the file.
func linesOf(t *testing.T, file string, functions []string) (lines int) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, nil, parser.ParseComments)
	if err != nil {
		t.Errorf("the tour: %v", err)
		return 0
	}
	if len(functions) == 0 {
		return set.Position(f.FileEnd).Line
	}
	for _, name := range functions {
		found := false
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == name {
				from := fn.Pos()
				if fn.Doc != nil {
					from = fn.Doc.Pos()
				}
				lines += set.Position(fn.End()).Line - set.Position(from).Line + 1
				found = true
			}
		}
		if !found {
			t.Errorf("the tour names %s in %s, which is not there", name, file)
		}
	}
	return lines
}

// Documents for engineers name files of this tree that are there.
func TestDocumentsNameFilesThatAreThere(t *testing.T) {
	path := regexp.MustCompile("`([a-z]+(?:/[a-z_.]+)*/[a-z_]+\\.(?:go|sh|md|proto))`")
	for _, page := range []string{"ARCHITECTURE.md", "README.md", "docs/where-to-change.md", "docs/decisions/first-design.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range path.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(m[1]); err != nil {
				t.Errorf("%s names %s: %v", page, m[1], err)
			}
		}
	}
}
