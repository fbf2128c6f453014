package session

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"trawl/crawler/weburl"
)

// maxFileProblems is how many problems of a file are reported one by one.
const maxFileProblems = 20

// fileLines walks the lines of a private file and gathers its problems with their places. What stands in a line is not
// repeated: it is secret.
type fileLines struct {
	name     string
	problems []error
	more     int
}

func (f *fileLines) each(text string, take func(line string) error) error {
	text = strings.TrimPrefix(text, "\ufeff")
	n := 0
	for line := range strings.Lines(text) {
		n++
		if err := take(strings.TrimRight(line, "\r\n")); err != nil {
			if len(f.problems) < maxFileProblems {
				f.problems = append(f.problems, fmt.Errorf("%s:%d: %w", f.name, n, err))
			} else {
				f.more++
			}
		}
	}
	if f.more > 0 {
		f.problems = append(f.problems, fmt.Errorf("%s: %d more lines that cannot be read", f.name, f.more))
	}
	return errors.Join(f.problems...)
}

// ReadCookies reads a file in the format of Netscape's cookies.txt, which browsers' extensions, curl and wget write: seven
// fields with tabs between them. Cookies that are over are left out. name is that of the file, for errors.
func ReadCookies(name, text string, now time.Time) ([]KeptCookie, error) {
	var all []KeptCookie
	lines := fileLines{name: name}
	err := lines.each(text, func(line string) error {
		httpOnly := false
		if rest, ok := strings.CutPrefix(line, "#HttpOnly_"); ok {
			line, httpOnly = rest, true
		}
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			return nil
		}
		c, err := netscapeCookie(line)
		if err != nil {
			return err
		}
		c.HTTPOnly = httpOnly
		if !c.over(now) {
			all = append(all, c)
		}
		return nil
	})
	return all, err
}

func netscapeCookie(line string) (c KeptCookie, err error) {
	fields := strings.Split(line, "\t")
	if len(fields) == 6 {
		fields = append(fields, "") // some programs leave an empty value away with its tab
	}
	if len(fields) != 7 {
		return c, fmt.Errorf("%d fields, not 7 with tabs between them: domain, TRUE or FALSE, path, TRUE or FALSE, expiry, name, value", len(fields))
	}
	below, err := netscapeBool("second", fields[1])
	if err != nil {
		return c, err
	}
	if c.Secure, err = netscapeBool("fourth", fields[3]); err != nil {
		return c, err
	}
	c.Name, c.Value, c.Path = fields[5], fields[6], fields[2]
	host, dotted := strings.CutPrefix(fields[0], ".")
	u, err := weburl.Parse("http://" + host + "/")
	switch {
	case err != nil || u.RequestURI() != "/" || u.Hostname() != string(u.Host()):
		return c, errors.New("the first field is no host name or domain")
	case !below && !dotted:
		c.Domain = u.Hostname()
	case !c.belong(u.Hostname(), u.Hostname()):
		return c, errors.New("the first field is no domain that may have cookies")
	case !c.Below && weburl.IsPublicSuffix(c.Domain) && !weburl.IsAddress(c.Domain) && strings.Contains(c.Domain, "."):
		return c, errors.New("a cookie for a public suffix would go to everybody's hosts below it")
	}
	seconds, err := strconv.ParseFloat(fields[4], 64)
	switch {
	case err != nil || seconds != seconds || seconds > 1e15 || seconds < -1e15:
		return c, errors.New("the fifth field is no time in seconds since 1970")
	case seconds > 0: // 0 and below: as long as the browser ran
		c.Expires = time.Unix(int64(seconds), 0).UTC()
	}
	switch {
	case !c.Fits(weburl.Host(c.Domain)):
		return c, errors.New("name, value or path cannot stand in a header")
	case len(c.Name)+len("=")+len(c.Value) > MaxCookieHeader:
		return c, fmt.Errorf("name and value are longer than %d bytes", MaxCookieHeader)
	}
	return c, nil
}

func netscapeBool(which, s string) (bool, error) {
	switch strings.ToUpper(s) {
	case "TRUE":
		return true, nil
	case "FALSE":
		return false, nil
	}
	return false, fmt.Errorf("the %s field is neither TRUE nor FALSE", which)
}

// ReadLogins reads a file of names and passwords: HOST USER:PASSWORD in each line, where HOST may begin with https:// or
// http:// to say where they count. Empty lines and those that begin with # are passed over. name is that of the file.
func ReadLogins(name, text string) ([]Login, error) {
	var all []Login
	seen, ofDomain := make(map[[2]string]bool), make(map[string]int)
	lines := fileLines{name: name}
	err := lines.each(text, func(line string) error {
		line = strings.TrimLeft(line, " \t")
		if line == "" || line[0] == '#' {
			return nil
		}
		i := strings.IndexAny(line, " \t")
		if i < 0 {
			return errors.New("write HOST USER:PASSWORD")
		}
		l, err := loginOf(line[:i], strings.TrimLeft(line[i:], " \t"))
		if err != nil {
			return err
		}
		key := [2]string{l.Scheme, string(l.Host)}
		domain := CookieDomain(l.Host)
		switch {
		case seen[key]:
			return errors.New("this host has a line already")
		case ofDomain[domain] == MaxDomainLogins:
			return fmt.Errorf("more than %d hosts of one domain", MaxDomainLogins)
		}
		seen[key] = true
		ofDomain[domain]++
		all = append(all, l)
		return nil
	})
	return all, err
}

func loginOf(host, credentials string) (l Login, err error) {
	rest := host
	for _, scheme := range []string{"http", "https"} {
		if after, ok := strings.CutPrefix(host, scheme+"://"); ok {
			l.Scheme, rest = scheme, after
		}
	}
	scheme := l.Scheme
	if scheme == "" {
		scheme = "http"
	}
	u, err := weburl.Parse(scheme + "://" + strings.TrimSuffix(rest, "/") + "/")
	if err != nil || u.RequestURI() != "/" || strings.Contains(rest, "@") {
		return l, errors.New("write HOST USER:PASSWORD, with a host name, and its port unless it is 80 or 443")
	}
	if !strings.Contains(credentials, ":") || hasControls(credentials) {
		return l, errors.New("write HOST USER:PASSWORD, with : after the user's name")
	}
	l.Host, l.Credentials = u.Host(), credentials
	return l, nil
}
