package setting

import (
	"reflect"
	"testing"
)

// crate is a struct with settings.
type crate struct {
	Depth int
	Marks []string
}

var (
	depth = Of("depth", func(c *crate) *int { return &c.Depth }, AtLeast(Int, 0, "use 0 or more"), 3, 5, "how deep", LiveAs("how deep now"), Identity)
	marks = OfList("marks", func(c *crate) *[]string { return &c.Marks }, Lists[string]{Form: Words[string]("a", "b")}, "what stands on it", Alone("a"))
)

func TestASettingHasItsDefaultItsCheckAndItsTraits(t *testing.T) {
	c := crate{Depth: -1, Marks: []string{"a", "x", "y"}}
	if got := depth.Check(&c); len(got) != 1 || got[0].Error() != "`depth` -1: use 0 or more" {
		t.Errorf("%v", got)
	}
	if got := marks.Check(&c); len(got) != 2 || got[0].Setting != "marks" || got[1].Problem != `"y": use a or b` {
		t.Errorf("not each wrong mark is reported: %v", got)
	}
	depth.Reset(&c, false)
	marks.Reset(&c, false)
	if !reflect.DeepEqual(c, crate{Depth: 3}) {
		t.Errorf("for a crawl %+v", c)
	}
	if depth.Reset(&c, true); c.Depth != 5 {
		t.Errorf("for a download %+v", c)
	}
	if !depth.Live || depth.LiveHelp != "how deep now" || !depth.Identity || marks.Live || marks.Identity || marks.Alone != "a" {
		t.Errorf("%+v, %+v", depth.Description, marks.Description)
	}
	if bare := Bare("x", func(c *crate) *int { return &c.Depth }, 1, 1, ""); bare.Value(&c) != nil || bare.Check(&c) != nil {
		t.Error("a setting without a text has one")
	}
}

func TestSettingsAreComparedAndCopiedOneByOne(t *testing.T) {
	a, b := crate{Depth: 1, Marks: []string{}}, crate{Depth: 2}
	if depth.Equal(&a, &b) || !marks.Equal(&a, &b) {
		t.Error("1 is 2, or an empty list is another one than none")
	}
	b.Marks = []string{"a"}
	if depth.Copy(&a, &b); a.Depth != 2 || len(a.Marks) != 0 || marks.Equal(&a, &b) {
		t.Errorf("%+v", a)
	}
}
