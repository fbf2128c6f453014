package core

import (
	"slices"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// peekDomain reads a domain without editing it; one that nothing is kept of is empty.
func (st *Step) peekDomain(name string) *session.DomainState {
	if d := st.domains[name]; d != nil {
		return d
	}
	if d := st.s.domains.Get(name); d != nil {
		return d
	}
	stored, _, err := st.read.Domain(name)
	st.fail(err, "read domain %s", name)
	if stored.Domain != name { // none, or another name with the same hash, which was here first
		stored = session.DomainState{Domain: name}
	}
	if err == nil {
		st.s.domains.Put(&stored)
	}
	return &stored
}

// domain returns a domain for editing, nil when another name has its key: then nothing is kept of this one.
func (st *Step) domain(name string) *session.DomainState {
	if d := st.domains[name]; d != nil {
		return d
	}
	fresh := st.peekDomain(name).Clone()
	if fresh.Empty() {
		stored, found, err := st.read.Domain(name)
		st.fail(err, "read domain %s", name)
		if found && stored.Domain != name {
			return nil
		}
	}
	st.domains[name] = &fresh
	return &fresh
}

// settleCookies takes over what a part says of cookies, before its results are judged and its links are admitted: a
// redirect may lead to where they are wanted.
func (st *Step) settleCookies(p *crawler.Part) {
	if len(p.State.Cookies) == 0 {
		return
	}
	name := session.CookieDomain(p.Host)
	known := st.peekDomain(name)
	moot := func(c session.CookieChange) bool {
		return c.Gone && !slices.ContainsFunc(known.Cookies, func(k session.KeptCookie) bool { return k.Same(&c.Cookie) })
	}
	if !slices.ContainsFunc(p.State.Cookies, func(c session.CookieChange) bool { return !moot(c) }) {
		return // only cookies are taken back that are not there
	}
	d := st.domain(name)
	if d == nil {
		addWord(&st.tallies.Dropped, crawler.DropCollision, 1)
		return
	}
	for i := range p.State.Cookies {
		c := p.State.Cookies[i]
		if !c.Fits(p.Host) {
			continue
		}
		c.By = p.Host
		for word, n := range d.Apply(&c, st.now) {
			addWord(&st.tallies.Bounds, word, n)
		}
	}
}

// secrets completes a grant by what may go to the host: cookies, and what the user gave for the hosts that seeds spell.
func (st *Step) secrets(h *crawler.HostState, a *crawler.Answer) {
	d := st.peekDomain(session.CookieDomain(h.Host))
	a.Cookies = d.For(h.Host, st.now)
	a.Seeds = h.Seeds
	if other := h.Host.OtherSpelling(); other != "" && st.s.job.Job.HasSecrets() {
		a.Seeds |= st.peekHost(other).Seeds
	}
	a.Credentials = d.Login(h.Host, h.Seeds, h.Credentials)
}

// spell notes that a seed spells its host. Where redirects lead does not count: nobody meant to trust that host.
func (st *Step) spell(s *Seed) {
	scheme, h := s.URL.Scheme(), s.URL.Host()
	schemes := session.SchemesOf(scheme)
	known := st.peekHost(h)
	credentials := known.Credentials
	if s.Credentials != "" {
		if scheme == "https" {
			credentials.HTTPS = s.Credentials
		} else {
			credentials.HTTP = s.Credentials
		}
	}
	if known.Seeds|schemes == known.Seeds && known.Credentials == credentials {
		return // given before: nothing to be written
	}
	host := st.host(h)
	host.Seeds, host.Credentials = host.Seeds|schemes, credentials
}

// comesBack judges a redirect that closes a circle: it leads to a URL that was redirected on to where it comes from.
// When a URL on the circle would be asked with other cookies than it was, the server may answer otherwise, so the
// target waits again; it counts as one more redirect of the chain, which bounds the whole. Without another cookie the
// chain leads nowhere and the result fails. It reports the row that waits again.
func (st *Step) comesBack(r *crawler.Result, old *crawler.Row) (target *crawler.Row, again bool) {
	if r.Outcome != crawler.Redirected || r.RedirectTo.IsZero() {
		return nil, false
	}
	limit := max(1, st.s.job.Job.Fetch.Redirects)
	renewed := st.otherCookies(r)
	at := r.RedirectTo
	for range limit {
		if at == r.URL {
			break
		}
		row := st.load([]weburl.URLKey{at.Key()})[at.Key()]
		if row == nil || row.URL != at || row.Outcome != crawler.Redirected {
			return nil, false
		}
		if target == nil {
			target = row
		}
		renewed = renewed || st.otherCookies(&row.Result)
		at = row.RedirectTo
	}
	if at != r.URL {
		return nil, false
	}
	if target == nil {
		target = old
	}
	if !renewed {
		r.Outcome, r.Reason = crawler.Failed, crawler.ReasonTooManyRedirects
		r.Detail = session.CameBack + r.RedirectTo.String() + ", which had led here, and no new cookie was set on the way"
		r.RedirectTo = weburl.URL{}
		return nil, false
	}
	return target, true
}

// otherCookies reports whether a URL that was redirected would be asked with other cookies now.
func (st *Step) otherCookies(r *crawler.Result) bool {
	d := st.peekDomain(session.CookieDomain(r.URL.Host()))
	return session.CookieDigest(d.Cookies, r.URL, st.now) != r.Asked
}

// waitAgain lets a redirected row wait, as the next hop of the chain that came back to it.
func waitAgain(row *crawler.Row, redirects int) *crawler.Row {
	fresh := *row
	fresh.Result = crawler.Result{URL: row.URL, Outcome: crawler.Waiting}
	fresh.Referrer = referrer(row)
	fresh.Redirects = redirects
	return &fresh
}

// referrer is the page whose link led to a row, by redirects or not; "" for seeds.
func referrer(r *crawler.Row) string {
	if r.Redirects > 0 {
		return r.Referrer
	}
	return r.Via
}

// privateBatch is how many cookies of the user's go into one commit.
const privateBatch = 500

// takePrivate takes over the cookies and logins that a user gives at the start, once: what servers made of the cookies
// since is not undone by the same file at the next start.
func takePrivate(p session.Private) Order {
	digest := p.Digest()
	return func(st *Step) (done bool) {
		if digest == 0 || digest == st.s.job.Private {
			return true
		}
		batch := session.Private{Cookies: p.Cookies[:min(len(p.Cookies), privateBatch)]}
		if p.Cookies = p.Cookies[len(batch.Cookies):]; len(p.Cookies) == 0 {
			batch.Logins = p.Logins
			st.jobState().Private = digest
			done = true
		}
		st.keepPrivate(&batch)
		return done
	}
}

func (st *Step) keepPrivate(p *session.Private) {
	for i := range p.Cookies {
		c := session.CookieChange{Cookie: p.Cookies[i].Cookie}
		if at := p.Cookies[i].Expires; !at.IsZero() {
			c.Age = at.Sub(st.now)
			c.Gone = c.Age <= 0
		}
		d := st.domain(session.CookieDomain(weburl.Host(c.Domain)))
		if d == nil {
			addWord(&st.tallies.Dropped, crawler.DropCollision, 1)
			continue
		}
		for word, n := range d.Apply(&c, st.now) {
			addWord(&st.tallies.Bounds, word, n)
		}
	}
	for _, l := range p.Logins {
		d := st.domain(session.CookieDomain(l.Host))
		if d == nil {
			continue
		}
		same := func(o session.Login) bool { return o.Host == l.Host && o.Scheme == l.Scheme }
		d.Logins = append(slices.DeleteFunc(d.Logins, same), l)
	}
}
