package main

import (
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/pflag"

	"trawl/crawler/session"
)

// privateFiles are files with secrets of the user's for the sites of a job. What is in them goes into the ledger and
// is shown nowhere.
type privateFiles struct{ cookies, logins string }

func (p *privateFiles) add(fs *pflag.FlagSet) {
	fs.StringVar(&p.cookies, "cookies", "", "file with cookies to send, in the format cookies.txt of Netscape; they are remembered in the crawl directory")
	fs.StringVar(&p.logins, "auth-file", "", "file with names and passwords, HOST USER:PASSWORD in each line; they are remembered in the crawl directory")
}

// read reads the files. All problems are reported at once.
func (p *privateFiles) read(now time.Time) (given session.Private, err error) {
	var problems []error
	text := func(flag, file string) (string, bool) {
		if file == "" {
			return "", false
		}
		b, err := readLimited(file, maxConfig)
		if err != nil {
			problems = append(problems, usage("--%s: %v", flag, err))
		}
		return string(b), err == nil
	}
	if t, ok := text("cookies", p.cookies); ok {
		given.Cookies, err = session.ReadCookies(p.cookies, t, now)
		problems = append(problems, err)
	}
	if t, ok := text("auth-file", p.logins); ok {
		given.Logins, err = session.ReadLogins(p.logins, t)
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return session.Private{}, usageError{err}
	}
	return given, nil
}

// warn says which files others on this machine can read.
func (p *privateFiles) warn(log *slog.Logger) {
	for _, file := range []string{p.cookies, p.logins} {
		if info, err := os.Stat(file); file != "" && err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
			log.Warn("others on this machine can read a file with secrets; chmod 600 keeps it yours", "file", file)
		}
	}
}
