package export

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestARowWriterWritesWhatAnExportHas(t *testing.T) {
	for f, want := range map[Format]string{JSONL: wantJSONL, CSV: wantCSV} {
		var b bytes.Buffer
		w, err := NewWriter(&b, f)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(fullRow()), w.Flush()); err != nil {
			t.Fatal(err)
		}
		first := b.String()
		if first == "" || first == want || !strings.HasPrefix(want, first) || !strings.HasSuffix(first, "\n") {
			t.Errorf("%s: after the first row was flushed there is %q", f, first)
		}
		if err := errors.Join(w.Write(bareRow()), w.Close()); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%s is\n%s\nnot\n%s", f, b.String(), want)
		}
	}
}

// lineCheck fails the test at a write that is not of whole lines.
type lineCheck struct {
	t      *testing.T
	writes int
}

func (c *lineCheck) Write(b []byte) (int, error) {
	c.writes++
	if !bytes.HasSuffix(b, []byte("\n")) {
		c.t.Errorf("a write ends with %q", b[max(0, len(b)-20):])
	}
	return len(b), nil
}

func TestARowWriterWritesWholeLinesNowAndThen(t *testing.T) {
	c := &lineCheck{t: t}
	w, err := NewWriter(c, JSONL)
	if err != nil {
		t.Fatal(err)
	}
	r, rows := fullRow(), 1000
	for range rows {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if c.writes == 0 || c.writes > rows/10 {
		t.Errorf("%d writes for %d rows", c.writes, rows)
	}
}

func TestARowWriterThatFailedStaysSo(t *testing.T) {
	broken := errors.New("broken pipe")
	w, err := NewWriter(failingWriter{broken}, CSV)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(fullRow()); err != nil {
		t.Errorf("a row that was gathered only: %v", err)
	}
	for name, call := range map[string]func() error{
		"Flush": w.Flush, "Close": w.Close, "Write": func() error { return w.Write(bareRow()) },
	} {
		if err := errors.Join(w.Flush(), call()); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyFormatsOfLinesAreStreamed(t *testing.T) {
	for _, f := range []Format{Parquet, "xlsx", ""} {
		if w, err := NewWriter(nil, f); w != nil || err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "jsonl") {
			t.Errorf("%q: %v", f, err)
		}
	}
}
