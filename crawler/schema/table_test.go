package schema

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

type inner struct {
	word string
	at   time.Time
}

type outer struct {
	name   string
	count  int
	inner  inner
	list   []inner
	hidden string
}

var errSecret = errors.New("is secret")

var inners = Of("Inner",
	Foreign(1, "word", func(v *inner) *string { return &v.word }).Require().Column(2, Repeats),
	Clock(2, "at", func(v *inner) *time.Time { return &v.at }),
)

var outers = Of("Outer",
	Foreign(1, "name", func(v *outer) *string { return &v.name }).AtMost(20_000).Column(1, Always),
	Count(2, "count", func(v *outer) *int { return &v.count }).AtMost(7).Check(func(v *outer) error {
		if v.count == 5 {
			return errSecret
		}
		return nil
	}),
	Message(3, "inner", inners, func(v *outer) *inner { return &v.inner }),
	List(4, "list", 2, inners, func(v *outer) *[]inner { return &v.list }),
	Shown(3, "hidden", FormText, 0, func(v *outer) Cell { return textCell(v.hidden) }),
)

func TestLengthsOfRecordsInRecordsAreRight(t *testing.T) {
	for _, n := range []int{1, 0x7c, 0x7d, 0x7e, 0x7f, 0x80, 0x3ffa, 0x3ffb, 0x3ffc, 0x3ffd, 0x3ffe, 1 << 20} {
		want := outer{inner: inner{word: strings.Repeat("x", n)}, list: []inner{{word: "a"}, {word: strings.Repeat("y", n)}}}
		b := outers.Append([]byte("before"), &want)
		var got outer
		if err := outers.Read(b[len("before"):], &got); err != nil || got.inner != want.inner || len(got.list) != 2 || got.list[1] != want.list[1] {
			t.Errorf("a text of %d bytes: %v", n, err)
		}
	}
}

func TestARecordWithoutAnythingIsAbsent(t *testing.T) {
	if b := outers.Append(nil, &outer{hidden: "not written"}); len(b) != 0 {
		t.Errorf("%x", b)
	}
	if b := outers.Append(nil, &outer{list: make([]inner, 1)}); len(b) != 2 {
		t.Errorf("an element without anything is %x", b)
	}
}

func TestWhatIsBelowZeroIsWrittenAsZero(t *testing.T) {
	if b := outers.Append(nil, &outer{count: -3}); len(b) != 0 {
		t.Errorf("%x", b)
	}
}

func TestErrorsNameTheField(t *testing.T) {
	text := func(n protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), s)
	}
	element := text(4, string(text(1, "a")))
	for want, b := range map[string][]byte{
		"name: is out of range":                text(1, strings.Repeat("x", 20_001)),
		"name: is of another type":             appendNumber(nil, 1, 1),
		"count: is out of range":               appendNumber(nil, 2, 8),
		"count: is secret":                     appendNumber(nil, 2, 5),
		"inner: word: is missing":              text(3, ""),
		"inner: at: is out of range":           text(3, string(appendFixed(nil, 2, 1<<63))),
		"list: has too many elements":          bytes.Repeat(element, 3),
		"list: word: is missing":               append(element, text(4, "")...),
		"inner: ends in the middle of a field": text(3, "\x0a\x05x"),
		"ends in the middle of a field":        text(1, "abc")[:4],
	} {
		for name, read := range map[string]func([]byte, *outer) error{"Read": outers.Read, "ReadStored": outers.ReadStored} {
			var v outer
			if err := read(b, &v); err == nil || err.Error() != want {
				t.Errorf("%s: %v, not %s", name, err, want)
			}
		}
	}
}

func TestTextsHaveMemoryOfTheirOwn(t *testing.T) {
	want := outer{name: "a name", inner: inner{word: "a word"}}
	for name, read := range map[string]func([]byte, *outer) error{"Read": outers.Read, "ReadStored": outers.ReadStored} {
		b := outers.Append(nil, &want)
		var got outer
		if err := read(b, &got); err != nil {
			t.Fatal(err)
		}
		clear(b)
		if got.name != want.name || got.inner != want.inner {
			t.Errorf("%s: changed with the bytes it was read from: %+v", name, got)
		}
	}
}

func TestColumnsOfRecordsInRecordsAreThere(t *testing.T) {
	v := outer{name: "n", inner: inner{word: "w"}, hidden: "h"}
	var got []string
	for _, c := range outers.Columns() {
		got = append(got, c.Name+"="+c.Cell(&v).Text)
	}
	if text := strings.Join(got, " "); text != "name=n word=w hidden=h" {
		t.Error(text)
	}
}

func TestANumberThatIsThereTwicePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it did not")
		}
	}()
	f := Foreign(1, "name", func(v *outer) *string { return &v.name })
	Of("Twice", f, f)
}
