package seeds_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/internal/seeds"
)

// readAll renders what a stream of seeds gives: "URL" or "URL name=…", and "bad PLACE" with the text and
// the reason of a line that cannot be read.
func readAll(t *testing.T, args []string, stdin io.Reader) []string {
	t.Helper()
	var got []string
	for s, err := range read(args, stdin) {
		var bad *seeds.BadLine
		switch {
		case errors.As(err, &bad):
			got = append(got, fmt.Sprintf("bad %s %q: %v", bad.Place, bad.Text, bad.Err))
		case err != nil:
			got = append(got, "error "+err.Error())
		case s.Name != "":
			got = append(got, s.URL.String()+" name="+s.Name)
		default:
			got = append(got, s.URL.String())
		}
	}
	return got
}

func TestSeedsAreReadLineByLineAndBadLinesAreNamed(t *testing.T) {
	const noURL = "no URL: it must begin with http:// or https://"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"a list, with and without a line end at the end": {
			"http://example.com/a\nhttps://example.com/b",
			[]string{"http://example.com/a", "https://example.com/b"},
		},
		"URLs become canonical": {
			"HTTP://Example.COM:80/a/../b?q#part\n",
			[]string{"http://example.com/b?q"},
		},
		"comments, empty lines and white space are passed over": {
			"# http://example.com/no\n\n   \n\t\n  http://example.com/a  \n   # no\n",
			[]string{"http://example.com/a"},
		},
		"line ends of Windows and a byte order mark": {
			"\ufeffhttp://example.com/a\r\nhttp://example.com/b\r\n",
			[]string{"http://example.com/a", "http://example.com/b"},
		},
		"a byte order mark before a comment": {
			"\ufeff# list\nhttp://example.com/a\n",
			[]string{"http://example.com/a"},
		},
		"a name after a tab": {
			"http://example.com/a\tpictures/a.png\nhttp://example.com/b \t  b.png \nhttp://example.com/c\t\n",
			[]string{"http://example.com/a name=pictures/a.png", "http://example.com/b name=b.png", "http://example.com/c"},
		},
		"a name that would leave the directory is a bad line": {
			"http://example.com/a\t../a\nhttp://example.com/b\t/etc/passwd\nhttp://example.com/c\n",
			[]string{
				`bad FILE:1 "http://example.com/a\t../a": not a file name: "../a" has a ".." and may leave files/`,
				`bad FILE:2 "http://example.com/b\t/etc/passwd": not a file name: "/etc/passwd" is absolute`,
				"http://example.com/c",
			},
		},
		"bad lines are told with number and reason, the others go on": {
			"example.com\nhttp://\nhttp://example.com/ok\nftp://example.com/\nhttp://exa mple.com/\n\nhttp://example.com:99999/\n",
			[]string{
				`bad FILE:1 "example.com": ` + noURL,
				`bad FILE:2 "http://": not a URL: it has no host`,
				"http://example.com/ok",
				`bad FILE:4 "ftp://example.com/": not an http or https URL`,
				`bad FILE:5 "http://exa mple.com/": `,
				`bad FILE:7 "http://example.com:99999/": `,
			},
		},
		"a line that is too long is one bad line, cut, and does not take the next with it": {
			"http://example.com/" + strings.Repeat("x", 1<<20) + "\nhttp://example.com/next\n",
			[]string{
				fmt.Sprintf("bad FILE:1 %q: longer than 65536 bytes", "http://example.com/"+strings.Repeat("x", 101)+"…"),
				"http://example.com/next",
			},
		},
		"a line that is too long and the last, without a line end": {
			"http://example.com/a\n" + strings.Repeat("x", 70_000),
			[]string{"http://example.com/a", fmt.Sprintf("bad FILE:2 %q: longer than 65536 bytes", strings.Repeat("x", 120)+"…")},
		},
		"a line as long as a line may be": {
			"http://example.com/" + strings.Repeat("x", weburl.MaxBytes-19) + "\n",
			[]string{"http://example.com/" + strings.Repeat("x", weburl.MaxBytes-19)},
		},
		"a URL that is too long is a bad line": {
			"http://example.com/" + strings.Repeat("x", weburl.MaxBytes) + "\n",
			[]string{"bad FILE:1 "},
		},
		"what is no text at all": {
			"\x00\x01\xff\xfe\nhttp://example.com/\xff\n",
			[]string{"bad FILE:1 \"\\x00\\x01\\xff\\xfe\": it has a control character", "bad FILE:2 \"http://example.com/\\xff\": its bytes are not UTF-8"},
		},
		"UTF-16 as an editor saves it": {
			wide("\ufeffhttp://example.com/a\r\nhttp://example.com/ж\tж.png\r\n"),
			[]string{"http://example.com/a", "http://example.com/%D0%B6 name=ж.png"},
		},
		"UTF-16 the other way round": {
			"\xfe\xff\x00" + strings.Join(strings.Split("http://example.com/a\n", ""), "\x00"),
			[]string{"http://example.com/a"},
		},
		"UTF-16 without a mark": {
			wide("http://example.com/a\nhttp://example.com/b"),
			[]string{"http://example.com/a", "http://example.com/b"},
		},
		"line ends of a single carriage return, and mixed": {
			"http://example.com/a\rhttp://example.com/b\r\r\nhttp://example.com/c\n\rno\r",
			[]string{"http://example.com/a", "http://example.com/b", "http://example.com/c", `bad FILE:6 "no": ` + noURL},
		},
		"notes after URLs": {
			"http://example.com/a # a note\nhttp://example.com/b\t# is a name\nhttp://example.com/c #\nhttp://example.com/d#fragment\nhttp://example.com/e\u00a0# so\n",
			[]string{"http://example.com/a", "http://example.com/b name=# is a name", "http://example.com/c", "http://example.com/d", "http://example.com/e"},
		},
		"what would be a wrong request is told": {
			"http://example.com/a http://example.com/b\nhttp://example.com/c cats/c.jpg\nhttp://example.com/d #1.jpg\nhttp://example.com/e f\tname\nsee http://example.com/\nhttp://example.com/\x00\nhttp://example.com/g\thttp://example.com/h\n",
			[]string{
				`bad FILE:1 "http://example.com/a http://example.com/b": two URLs in one line`,
				`bad FILE:2 "http://example.com/c cats/c.jpg": white space within a URL: write %20 if it belongs there, or a tab before the file's name`,
				`bad FILE:3 "http://example.com/d #1.jpg": white space before a #`,
				`bad FILE:4 "http://example.com/e f\tname": white space within a URL`,
				`bad FILE:5 "see http://example.com/": ` + noURL,
				`bad FILE:6 "http://example.com/\x00": it has a control character`,
				`bad FILE:7 "http://example.com/g\thttp://example.com/h": two URLs in one line`,
			},
		},
		"nothing": {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "list")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			check := func(from string, got []string) {
				if !slices.EqualFunc(got, c.want, func(got, want string) bool {
					want = strings.Replace(want, "FILE", from, 1)
					return got == want || strings.HasPrefix(want, "bad ") && strings.HasPrefix(got, want)
				}) {
					t.Errorf("from %s:\n%s\nwant\n%s", from, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
				}
			}
			check(file, readAll(t, []string{file}, nil))
			check("standard input", readAll(t, []string{"-"}, iotest.OneByteReader(strings.NewReader(c.text))))
		})
	}
}

// wide writes a text in UTF-16, little-endian.
func wide(text string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

// FuzzSeeds reads anything as a list: it ends, and what comes out are URLs or lines that are told.
func FuzzSeeds(f *testing.F) {
	f.Add([]byte("http://a.test/ # note\rhttp://b.test/\tn\n"))
	f.Add([]byte(wide("\ufeffhttp://a.test/\n")))
	f.Fuzz(func(t *testing.T, list []byte) {
		n := 0
		for s, err := range read([]string{"-"}, bytes.NewReader(list)) {
			if n++; n > len(list) {
				t.Fatal("more lines than bytes")
			}
			if (err == nil) == s.URL.IsZero() || err == nil && strings.Contains(s.URL.String(), "%EF%BF%BD") && !bytes.Contains(list, []byte("%")) && utf8.Valid(list) && !strings.Contains(string(list), "\ufffd") {
				t.Errorf("%v, %v", s.URL, err)
			}
		}
	})
}

func TestSeedsComeFromAllArgumentsInOrder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(file, []byte("http://example.com/file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := readAll(t, []string{"http://example.com/first", file, "http://[", "-", "https://example.com/last"}, strings.NewReader("http://example.com/stdin\n"))
	want := []string{"http://example.com/first", "http://example.com/file", "http://example.com/stdin", "https://example.com/last"}
	if len(got) != 5 || !strings.HasPrefix(got[2], `bad argument "http://[": `) || !slices.Equal(slices.Delete(slices.Clone(got), 2, 3), want) {
		t.Errorf("got %q, want %q with a bad argument in the middle", got, want)
	}
}

func TestTheReaderOfSeedsMayStopAtAnyOfThem(t *testing.T) {
	for stop := 1; stop <= 4; stop++ {
		n := 0
		for range read([]string{"http://example.com/1", "-", "http://example.com/4"}, strings.NewReader("http://example.com/2\nbad\n")) {
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			t.Errorf("%d seeds came, wanted to stop after %d", n, stop)
		}
	}
}

func TestAnInputThatFailsEndsTheStreamWithItsError(t *testing.T) {
	broken := errors.New("disk on fire")
	got := readAll(t, []string{"-", "http://example.com/never"}, io.MultiReader(strings.NewReader("http://example.com/a\n"), iotest.ErrReader(broken)))
	want := []string{"http://example.com/a", "error read seeds from standard input: disk on fire"}
	if !slices.Equal(got[:min(2, len(got))], want) {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
	got = readAll(t, []string{filepath.Join(t.TempDir(), "gone")}, nil)
	if len(got) != 1 || !strings.HasPrefix(got[0], "error read seeds: open ") {
		t.Errorf("got %q for a file that is gone", got)
	}
}

func TestCredentialsOfASeedAreKeptApartFromItsText(t *testing.T) {
	for s, err := range read([]string{"http://user:secret@example.com/a"}, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(s.Text+s.URL.String(), "secret") || strings.Contains(s.Text, "user") {
			t.Errorf("text %q or URL %q tells the credentials", s.Text, s.URL)
		}
		if s.Credentials != "user:secret" {
			t.Errorf("credentials are %q, want user:secret", s.Credentials)
		}
	}
	for s, err := range read([]string{"http://Example.com/A#b"}, nil) {
		if err != nil || s.Text != "http://Example.com/A#b" {
			t.Errorf("without credentials the text is %q (%v), want it as given", s.Text, err)
		}
	}
}

// A line that is not taken may hold credentials; what is told of it goes to logs.
func TestABadLineDoesNotTellItsCredentials(t *testing.T) {
	for _, line := range []string{"http://user:secret@[bad/", "http://user:secret@", "ftp://user:secret@example.com/", "http://user:secret@example.com:99999/\tx"} {
		for _, err := range read([]string{"-"}, strings.NewReader(line)) {
			if err == nil {
				t.Errorf("%s is taken", line)
			} else if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error of a bad line tells its credentials: %v", err)
			}
		}
	}
}

func TestSeedsAreCheckedBeforeAnythingStarts(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "list")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := check([]string{"http://example.com/", file, "-"}); err != nil {
		t.Errorf("good seeds: %v", err)
	}
	err := check([]string{dir, "http://example.com/", filepath.Join(dir, "gone"), "example.com"})
	if !errors.Is(err, crawler.ErrUsage) {
		t.Fatalf("bad seeds: %v, want ErrUsage", err)
	}
	for _, want := range []string{dir + " is a directory", "gone is neither a URL", "example.com is neither a URL (write https://example.com)"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say that %q", err, want)
		}
	}
}

func TestTheDefaultDirectoryIsNamedAfterTheFirstSeed(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"https://www.example.com/a"}, "./www.example.com.trawl"},
		{[]string{"http://127.0.0.1:8080/"}, "./127.0.0.1_8080.trawl"},
		{[]string{"http://[::1]:8080/"}, "./[__1]_8080.trawl"},
		{[]string{"lists/images.txt"}, "./images.trawl"},
		{[]string{"lists/images.txt.gz"}, "./images.trawl"},
		{[]string{"lists/images.GZ"}, "./images.trawl"},
		{[]string{"-"}, "./stdin.trawl"},
		{[]string{"-", "more.txt"}, "./more.trawl"},
		{[]string{"http://[", "https://example.com/"}, "./example.com.trawl"},
	} {
		if got, err := seeds.DefaultDir(c.args); err != nil || got != c.want {
			t.Errorf("%q: %q, %v; want %q", c.args, got, err, c.want)
		}
	}
	if _, err := seeds.DefaultDir(nil); !errors.Is(err, crawler.ErrUsage) {
		t.Errorf("no seeds: %v, want ErrUsage", err)
	}
}

// read reads lists that are lines.
func read(args []string, stdin io.Reader) iter.Seq2[seeds.Seed, error] {
	return seeds.Lists{}.Read(args, stdin)
}

func check(args []string) error { return seeds.Lists{}.Check(args) }
