package schema

import (
	"cmp"
	"slices"
	"time"
)

// Form is what the values of a column are.
type Form uint8

// Forms of columns.
const (
	FormText   Form = iota
	FormList        // texts with tabs between
	FormNumber      // of 64 bits
	FormFlag        // true or false
	FormTime        // in UTC, to the millisecond
)

// Marks say more of a column.
type Marks uint8

// Marks of columns.
const (
	Always  Marks = 1 << iota // never absent
	Chosen                    // by a server or a user: a spreadsheet may take it for a formula
	Repeats                   // the same values come again and again
	Small                     // numbers of 32 bits
)

// Column is how people see a field.
type Column[T any] struct {
	Place int // in the order of columns, from 1
	Name  string
	Form  Form
	Marks Marks
	Cell  func(*T) Cell
}

// Has reports whether the column has a mark.
func (c *Column[T]) Has(m Marks) bool { return c.Marks&m != 0 }

// Cell is the value of a column in one record.
type Cell struct {
	Text   string
	Number int64
	Time   time.Time
	Flag   bool
	There  bool // it is not zero; what is zero is absent unless the column is always there
}

func textCell(s string) Cell    { return Cell{Text: s, There: s != ""} }
func numberCell(n int64) Cell   { return Cell{Number: n, There: n != 0} }
func timeCell(t time.Time) Cell { return Cell{Time: t, There: !t.IsZero()} }

// Column shows the field as a column of its name.
func (f Field[T]) Column(place int, marks Marks) Field[T] {
	return f.ColumnAs(place, f.Name, f.form, marks, f.cell)
}

// ColumnAs shows the field in another way.
func (f Field[T]) ColumnAs(place int, name string, form Form, marks Marks, cell func(*T) Cell) Field[T] {
	f.columns = append(f.columns[:len(f.columns):len(f.columns)], Column[T]{place, name, form, marks, cell})
	return f
}

// TextAs is [Field.ColumnAs] for a text.
func (f Field[T]) TextAs(place int, name string, marks Marks, text func(*T) string) Field[T] {
	return f.ColumnAs(place, name, FormText, marks, func(v *T) Cell { return textCell(text(v)) })
}

// Shown is a column of what is not part of the record's bytes.
func Shown[T any](place int, name string, form Form, marks Marks, cell func(*T) Cell) Field[T] {
	return Field[T]{Line: Line{Name: name}}.ColumnAs(place, name, form, marks, cell)
}

// Columns are the columns of a record and of the records in it, in their order.
func (t *Table[T]) Columns() []Column[T] {
	var all []Column[T]
	for _, f := range t.fields {
		all = append(all, f.columns...)
	}
	slices.SortFunc(all, func(a, b Column[T]) int { return cmp.Compare(a.Place, b.Place) })
	return all
}
