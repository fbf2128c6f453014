package seeds

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"trawl/crawler"
	"trawl/crawler/media"
	"trawl/internal/coding"
	"trawl/storage/export"
)

const (
	gzipMagic  = "\x1f\x8b"
	gzipEnding = ".gz"
	// maxColumnsTold is how many columns of a table are named where the one that was asked for is not there.
	maxColumnsTold = 12
	// maxColumns is how many columns of a table are read: those of URLs, names and digests.
	maxColumns = 3
	// maxListRatio is how many times its size a list in gzip may unpack to, beyond listRatioAfter bytes. Lists of URLs that
	// differ in nothing but a number come to about 20.
	maxListRatio, listRatioAfter = 200, 16 << 20
)

// Lists say how lists of seeds are read. The zero value reads lines: a URL, or URL<TAB>NAME, or these and <TAB>DIGEST. A list
// may be in gzip.
type Lists struct {
	// Columns make lists tables, CSV with a header or Parquet, and name the column that has the URLs, then, where there are
	// any, those that have the names of the files and the digests of their bodies. Empty = lists are lines.
	Columns []string
}

// listText is a line of a list, or what a row of a table has of a seed.
type listText struct {
	text   string // the line, or the URL
	others [maxColumns - 1]string
	at     int64 // its line, or its row in Parquet, from 1
	bad    error // why it cannot be read, nil when it can
}

// set is what stands in one of the columns.
func (t *listText) set(column int, text []byte) {
	if len(text) > maxSeedLine {
		text, t.bad = text[:maxSeedLine], errLongLine
	}
	if column == 0 {
		t.text = string(text)
	} else {
		t.others[column-1] = string(text)
	}
}

// listTexts reads one after the other; more is false at the end. err is why reading ended early, before t.at.
type listTexts interface {
	next() (t listText, more bool, err error)
}

// listed is a seed, and how a line of a list says it.
type listed struct {
	Seed
	line string
}

// list is one that is read.
type list struct {
	name  string
	from  *source
	gzip  *coding.Gunzip // nil = it is not packed
	in    *bufio.Reader  // of what is packed
	texts listTexts
	table bool
	unit  string // between the name and the number of a text
}

// unpacked is a list in gzip, up to where it becomes a bomb.
type unpacked struct {
	*coding.Gunzip
	from *source
	n    int64
}

func (u *unpacked) Read(p []byte) (int, error) {
	if u.n > listRatioAfter && u.n > maxListRatio*u.from.read {
		return 0, errListRatio
	}
	n, err := u.Gunzip.Read(p)
	u.n += int64(n)
	return n, err
}

// source is where a list comes from. It tells its own failure from one of what is made of its bytes.
type source struct {
	r    io.Reader
	at   io.ReaderAt // nil = it can only be read from its beginning on
	read int64
	err  error // the first, but for the end
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.read += int64(n)
	return n, s.note(err)
}

func (s *source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.at.ReadAt(p, off)
	return n, s.note(err)
}

func (s *source) note(err error) error {
	if err != nil && !errors.Is(err, io.EOF) && s.err == nil {
		s.err = err
	}
	return err
}

// Check looks whether each argument is a URL that can be crawled, a list that can be opened and has the column, or - for
// standard input, and reports every one that is not. What is no plain file is not opened: a pipe can be read once.
func (l Lists) Check(args []string) error {
	var problems []error
	if len(l.Columns) > maxColumns || slices.Contains(l.Columns, "") {
		problems = append(problems, errColumns)
		args = nil
	}
	for _, a := range args {
		if a == "-" {
			continue
		}
		if isURL(a) {
			if _, err := parseSeed(a); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", short(a), err))
			}
			continue
		}
		info, err := os.Stat(a)
		switch {
		case err == nil && info.IsDir():
			problems = append(problems, fmt.Errorf("%s is a directory: give a URL, a file of URLs, or - for standard input", a))
		case err == nil && !info.Mode().IsRegular():
		default:
			problems = append(problems, l.checkFile(a))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return crawler.UsageError(err)
	}
	return nil
}

func (l Lists) checkFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("%s is neither a URL (write https://%s) nor a file that can be read: %w", name, name, errors.Unwrap(err))
	}
	defer f.Close() // it is only read
	li, err := l.open(name, f)
	if _, bad := errors.AsType[*BadLine](err); bad {
		return nil // it is told when the list's turn comes, and the others go on
	}
	if err == nil {
		li.close()
	}
	return err
}

// Read streams the seeds of the arguments. A *[BadLine] is an error of one line, or of what follows in one list, after
// which the stream goes on; any other error ends it.
func (l Lists) Read(args []string, stdin io.Reader) iter.Seq2[Seed, error] {
	return func(yield func(Seed, error) bool) {
		for s, err := range l.read(args, stdin) {
			if !yield(s.Seed, err) {
				return
			}
		}
	}
}

// ReadFrom streams the seeds of one list, as [Lists.Read] does; name is its place in errors.
func (l Lists) ReadFrom(name string, r io.Reader) iter.Seq2[Seed, error] {
	return func(yield func(Seed, error) bool) {
		l.list(name, r, func(s listed, err error) bool { return yield(s.Seed, err) })
	}
}

func (l Lists) read(args []string, stdin io.Reader) iter.Seq2[listed, error] {
	return func(yield func(listed, error) bool) {
		for _, a := range args {
			if !l.argument(a, stdin, yield) {
				return
			}
		}
	}
}

func (l Lists) argument(a string, stdin io.Reader, yield func(listed, error) bool) bool {
	switch {
	case isURL(a):
		s, err := parseSeed(a)
		if err != nil {
			return yield(listed{}, &BadLine{Place: "argument", Text: short(a), Err: err})
		}
		return yield(listed{s, a}, nil)
	case a == "-":
		return l.list("standard input", stdin, yield)
	}
	f, err := os.Open(a)
	if err != nil {
		return yield(listed{}, fmt.Errorf("read seeds: %w", err))
	}
	defer f.Close()
	return l.list(a, f, yield)
}

// list reads one list.
func (l Lists) list(name string, r io.Reader, yield func(listed, error) bool) bool {
	li, err := l.open(name, r)
	if err != nil {
		return yield(listed{}, err)
	}
	defer li.close()
	for {
		t, more, err := li.texts.next()
		if err != nil {
			return yield(listed{}, li.fault(t.at, err))
		}
		if !more {
			err := li.trailing(t.at)
			return err == nil || yield(listed{}, err)
		}
		text := strings.TrimSpace(strings.TrimPrefix(t.text, "\ufeff"))
		if text == "" && (t.bad == nil || !li.table) || !li.table && text[0] == '#' {
			continue
		}
		s, err := li.parse(text, &t)
		if t.bad != nil {
			err = t.bad
		}
		if err != nil {
			s, err = listed{}, &BadLine{Place: li.place(t.at), Text: short(text), Err: err}
		}
		if !yield(s, err) {
			return false
		}
	}
}

// open finds out what the list is. Its error is a *[BadLine] where only this list cannot be read.
func (l Lists) open(name string, r io.Reader) (*list, error) {
	li := &list{name: name, from: &source{r: r}, unit: ":", table: len(l.Columns) > 0}
	if size, is := parquetFile(r); is {
		li.from.at = r.(io.ReaderAt)
		return li, l.openParquet(li, size)
	}
	in := bufio.NewReader(li.from)
	head, _ := in.Peek(len(gzipMagic)) // what is wrong is told when it is read
	if string(head) == gzipMagic {
		li.gzip, li.in = &coding.Gunzip{}, in
		li.gzip.Reset(in)
		in = bufio.NewReader(&unpacked{Gunzip: li.gzip, from: li.from})
		head, _ = in.Peek(2)
	} else if strings.HasSuffix(strings.ToLower(name), gzipEnding) && !isText(in) {
		return nil, &BadLine{Place: name, Err: errNotGzip}
	}
	if string(head) == "PA" { // only then more is waited for
		if head, _ = in.Peek(4); export.IsParquet(head) {
			return nil, crawler.UsageError(fmt.Errorf("%s: %w", name, errParquetStream))
		}
	}
	in = plainText(in)
	if !li.table {
		li.texts = &listLines{in: in}
		return li, nil
	}
	c := newCSVTable(in)
	names, err := c.header()
	if err == nil {
		c.columns, err = columnsOf(l.Columns, names)
	} else if !errors.Is(err, errNoHeader) && !errors.Is(err, errLongHeader) && !errors.Is(err, errOpenQuote) {
		return nil, li.fault(int64(c.line), err)
	}
	if err != nil {
		return nil, crawler.UsageError(fmt.Errorf("%s: %w", name, err))
	}
	li.texts = c
	return li, nil
}

// isText reports whether a list that is about to be read may be lines.
func isText(in *bufio.Reader) bool {
	look, _ := in.Peek(coding.CodingLook)
	return media.WideText(look) != nil || coding.LooksLikeText(look)
}

// columnsOf finds columns by their names.
func columnsOf(wanted, names []string) ([]int, error) {
	var at []int
	for _, name := range wanted {
		i := slices.Index(names, name)
		if i < 0 {
			return nil, noColumn(name, names)
		}
		at = append(at, i)
	}
	return at, nil
}

// noColumn says that a table has no column of a name, and which it has.
func noColumn(name string, names []string) error {
	near := crawler.Nearest(name, names)
	if near != "" {
		near = ": did you mean " + near + "?"
	}
	return fmt.Errorf("there is no column %q%s (%s)", name, near, told(names))
}

// told names the columns of a table, the first of them where there are many.
func told(names []string) string {
	more := ""
	if n := len(names) - maxColumnsTold; n > 0 {
		names, more = names[:maxColumnsTold], fmt.Sprintf(" and %d more", n)
	}
	cut := make([]string, len(names))
	for i, n := range names {
		cut[i] = short(n)
	}
	return "it has " + strings.Join(cut, ", ") + more
}

var (
	errColumns       = errors.New("`column`: name the column of the URLs, or those of URLs, names and digests with commas between, such as url,name,digest")
	errListRatio     = fmt.Errorf("the gzip data unpacks to more than %d times its size", maxListRatio)
	errNotGzip       = errors.New("its name ends in .gz, and it is neither gzip nor text: nothing of it is read")
	errParquetStream = errors.New("this is Parquet, which is read from its end: unpack it, and give the file's name")
)

// parse reads a line, or the URL of a row and what else the row has.
func (li *list) parse(text string, t *listText) (listed, error) {
	if !li.table {
		s, err := parseLine(text)
		return listed{s, text}, err
	}
	url, err := listURL(text)
	if err != nil {
		return listed{}, err
	}
	s, err := parseSeed(url)
	if err != nil {
		return listed{}, err
	}
	name, digest := strings.TrimSpace(t.others[0]), strings.TrimSpace(t.others[1])
	if err := nameSeed(&s, name, digest); err != nil {
		return listed{}, err
	}
	if s.Name == "" && digest == "" {
		return listed{s, url}, nil
	}
	return listed{s, url + "\t" + s.Name + "\t" + digest}, nil
}

func (li *list) place(at int64) string { return fmt.Sprintf("%s%s%d", li.name, li.unit, at) }

// fault is what is told of a list that cannot be read on: packed bytes that are broken end this list, and a file that
// cannot be read ends all.
func (li *list) fault(at int64, err error) error {
	packed := li.from.err == nil && li.gzip != nil
	switch {
	case packed && errors.Is(err, errListRatio):
		err = fmt.Errorf("%w: what stands before was read, and nothing from here on; unpack it first if all of it is a list", err)
		return &BadLine{Place: li.place(at), Err: err}
	case packed && errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("the gzip data ends in the middle, after byte %d of the file", li.from.read)
	case packed:
		err = fmt.Errorf("the gzip data is broken before byte %d of the file (%w)", li.from.read-int64(li.in.Buffered()), err)
	case li.from.err == nil && li.from.at != nil:
		err = fmt.Errorf("the Parquet file is broken there (%w)", err)
	default:
		return fmt.Errorf("read seeds from %s: %w", li.name, err)
	}
	return &BadLine{Place: li.place(at), Err: fmt.Errorf("%w: what stands before was read, and nothing from here on; get the file again", err)}
}

// trailing is what is wrong with the end of a list that was read.
func (li *list) trailing(at int64) error {
	if li.gzip == nil {
		return nil
	}
	why := li.gzip.Note()
	if rest, _ := li.in.Peek(512); why == "" && strings.Trim(string(rest), "\x00") != "" {
		why = "other bytes follow the gzip data, and are not read"
	}
	if why == "" {
		return nil
	}
	return &BadLine{Place: li.place(at), Err: fmt.Errorf("%s: what stands before was read, and may not be all; get the file again", why)}
}

func (li *list) close() {
	if p, ok := li.texts.(*parquetTexts); ok {
		for _, c := range p.columns {
			c.Close()
		}
	}
}
