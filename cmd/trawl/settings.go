package main

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"trawl/crawler/setting"
)

// addSetting makes a flag of a setting.
func addSetting(fs *pflag.FlagSet, d *setting.Description, v setting.Value, help string) *pflag.Flag {
	if v.Type() == "file" {
		v = certificates{v}
	}
	fl := fs.VarPF(v, d.Name, "", quoted.ReplaceAllString(help, "--$1"))
	fl.NoOptDefVal, fl.Hidden = d.Alone, d.Hidden
	if v.Type() == "bool" {
		fl.NoOptDefVal = "true"
	}
	return fl
}

// quoted is a name in a text of the core's.
var quoted = regexp.MustCompile("`([a-z]+(?:-[a-z]+)*)`")

const pemBegin = "-----BEGIN CERTIFICATE-----"

// certificates are those of a PEM file, read when the flag is set, or the text of one itself, as it stands
// in job.yaml.
type certificates struct{ setting.Value }

func (c certificates) Set(s string) error {
	text, problem := s, errors.New("the text holds no certificate that can be read")
	if s != "" && !strings.Contains(s, pemBegin) {
		b, err := os.ReadFile(s)
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w", s, errors.Unwrap(err))
		}
		text, problem = string(b), fmt.Errorf("%s holds no certificate: give a PEM file, which has a line %s", s, pemBegin)
	}
	if s != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(text)) {
		return problem
	}
	return c.Value.Set(text)
}

// learn notes how the command line calls what the core names in `quotes`.
func (p *program) learn(commands []*cobra.Command) {
	p.names = map[string]string{"kind": "kind"} // the command's name says it
	for _, c := range commands {
		c.Flags().VisitAll(func(fl *pflag.Flag) { p.names[fl.Name] = "--" + fl.Name })
	}
}

// spell calls settings as the command line does.
func (p *program) spell(text string) string {
	return quoted.ReplaceAllStringFunc(text, func(name string) string { return cmp.Or(p.names[strings.Trim(name, "`")], name) })
}

// speller spells what is written to it, message by message.
type speller struct {
	to io.Writer
	p  *program
}

func (w speller) Write(b []byte) (int, error) {
	_, err := io.WriteString(w.to, w.p.spell(string(b)))
	return len(b), err
}
