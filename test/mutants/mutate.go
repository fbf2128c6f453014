package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// mutant is one small change of one file that a test should notice.
type mutant struct {
	File string // relative to the module
	Func string // the function it lies in
	Line int
	What string // old and new text, for people

	start, end int // bytes of the file that are replaced
	text       string
	number     int  // in the binary that has all of them; 0 = it is built by itself
	invalid    bool // does not compile
}

// name is what the list of survivors knows it by: no line number, which moves with every edit above it.
func (m *mutant) name() string { return m.File + " " + m.Func + ": " + m.What }

// swaps are operators and what a mistaken hand writes for them.
var swaps = map[token.Token][]token.Token{
	token.EQL: {token.NEQ}, token.NEQ: {token.EQL},
	token.LSS: {token.LEQ, token.GEQ}, token.LEQ: {token.LSS, token.GTR},
	token.GTR: {token.GEQ, token.LEQ}, token.GEQ: {token.GTR, token.LSS},
	token.LAND: {token.LOR}, token.LOR: {token.LAND},
	token.ADD: {token.SUB}, token.SUB: {token.ADD}, token.MUL: {token.QUO}, token.QUO: {token.MUL},
}

// mutantsOf lists every mutant of a file.
func mutantsOf(root, file string) ([]mutant, error) {
	src, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, src, 0)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	f := finder{fset: fset, file: file, src: src}
	for _, d := range tree.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			f.fn = fn.Name.Name
			ast.Inspect(fn.Body, f.node)
		}
	}
	return f.found, nil
}

type finder struct {
	fset  *token.FileSet
	file  string
	src   []byte
	fn    string
	found []mutant
}

func (f *finder) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		for _, op := range swaps[n.Op] {
			f.replace(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), op.String(), f.text(n))
		}
	case *ast.IfStmt:
		f.replace(n.Cond.Pos(), n.Cond.End(), "!("+f.text(n.Cond)+")", "if "+f.text(n.Cond))
	case *ast.Ident:
		if n.Name == "true" || n.Name == "false" {
			f.replace(n.Pos(), n.End(), strconv.FormatBool(n.Name == "false"), n.Name)
		}
	case *ast.BasicLit:
		if n.Kind == token.INT {
			f.replace(n.Pos(), n.End(), "("+n.Value+"+1)", n.Value)
		}
	case *ast.ExprStmt, *ast.IncDecStmt:
		f.drop(n)
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			f.drop(n)
		}
	}
	return true
}

// drop removes a statement.
func (f *finder) drop(n ast.Node) { f.replace(n.Pos(), n.End(), "", f.text(n)) }

func (f *finder) replace(from, to token.Pos, text, shown string) {
	start, end := f.fset.Position(from), f.fset.Position(to)
	m := mutant{File: f.file, Func: f.fn, Line: start.Line, start: start.Offset, end: end.Offset, text: text}
	if text == "" {
		m.What = "without " + short(shown)
	} else {
		m.What = short(shown) + " with " + short(text)
	}
	f.found = append(f.found, m)
}

func (f *finder) text(n ast.Node) string {
	return string(f.src[f.fset.Position(n.Pos()).Offset:f.fset.Position(n.End()).Offset])
}

// apply is the file with the mutant in it.
func (m *mutant) apply(src []byte) []byte {
	return bytes.Join([][]byte{src[:m.start], []byte(m.text), src[m.end:]}, nil)
}

// maxShown is how many bytes of code a line for people shows.
const maxShown = 80

func short(code string) string {
	code = strings.Join(strings.Fields(code), " ")
	if len(code) > maxShown {
		code = code[:maxShown] + "…"
	}
	return code
}
