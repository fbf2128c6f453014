package trawl

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"trawl/crawler"
	"trawl/scheduler"
)

// maxSeedLine is the longest line of a list that is read, in bytes; longer ones are bad lines.
const maxSeedLine = 64 << 10

// Seed is a URL that the user gave.
type Seed = scheduler.Seed

// BadLine is a seed that could not be read. The others go on.
type BadLine struct {
	Place string // file:line, or the argument
	Text  string // what stands there, cut
	Err   error
}

func (b *BadLine) Error() string { return fmt.Sprintf("%s: %q: %v", b.Place, b.Text, b.Err) }
func (b *BadLine) Unwrap() error { return b.Err }

// CheckSeeds looks whether each argument is a URL that can be crawled, a file that can be opened, or - for standard input, and
// reports every one that is not. What is no plain file is not opened: a pipe can be read once.
func CheckSeeds(args []string) error {
	var problems []error
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
		if info, err := os.Stat(a); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			continue
		}
		f, err := os.Open(a)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s is neither a URL (write https://%s) nor a file that can be read: %w", a, a, errors.Unwrap(err)))
			continue
		}
		if info, err := f.Stat(); err == nil && info.IsDir() {
			problems = append(problems, fmt.Errorf("%s is a directory: give a URL, a file of URLs, or - for standard input", a))
		}
		f.Close()
	}
	if len(problems) > 0 {
		return usageError(errors.Join(problems...))
	}
	return nil
}

func isURL(s string) bool { return strings.Contains(s, "://") }

// ReadSeeds streams the seeds of the arguments. A *[BadLine] is an error of one line, after which the
// stream goes on; any other error ends it.
func ReadSeeds(args []string, stdin io.Reader) iter.Seq2[Seed, error] {
	return func(yield func(Seed, error) bool) {
		for _, a := range args {
			switch {
			case isURL(a):
				if s, err := parseSeed(a); err != nil {
					if !yield(Seed{}, &BadLine{Place: "argument", Text: short(a), Err: err}) {
						return
					}
				} else if !yield(s, nil) {
					return
				}
			case a == "-":
				if !readLines("standard input", stdin, yield) {
					return
				}
			default:
				if !readFile(a, yield) {
					return
				}
			}
		}
	}
}

func readFile(name string, yield func(Seed, error) bool) bool {
	f, err := os.Open(name)
	if err != nil {
		return yield(Seed{}, fmt.Errorf("read seeds: %w", err))
	}
	defer f.Close()
	return readLines(name, f, yield)
}

// readLines reads a list: a URL a line, or URL<TAB>NAME; empty lines and lines that begin with # are
// passed over.
func readLines(name string, r io.Reader, yield func(Seed, error) bool) bool {
	lines := newListLines(r)
	for {
		line, long, more, err := lines.next()
		if err != nil {
			return yield(Seed{}, fmt.Errorf("read seeds from %s: %w", name, err))
		}
		if !more {
			return true
		}
		text := strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if text == "" || text[0] == '#' {
			continue
		}
		s, bad := parseLine(text)
		if long {
			bad = errLongLine
		}
		if bad != nil {
			s, bad = Seed{}, &BadLine{Place: fmt.Sprintf("%s:%d", name, lines.number), Text: short(text), Err: bad}
		}
		if !yield(s, bad) {
			return false
		}
	}
}

func parseLine(line string) (Seed, error) {
	url, rest, _ := strings.Cut(line, "\t")
	url, err := listURL(strings.TrimSpace(url))
	if err != nil {
		return Seed{}, err
	}
	s, err := parseSeed(url)
	if err != nil {
		return s, err
	}
	name, digest, _ := strings.Cut(rest, "\t")
	if isURL(name) {
		return Seed{}, errTwoURLs
	}
	err = nameSeed(&s, strings.TrimSpace(name), strings.TrimSpace(digest))
	return s, err
}

func parseSeed(text string) (Seed, error) {
	if !isURL(text) {
		return Seed{}, errNoURL
	}
	u, credentials, err := crawler.ParseSeed(text)
	if err != nil {
		return Seed{}, err
	}
	if credentials != "" {
		text = u.String() // the text as given would tell them
	}
	return Seed{URL: u, Text: text, Credentials: credentials}, nil
}

// short is what is told of a bad line: cut, and without credentials, as it goes to logs.
func short(s string) string {
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		end := strings.IndexAny(rest, "/?#\\")
		if end < 0 {
			end = len(rest)
		}
		if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
			s = scheme + "://…" + rest[at:]
		}
	}
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}

// DefaultDir is the crawl directory for the seeds: ./HOST.trawl, for download ./LIST.trawl.
func DefaultDir(kind crawler.Kind, args []string) (string, error) {
	for _, a := range args {
		switch {
		case isURL(a):
			if u, err := crawler.ParseURL(a); err == nil {
				return "./" + strings.ReplaceAll(string(u.Host()), ":", "_") + ".trawl", nil
			}
		case a != "-":
			base := filepath.Base(a)
			return "./" + strings.TrimSuffix(base, filepath.Ext(base)) + ".trawl", nil
		}
	}
	if len(args) > 0 {
		return "./stdin.trawl", nil
	}
	return "", usageError(errors.New("no seeds and no --dir: give seeds, or the directory of a crawl to go on with"))
}
