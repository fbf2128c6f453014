package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A test binary takes longer to build than most mutants take to be noticed, so all that can be are built into one: where a mutant
// replaces text of a statement or of a condition, the file gets both, and a number says which counts. Mutants of other places,
// such as declarations, whose names must reach further than a branch, are built one at a time.

// place is a statement or a condition that can have branches.
type place struct {
	start, end int
	stmt       bool
	mutants    []*mutant
	inner      []*place
}

// together is the file with all its mutants that can be distinguished by number, which they get from next on. The others keep 0.
func together(root, file string, found []*mutant, next *int) ([]byte, error) {
	src, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, src, 0)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	p := placer{fset: fset}
	whole := &place{end: len(src)}
	for _, d := range tree.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			p.within(whole, fn.Body)
		}
	}
	for _, m := range found {
		if at := whole.of(m); at != whole {
			at.mutants = append(at.mutants, m)
		}
	}
	whole.count(next)
	var out bytes.Buffer
	whole.inside(&out, src)
	return out.Bytes(), nil
}

type placer struct{ fset *token.FileSet }

// within finds the places in n, the outermost of each function.
func (p *placer) within(at *place, n ast.Node) {
	conditions, statements := make(map[ast.Node]bool), make(map[ast.Node]bool)
	list := func(body []ast.Stmt) {
		for _, s := range body {
			switch s := s.(type) {
			case *ast.ExprStmt, *ast.IncDecStmt, *ast.ReturnStmt, *ast.GoStmt, *ast.DeferStmt, *ast.SendStmt:
				statements[s] = true
			case *ast.AssignStmt:
				statements[s] = s.Tok != token.DEFINE
			}
		}
	}
	ast.Inspect(n, func(c ast.Node) bool {
		switch c := c.(type) {
		case *ast.BlockStmt:
			list(c.List)
		case *ast.CommClause:
			list(c.Body)
		case *ast.CaseClause:
			list(c.Body)
		case *ast.IfStmt:
			conditions[c.Cond] = true
		case *ast.ForStmt:
			conditions[c.Cond] = c.Cond != nil
		case *ast.SwitchStmt:
			if c.Tag == nil {
				for _, one := range c.Body.List {
					for _, e := range one.(*ast.CaseClause).List {
						conditions[e] = true
					}
				}
			}
		case *ast.BinaryExpr:
			_, logic := swaps[c.Op]
			conditions[c] = conditions[c] || logic && !slices.Contains([]token.Token{token.ADD, token.SUB, token.MUL, token.QUO}, c.Op)
		}
		if c == nil || !statements[c] && !conditions[c] {
			return true
		}
		inner := &place{start: p.fset.Position(c.Pos()).Offset, end: p.fset.Position(c.End()).Offset, stmt: statements[c]}
		at.inner = append(at.inner, inner)
		p.functions(inner, c)
		return false
	})
}

// functions finds the places in the function literals of n.
func (p *placer) functions(at *place, n ast.Node) {
	ast.Inspect(n, func(c ast.Node) bool {
		if f, ok := c.(*ast.FuncLit); ok {
			p.within(at, f.Body)
			return false
		}
		return true
	})
}

// of is the innermost place that the mutant lies in.
func (p *place) of(m *mutant) *place {
	for _, inner := range p.inner {
		if inner.start <= m.start && m.end <= inner.end {
			return inner.of(m)
		}
	}
	return p
}

// count gives the mutants their numbers, those of one place in a row.
func (p *place) count(next *int) {
	for _, m := range p.mutants {
		*next++
		m.number = *next
	}
	for _, inner := range p.inner {
		inner.count(next)
	}
}

// inside writes the source of the place with what is in it.
func (p *place) inside(out *bytes.Buffer, src []byte) {
	at := p.start
	slices.SortFunc(p.inner, func(a, b *place) int { return cmp.Compare(a.start, b.start) })
	for _, inner := range p.inner {
		out.Write(src[at:inner.start])
		inner.branches(out, src)
		at = inner.end
	}
	out.Write(src[at:p.end])
}

// branches writes the place as a choice between its mutants and its own text. Each stands on lines of its own, after a mark by which
// an error of the compiler is told to be its.
func (p *place) branches(out *bytes.Buffer, src []byte) {
	if len(p.mutants) == 0 {
		p.inside(out, src)
		return
	}
	first, last := p.mutants[0].number, p.mutants[len(p.mutants)-1].number
	if p.stmt {
		fmt.Fprintf(out, "mutantReached(%d, %d)\n", first, last)
	} else {
		fmt.Fprintf(out, "(mutantReached(%d, %d) && (", first, last)
	}
	for _, m := range p.mutants {
		changed := string(src[p.start:m.start]) + m.text + string(src[m.end:p.end])
		if p.stmt {
			fmt.Fprintf(out, "if mutantNumber == %d {\n%s\n%s\n} else ", m.number, mark(m.number), changed)
		} else {
			fmt.Fprintf(out, "mutantNumber == %d && (\n%s\n%s) || ", m.number, mark(m.number), changed)
		}
	}
	if p.stmt {
		fmt.Fprintf(out, "{\n%s\n", mark(0))
		p.inside(out, src)
		out.WriteString("\n}\n")
		return
	}
	fmt.Fprintf(out, "(mutantNumber < %d || mutantNumber > %d) && (\n%s\n", first, last, mark(0))
	p.inside(out, src)
	out.WriteString(")))")
}

func mark(number int) string { return fmt.Sprintf("/*mutant %d*/", number) }

// blamed is the number of the mutant that a line of the changed file belongs to, 0 for none.
func blamed(changed []byte, line int) (number int) {
	lines := strings.Split(string(changed), "\n")
	for i := min(line, len(lines)) - 1; i >= 0; i-- {
		if _, err := fmt.Sscanf(lines[i], "/*mutant %d*/", &number); err == nil {
			return number
		}
	}
	return 0
}

// chooser is the file that each package gets. With a file named for it, it notes which places a test reaches.
const chooser = `package %s

import (
	"os"
	"strconv"
	"sync"
)

var (
	mutantNumber, _ = strconv.Atoi(os.Getenv("MUTANT"))
	mutantNotes     = os.Getenv("MUTANT_NOTES")
	mutantMutex     sync.Mutex
	mutantNoted     = make(map[int]bool)
)

func mutantReached(first, last int) bool {
	if mutantNotes == "" {
		return true
	}
	mutantMutex.Lock()
	defer mutantMutex.Unlock()
	if mutantNoted[first] {
		return true
	}
	mutantNoted[first] = true
	f, err := os.OpenFile(mutantNotes, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	for i := first; i <= last; i++ {
		f.WriteString(strconv.Itoa(i) + "\n")
	}
	return true
}
`
