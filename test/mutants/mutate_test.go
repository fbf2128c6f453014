package main

import (
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const sample = `package p

func f(a, b int) bool {
	n := a + b
	if n > 3 {
		n = 0
		g(n)
	}
	return n == 0 && true
}

func g(int) {}
`

func TestMutantsAreSmallMistakesOfTheWholeFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.go"), []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := mutantsOf(dir, "p.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range found {
		if m.Func != "f" || m.File != "p.go" {
			t.Errorf("%s lies in %s of %s", m.What, m.Func, m.File)
		}
		changed := m.apply([]byte(sample))
		if string(changed) == sample {
			t.Errorf("%s changes nothing", m.What)
		}
		if _, err := format.Source(changed); err != nil {
			t.Errorf("%s is no Go: %v", m.What, err)
		}
		names = append(names, m.What)
	}
	for _, want := range []string{"a + b with -", "n > 3 with >=", "n > 3 with <=", "if n > 3 with !(n > 3)", "without n = 0", "without g(n)", "true with false", "n == 0 && true with ||", "n == 0 with !="} {
		if !slices.Contains(names, want) {
			t.Errorf("%q is not among %v", want, names)
		}
	}
}

func TestKnownSurvivorsNeedAReason(t *testing.T) {
	file := filepath.Join(t.TempDir(), "survivors.txt")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# a comment\n\np.go f: n > 3 with >=\n  n is never 3\n")
	known, err := readKnown(file)
	if err != nil || known["p.go f: n > 3 with >="] != "n is never 3" {
		t.Errorf("read %v, %v", known, err)
	}
	write("  a reason\n")
	if _, err := readKnown(file); err == nil || !strings.Contains(err.Error(), ":1:") {
		t.Errorf("a reason without a mutant: %v", err)
	}
}

func TestMutantsOfOneFileAreToldApartByNumber(t *testing.T) {
	const source = `package p

func f(a, b int) (n int) {
	twice := a + 1
	if a < b && g(func() bool { n = 1; return a == 2 }) {
		n++ // counted
	}
	switch {
	case n > 3:
		return n * 2
	}
	return twice
}

func g(f func() bool) bool { return f() }
`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := mutantsOf(dir, "p.go")
	if err != nil {
		t.Fatal(err)
	}
	var list []*mutant
	for i := range found {
		list = append(list, &found[i])
	}
	next := 10
	all, err := together(dir, "p.go", list, &next)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := format.Source(all); err != nil {
		t.Fatalf("no Go: %v\n%s", err, all)
	}
	lines, numbers := strings.Split(string(all), "\n"), map[int]bool{}
	for _, m := range list {
		if alone := m.Line == 4; alone != (m.number == 0) {
			t.Errorf("%s of line %d has number %d", m.What, m.Line, m.number)
			continue
		} else if alone {
			continue
		}
		numbers[m.number] = true
		at := slices.Index(lines, mark(m.number))
		if at < 0 || blamed(all, at+2) != m.number || blamed(all, at) == m.number {
			t.Errorf("an error in %s, below line %d, is not told to be its", m.What, at)
		}
	}
	if len(numbers) != next-10 || numbers[10] || !numbers[next] {
		t.Errorf("numbers %v, up to %d", numbers, next)
	}
}
