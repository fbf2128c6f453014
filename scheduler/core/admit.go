package core

import (
	"slices"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Seed is a URL that the user gave.
type Seed struct {
	URL         weburl.URL
	Text        string         // as given, without credentials
	Credentials string         // "user:password", used for the seed's host only
	Name        string         // download: path below files/, "" for the one made from the URL
	Want        crawler.Digest // of the body, zero = any
}

// candidate is a URL that may be new.
type candidate struct {
	url       weburl.URL
	key       weburl.URLKey // of url; hashing it is worth once
	depth     int
	via, seed string
	referrer  string // of a redirect
	isSeed    bool
	requisite bool
	redirects int
	name      string
	want      crawler.Digest
	line      bool      // a line of a list, or another seed
	inherits  bool      // the name is another row's, and it was redirected here
	asked     *Admitted // counts what becomes of a seed; nil = nobody asks
}

func (c *candidate) is(what func(*Admitted) *int64) {
	if c.asked != nil {
		*what(c.asked)++
	}
}

func isNew(a *Admitted) *int64     { return &a.New }
func isKnown(a *Admitted) *int64   { return &a.Known }
func isRefused(a *Admitted) *int64 { return &a.Refused }

// addSeed opens the scope for a seed and makes it a candidate. Seeds belong to the job whatever include
// says, since pages that lead to what is wanted need not be wanted themselves; exclude counts.
func (st *Step) addSeed(s Seed, asked *Admitted) {
	c := candidate{url: s.URL, key: s.URL.Key(), seed: s.Text, isSeed: true, name: s.Name, want: s.Want, line: true, asked: asked}
	d := st.s.scope.Decide(s.URL, crawler.LinkPage)
	if d.Drop == crawler.DropExclude || d.Drop == crawler.DropTooLong {
		addWord(&st.tallies.Dropped, d.Drop, 1)
		c.is(isRefused)
		return
	}
	st.openScope(s.URL)
	st.openAddresses(s.URL)
	st.spell(&s)
	st.links = append(st.links, c)
}

// openScope adds what u opens to the scope, for good.
func (st *Step) openScope(u weburl.URL) {
	seed := st.s.scope.SeedOf(u)
	if seed == "" || !st.s.scope.Add(seed) {
		return
	}
	st.changes.Scope = append(st.changes.Scope, seed)
	if st.s.scope.Beyond() {
		addWord(&st.tallies.Bounds, crawler.BoundScope, 1)
	}
	if st.s.scope.Len() <= maxNoticeSeeds+1 && !st.s.scope.Beyond() { // a scope that is too large to be told does not go out of date
		st.s.epoch++
	}
}

// maxSeedAddresses is how many private addresses seeds open by spelling them, since each goes to every fetcher with the
// job. The mark is boundAddresses; seeds beyond it fail with reason private_address, and allow-private opens
// networks of any size.
const maxSeedAddresses = 4096

// boundAddresses is the word of limits that were hit for maxSeedAddresses, counted once a seed.
const boundAddresses = crawler.BoundAddresses

// openAddresses lets fetchers reach the private address that a seed spells, also where allow-private would: a later run may
// leave that away.
func (st *Step) openAddresses(u weburl.URL) {
	for _, a := range weburl.SpelledAddresses(u) {
		switch guard := &st.s.guard; {
		case guard.Spelled[a]:
		case len(guard.Spelled) >= maxSeedAddresses:
			if !guard.Allows(a, true) {
				addWord(&st.tallies.Bounds, boundAddresses, 1)
			}
		default:
			guard.Spelled[a] = true
			state := st.jobState()
			state.Job.SeedPrivate = append(slices.Clip(state.Job.SeedPrivate), a.String())
			st.s.epoch++
		}
	}
}

// jobState returns the job's state for editing.
func (st *Step) jobState() *crawler.JobState {
	if st.changes.State == nil {
		c := st.s.job
		st.changes.State = &c
	}
	return st.changes.State
}

// addLinks judges the links of a page and keeps those in scope as candidates.
func (st *Step) addLinks(page *crawler.Row, links []crawler.Link) {
	via := page.URL.String()
	for _, l := range links {
		k := l.URL.Key()
		if st.s.recent.Has(k) { // certain, and nothing is to be changed
			continue
		}
		c := candidate{url: l.URL, key: k, depth: page.Depth + 1, via: via, seed: page.Seed, requisite: l.Kind == crawler.LinkRequisite}
		if l.Kind == crawler.LinkRedirect {
			c.depth, c.redirects, c.isSeed = page.Depth, page.Redirects+1, page.IsSeed
			c.requisite, c.referrer = page.Requisite, referrer(page)
			if c.name = ""; st.s.job.Job.Kind == crawler.Download {
				c.inherits, c.name, c.want = true, page.FileOf(), page.Want
			}
		}
		if st.s.job.Job.Kind == crawler.Crawl {
			kind := l.Kind
			if c.requisite {
				kind = crawler.LinkRequisite
			}
			if d := st.s.scope.Decide(l.URL, kind); !d.In && !(c.isSeed && leadsOn(d, l.URL)) {
				addWord(&st.tallies.Dropped, d.Drop, 1)
				continue
			}
		}
		st.links = append(st.links, c)
	}
}

// leadsOn reports whether a hop of a seed's redirects is asked although it is out of scope: only the end of the redirects
// opens the scope, and that is known when they end. Like a seed it belongs to the job whatever include says.
func leadsOn(d crawler.Decision, u weburl.URL) bool {
	return (d.Drop == crawler.DropScope || d.Drop == crawler.DropInclude) && !crawler.OpensPrivate(u)
}

// redirectsEnd opens the scope where the redirects of a seed end, at the first answer that is not a redirect.
func (st *Step) redirectsEnd(page *crawler.Row) {
	if page.IsSeed && page.Redirects > 0 && !crawler.OpensPrivate(page.URL) {
		st.openScope(page.URL)
	}
}

// maxKeptLinks is how many candidates there is room for between steps, about 250 bytes each.
const maxKeptLinks = 1 << 12

// admit adds the candidates that are new: the seen test, exact, in one sorted pass, and
// aware of what this step itself adds.
func (st *Step) admit() {
	if len(st.links) == 0 {
		return
	}
	keys := make([]weburl.URLKey, len(st.links))
	for i := range st.links {
		keys[i] = st.links[i].key
	}
	slices.SortFunc(keys, weburl.URLKey.Compare)
	known := st.load(slices.Compact(keys))
	if st.err != nil {
		return
	}
	for i := range st.links {
		c := &st.links[i]
		k := c.key
		row := known[k]
		switch {
		case row == nil && st.hashCollides(c.url.Host()):
			addWord(&st.tallies.Dropped, crawler.DropCollision, 1)
			c.is(isRefused)
		case row == nil:
			known[k] = st.admitOne(c)
			c.is(isNew)
		case row.URL != c.url:
			addWord(&st.tallies.Dropped, crawler.DropCollision, 1)
			c.is(isRefused)
		default:
			c.is(isKnown)
			st.shorten(row, c)
			st.furtherName(k, row, c)
			st.s.remember(row)
		}
	}
	clear(st.links)
	if cap(st.links) <= maxKeptLinks {
		st.s.links = st.links[:0]
	}
	st.links = nil
}

// hashCollides reports whether another host has the key of this one. Keys are hashes, and whoever writes links
// can make two names meet: the later one is not admitted.
func (st *Step) hashCollides(h weburl.Host) bool {
	if first, ok := st.names[h.Key()]; ok {
		return first != h
	}
	st.names[h.Key()] = st.peekHost(h).Host
	return st.names[h.Key()] != h
}

func (st *Step) admitOne(c *candidate) *crawler.Row {
	st.sequence++
	name := st.rowName(c)
	row := &crawler.Row{
		Result: crawler.Result{URL: c.url, Outcome: crawler.Waiting},
		Depth:  c.depth, Via: c.via, Seed: c.seed, IsSeed: c.isSeed, Requisite: c.requisite,
		Redirects: c.redirects, Referrer: c.referrer, Name: name, Inherits: c.inherits, Want: c.want, FirstSeen: st.now, Sequence: st.sequence,
	}
	if c.redirects > 0 || !c.isSeed {
		if why := st.s.job.Job.Trap(c.url); why != "" {
			row.Outcome, row.Reason, row.Detail = crawler.Excluded, crawler.ReasonTrap, why
		}
	}
	st.put(nil, row, false)
	return row
}

// shorten lowers the depth of a URL that was too deep and is now reached by a shorter way.
func (st *Step) shorten(row *crawler.Row, c *candidate) {
	if row.Outcome != crawler.Waiting || !st.tooDeep(row.Depth) || c.depth >= row.Depth {
		return
	}
	fresh := *row
	fresh.Depth, fresh.Via, fresh.Seed, fresh.Redirects, fresh.Referrer = c.depth, c.via, c.seed, c.redirects, c.referrer
	st.put(row, &fresh, false)
}
