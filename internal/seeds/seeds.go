package seeds

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/scheduler"
)

// maxSeedLine is the longest line of a list that is read, in bytes; longer ones are bad lines.
const maxSeedLine = 64 << 10

// Seed is a URL that the user gave.
type Seed = scheduler.Seed

// BadLine is a seed that could not be read, or where a list could not be read on. The others go on.
type BadLine struct {
	Place string // file:line, or the argument
	Text  string // what stands there, cut; "" where nothing can be told
	Err   error
}

func (b *BadLine) Error() string {
	if b.Text == "" {
		return fmt.Sprintf("%s: %v", b.Place, b.Err)
	}
	return fmt.Sprintf("%s: %q: %v", b.Place, b.Text, b.Err)
}

func (b *BadLine) Unwrap() error { return b.Err }

func isURL(s string) bool { return strings.Contains(s, "://") }

// parseLine reads a line of a list: a URL, or URL<TAB>NAME, or these and <TAB>DIGEST.
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
	u, credentials, err := weburl.ParseSeed(text)
	if err != nil {
		return Seed{}, err
	}
	if credentials != "" {
		text = u.String() // the text as given would tell them
	}
	return Seed{URL: u, Text: text, Credentials: credentials}, nil
}

// nameSeed takes over what a list says beside a URL: the name of its file and the digest of its body, "" = nothing.
func nameSeed(s *Seed, name, digest string) (err error) {
	if digest != "" {
		if s.Want, err = crawler.ParseDigest(digest); err != nil {
			return fmt.Errorf("digest: %w", err)
		}
	}
	if name == "" {
		return nil
	}
	s.Name, err = crawler.CleanName(name)
	return err
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

// DefaultDir is the crawl directory for seeds of a command: ./HOST.trawl, for download ./LIST.trawl.
func DefaultDir(args []string) (string, error) {
	for _, a := range args {
		switch {
		case isURL(a):
			if u, err := weburl.Parse(a); err == nil {
				return "./" + strings.ReplaceAll(string(u.Host()), ":", "_") + ".trawl", nil
			}
		case a != "-":
			base := filepath.Base(a)
			if packed := len(base) - len(gzipEnding); packed > 0 && strings.EqualFold(base[packed:], gzipEnding) {
				base = base[:packed]
			}
			return "./" + strings.TrimSuffix(base, filepath.Ext(base)) + ".trawl", nil
		}
	}
	if len(args) > 0 {
		return "./stdin.trawl", nil
	}
	return "", crawler.UsageError(errors.New("no seeds and no `dir`: give seeds, or the directory of a crawl to go on with"))
}

// ParseURLs reads URLs that a user asks about, and reports every one that is none.
func ParseURLs(args []string) ([]weburl.URL, error) {
	var problems []error
	var urls []weburl.URL
	for _, a := range args {
		u, err := weburl.Parse(a)
		switch {
		case errors.Is(err, weburl.ErrNotHTTP), errors.Is(err, weburl.ErrTooLong):
			problems = append(problems, fmt.Errorf("%q: %w: such a URL is never admitted", short(a), err))
		case err != nil && !isURL(a):
			problems = append(problems, fmt.Errorf("%q is no URL: write https://%s", short(a), short(a)))
		case err != nil:
			problems = append(problems, fmt.Errorf("%q: %w", short(a), err))
		default:
			urls = append(urls, u)
		}
	}
	if len(problems) > 0 {
		return nil, crawler.UsageError(errors.Join(problems...))
	}
	return urls, nil
}
