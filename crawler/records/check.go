package records

import (
	"errors"
	"fmt"

	"trawl/crawler/weburl"
)

func checkTask(t *task) error {
	for i := range t.URLs {
		if err := at(t.Host, "urls", t.URLs[i].URL); err != nil {
			return err
		}
	}
	for i := range t.Errands {
		if err := checkHop(&t.Errands[i], t.Host); err != nil {
			return fmt.Errorf("errands: %w", err)
		}
	}
	return nil
}

// CheckAnswer checks the answer to an ask for a turn of the host.
func CheckAnswer(a *answer, h weburl.Host) error {
	for i := range a.More {
		if err := at(h, "more", a.More[i].URL); err != nil {
			return err
		}
	}
	for i := range a.Validators {
		if err := at(h, "validators", a.Validators[i].URL); err != nil {
			return err
		}
	}
	return errors.Join(checkRobots(a.Robots), checkCookies(a.Cookies, h))
}

func checkPart(p *part) error {
	for i := range p.Results {
		r := &p.Results[i]
		if err := at(p.Host, "results", r.URL); err != nil {
			return err
		}
		if !r.Outcome.Final() {
			return fmt.Errorf("results: outcome: %v is none of a fetch", r.Outcome)
		}
	}
	for i := range p.State.Hops {
		a := &p.State.Hops[i]
		if err := checkHop(&a.Hop, p.Host); err != nil {
			return fmt.Errorf("state: hops: %w", err)
		}
		if !a.Next.IsZero() {
			continue
		}
		if err := checkRobots([]robotsFile{a.File}); err != nil {
			return fmt.Errorf("state: hops: has no next hop, and its file: %w", err)
		}
	}
	if err := checkRobots(p.State.Robots); err != nil {
		return err
	}
	if err := checkCookies(p.State.Cookies, p.Host); err != nil {
		return err
	}
	return completeLinks(p)
}

// at checks that a URL is at a host.
func at(h weburl.Host, field string, u weburl.URL) error {
	if u.Host() != h {
		return fmt.Errorf("%s: %.200q is not at host %q", field, u.Text, h)
	}
	return nil
}

// checkHop checks that an errand is whole, and at the host.
func checkHop(e *hop, h weburl.Host) error {
	if e.For == "" || e.Scheme == "" {
		return errors.New("an errand is for no host, or no scheme of it")
	}
	return at(h, "url", e.URL)
}

func checkRobots(files []robotsFile) error {
	for i := range files {
		f := &files[i]
		if f.Scheme == "" {
			return errors.New("robots: scheme: is missing")
		}
		if f.Hop == (hop{}) {
			continue
		}
		if err := checkHop(&f.Hop, f.Hop.URL.Host()); err != nil || f.Hop.URL.IsZero() {
			return errors.New("robots: hop: is not whole")
		}
	}
	return nil
}

// checkCookies checks that the host may have set the cookies, or may be sent them.
func checkCookies(changes []cookieChange, h weburl.Host) error {
	for i := range changes {
		if !changes[i].Fits(h) {
			return fmt.Errorf("cookies: %.100q is none of host %q", changes[i].Name, h)
		}
	}
	return nil
}
