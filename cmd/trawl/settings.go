package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"trawl/crawler"
	"trawl/crawler/setting"
)

// addSetting makes a flag of a setting.
func addSetting(fs *pflag.FlagSet, d *setting.Description, v setting.Value, help string) *pflag.Flag {
	if v.Type() == "file" {
		v = certificates{v}
	}
	fl := fs.VarPF(v, d.Name, "", flagNames(help))
	fl.NoOptDefVal, fl.Hidden = d.Alone, d.Hidden
	if v.Type() == "bool" {
		fl.NoOptDefVal = "true"
	}
	return fl
}

var quoted = regexp.MustCompile("`([a-z]+(?:-[a-z]+)*)`")

// flagNames turns the names of settings in a text, which stand there in quotes, into flags.
func flagNames(text string) string { return quoted.ReplaceAllString(text, "--$1") }

const pemBegin = "-----BEGIN CERTIFICATE-----"

// certificates are those of a PEM file, read when the flag is set, or the text of one itself, as it stands
// in job.yaml.
type certificates struct{ setting.Value }

func (c certificates) Set(s string) error {
	if s == "" || strings.Contains(s, pemBegin) {
		return c.Value.Set(s)
	}
	b, err := os.ReadFile(s)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", s, errors.Unwrap(err))
	}
	if !x509.NewCertPool().AppendCertsFromPEM(b) {
		return fmt.Errorf("%s holds no certificate: give a PEM file, which has a line %s", s, pemBegin)
	}
	return c.Value.Set(string(b))
}

// flagged is an error's text with the settings in it called as the command line calls them.
func flagged(err error) string {
	done, rest := "", err.Error()
	for _, e := range settingErrors(err) {
		before, after, found := strings.Cut(rest, e.Error())
		if !found {
			continue
		}
		done, rest = done+before+"--"+e.Error(), after
	}
	return done + rest
}

// settingErrors are the errors that name settings which are flags, in the order in which their texts stand in the whole.
func settingErrors(err error) []*setting.Error {
	switch e := err.(type) {
	case *setting.Error:
		if !isKeyOnly(e.Setting) {
			return []*setting.Error{e}
		}
	case interface{ Unwrap() error }:
		return settingErrors(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []*setting.Error
		for _, one := range e.Unwrap() {
			all = append(all, settingErrors(one)...)
		}
		return all
	}
	return nil
}

func isKeyOnly(name string) bool {
	return slices.ContainsFunc(crawler.Settings(), func(s crawler.Setting) bool { return s.Name == name && s.KeyOnly })
}
