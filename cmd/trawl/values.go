package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"trawl/crawler"
)

// rate is a number of bytes a second, written 500KiB/s, 1MB/s or 1MB.
type rate int64

func (r *rate) Type() string   { return "rate" }
func (r *rate) String() string { return (*size)(r).String() }
func (r *rate) Set(s string) error {
	if (*size)(r).Set(strings.TrimSuffix(s, "/s")) != nil {
		return fmt.Errorf("%q is no rate: write 500KiB/s or 5MiB/s", s)
	}
	return nil
}

// headers are request headers, one "Name: value" each time.
type headers []crawler.Header

func (h *headers) Type() string   { return "header" }
func (h *headers) String() string { return strings.Join(h.GetSlice(), ", ") }

func (h *headers) Set(s string) error {
	one, err := crawler.ParseHeader(s)
	if err != nil {
		return err
	}
	*h = append(*h, one)
	return nil
}

// Append, Replace and GetSlice make it a list for configuration files.
func (h *headers) Append(s string) error { return h.Set(s) }

func (h *headers) Replace(all []string) error {
	var fresh headers
	for _, s := range all {
		if err := fresh.Set(s); err != nil {
			return err
		}
	}
	*h = fresh
	return nil
}

func (h *headers) GetSlice() []string {
	lines := make([]string, len(*h))
	for i, one := range *h {
		lines[i] = one.Name + ": " + one.Value
	}
	return lines
}

const pemBegin = "-----BEGIN CERTIFICATE-----"

// certificates are those of a PEM file, read when the flag is set, or the text of one itself, as it stands
// in job.yaml.
type certificates string

func (c *certificates) Type() string   { return "file" }
func (c *certificates) String() string { return string(*c) }

func (c *certificates) Set(s string) error {
	text := s
	if s != "" && !strings.Contains(s, pemBegin) {
		b, err := os.ReadFile(s)
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w", s, errors.Unwrap(err))
		}
		if text = string(b); !x509.NewCertPool().AppendCertsFromPEM(b) {
			return fmt.Errorf("%s holds no certificate: give a PEM file, which has a line %s", s, pemBegin)
		}
	} else if s != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(s)) {
		return errors.New("the text holds no certificate that can be read")
	}
	*c = certificates(text)
	return nil
}

// anyReason is what --retry-failed without a value means.
const anyReason = "any"

func parseFailedReason(word string) (*crawler.Reason, error) {
	r, known := crawler.Reason(word), crawler.FailedReasons()
	if word == anyReason {
		r = ""
	} else if !slices.Contains(known, r) {
		return nil, usage("--retry-failed %q: use one of %s, or nothing for all failed URLs", word, joinWords(known))
	}
	return &r, nil
}

func joinWords[S ~string](words []S) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// retryWord takes the reason of "--retry-failed REASON" out of the arguments: the value of this flag is
// optional, so one that follows after a space comes as an argument. A seed is a URL or a file.
func retryWord(value string, args []string) (string, []string) {
	if value != anyReason {
		return value, args
	}
	for i, a := range args {
		if a == "-" || strings.ContainsFunc(a, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
			continue
		}
		if _, err := os.Stat(a); err != nil {
			return a, slices.Delete(slices.Clone(args), i, i+1)
		}
	}
	return value, args
}
