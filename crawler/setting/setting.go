package setting

import (
	"reflect"
)

// Setting describes one setting of an S: all that is to be said of it is said here.
type Setting[S any] struct {
	Description
	Field func(*S) any              // points to it
	Value func(*S) Value            // nil = it has no text of its own
	Reset func(s *S, download bool) // gives it its default
	Check func(*S) []*Error         // every problem with its value
}

// Description is what is said of a setting in words, and what it counts for.
type Description struct {
	Name     string   // of the flag, of the key in configuration files, in errors; "" = nobody says it but programs
	Help     string   // a sentence for people; other settings stand in it in `quotes`
	Choices  []string // see [Form]
	Alone    string   // what the flag without a value means; "" = it needs one
	Follows  string   // a duration that this one is at least, where only that one is said; "" = none
	Live     bool     // it can be changed while a job runs,
	LiveHelp string   // and then this is the help
	LiveOnly bool     // it can be said only then
	Identity bool     // with another value it is another job
	KeyOnly  bool     // a key of files, and no flag
	Hidden   bool     // for tests: not in help, and written only where it is not as usual
	Secret   bool     // it is shown nowhere
}

// Trait is what is special about a setting.
type Trait func(*Description)

// Identity, KeyOnly, Hidden, Secret, Live and LiveOnly are traits; see [Description].
func Identity(d *Description) { d.Identity = true }
func KeyOnly(d *Description)  { d.KeyOnly = true }
func Hidden(d *Description)   { d.Hidden = true }
func Secret(d *Description)   { d.Secret = true }
func Live(d *Description)     { d.Live, d.LiveHelp = true, d.Help }
func LiveOnly(d *Description) { d.Live, d.LiveOnly, d.LiveHelp = true, true, d.Help }

// LiveAs is Live with another help for the change.
func LiveAs(help string) Trait { return func(d *Description) { d.Live, d.LiveHelp = true, help } }

// Alone says what the flag without a value means.
func Alone(text string) Trait { return func(d *Description) { d.Alone = text } }

// Follows makes a duration at least another one, where only that is said.
func Follows(name string) Trait { return func(d *Description) { d.Follows = name } }

// Of describes a setting of one value, with its defaults for crawls and for downloads.
func Of[S, T any](name string, field func(*S) *T, form Form[T], crawl, download T, help string, traits ...Trait) Setting[S] {
	if len(form.Choices) > 0 {
		help += ": " + anyOf(form.Choices)
	}
	s := Bare(name, field, crawl, download, help, traits...)
	s.Choices = form.Choices
	s.Value = func(of *S) Value { return form.Of(field(of)) }
	s.Check = func(of *S) []*Error { return form.problems(name, *field(of)) }
	return s
}

// OfList describes a setting of several values; usually it has none.
func OfList[S, T any](name string, field func(*S) *[]T, form Lists[T], help string, traits ...Trait) Setting[S] {
	s := Bare(name, field, nil, nil, help, traits...)
	s.Value = func(of *S) Value { return form.Of(field(of)) }
	s.Check = func(of *S) (problems []*Error) {
		for _, one := range *field(of) {
			problems = append(problems, form.problems(name, one)...)
		}
		return problems
	}
	return s
}

// Bare describes a setting that has no text of its own.
func Bare[S, T any](name string, field func(*S) *T, crawl, download T, help string, traits ...Trait) Setting[S] {
	s := Setting[S]{
		Description: Description{Name: name, Help: help},
		Field:       func(of *S) any { return field(of) },
		Value:       func(*S) Value { return nil },
		Check:       func(*S) []*Error { return nil },
		Reset: func(of *S, isDownload bool) {
			*field(of) = crawl
			if isDownload {
				*field(of) = download
			}
		},
	}
	for _, t := range traits {
		t(&s.Description)
	}
	return s
}

// Copy gives one S the setting of another.
func (s *Setting[S]) Copy(to, from *S) { s.of(to).Set(s.of(from)) }

// Equal reports whether two have the same. No list is the same as an empty one.
func (s *Setting[S]) Equal(a, b *S) bool {
	x, y := s.of(a), s.of(b)
	if x.Kind() == reflect.Slice && x.Len() == 0 && y.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(x.Interface(), y.Interface())
}

func (s *Setting[S]) of(a *S) reflect.Value { return reflect.ValueOf(s.Field(a)).Elem() }

func (f Form[T]) problems(name string, value T) []*Error {
	if f.Check == nil {
		return nil
	}
	if problem := f.Check(value); problem != "" {
		return []*Error{{Setting: name, Problem: problem}}
	}
	return nil
}

// Error says what is wrong with a setting. It names it in `quotes`, as every text of the core does: how it is said, as a flag
// or in a program, knows the reader.
type Error struct {
	Setting string // its name
	Problem string // with what to do
}

func (e *Error) Error() string { return "`" + e.Setting + "` " + e.Problem }
