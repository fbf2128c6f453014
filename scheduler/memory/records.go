package memory

import (
	"iter"
	"maps"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// MaxHosts is how many host records are kept, about 500 bytes each.
const MaxHosts = 1 << 16

// Hosts are host records as they were last committed.
type Hosts struct {
	m map[weburl.Host]*crawler.HostState
}

// NewHosts makes a cache without a host.
func NewHosts() *Hosts { return &Hosts{m: make(map[weburl.Host]*crawler.HostState)} }

// Get is a host's record, nil when it is not at hand.
func (c *Hosts) Get(h weburl.Host) *crawler.HostState { return c.m[h] }

// Put notes a record that was committed.
func (c *Hosts) Put(s *crawler.HostState) {
	if _, known := c.m[s.Host]; !known && len(c.m) >= MaxHosts {
		for victim := range c.m { // any: map order is random enough for a cache
			delete(c.m, victim)
			break
		}
	}
	c.m[s.Host] = s
}

// MaxDomainBytes bounds the domains that are kept; those without a record are among them, with 256 bytes at least, so that grants of
// hosts without cookies read nothing.
const MaxDomainBytes = 16 << 20

// Domains are the records of registrable domains as they were last committed.
type Domains struct {
	m     map[string]*session.DomainState
	bytes int
}

// NewDomains makes a cache without a domain.
func NewDomains() *Domains { return &Domains{m: make(map[string]*session.DomainState)} }

// Get is a domain's record, nil when it is not at hand. One that nothing is kept of is empty.
func (c *Domains) Get(name string) *session.DomainState { return c.m[name] }

// Put notes a record that was committed, or that there is none.
func (c *Domains) Put(d *session.DomainState) {
	if old := c.m[d.Domain]; old != nil {
		c.bytes -= old.Bytes()
	}
	c.m[d.Domain] = d
	c.bytes += d.Bytes()
	for name, victim := range c.m { // any: map order is random enough for a cache
		if c.bytes <= MaxDomainBytes {
			break
		}
		delete(c.m, name)
		c.bytes -= victim.Bytes()
	}
}

// MaxSome is how many hosts of a kind are kept to be named.
const MaxSome = 64

// Some are some of the hosts of a kind, for those who ask which: all of them while they are few.
type Some struct {
	m map[weburl.Host]struct{}
}

// NewSome makes it without a host.
func NewSome() *Some { return &Some{m: make(map[weburl.Host]struct{})} }

// Note takes a host in that is of the kind, and leaves one out that is not.
func (s *Some) Note(h weburl.Host, is bool) {
	switch {
	case !is:
		delete(s.m, h)
	case len(s.m) < MaxSome:
		s.m[h] = struct{}{}
	}
}

// All are the names, in any order.
func (s *Some) All() iter.Seq[weburl.Host] { return maps.Keys(s.m) }

// MaxFiles is how many files that fetchers ship are kept: those that grow are one or two for each fetcher.
const MaxFiles = 1 << 12

// Files are the records of files that fetchers ship, as they were last committed.
type Files struct {
	m map[string]crawler.ShippedFile
}

// NewFiles makes a cache without a file.
func NewFiles() *Files { return &Files{m: make(map[string]crawler.ShippedFile)} }

// Get is a file's record, false when it is not at hand.
func (c *Files) Get(name string) (f crawler.ShippedFile, known bool) {
	f, known = c.m[name]
	return f, known
}

// Put notes a record that was committed.
func (c *Files) Put(f crawler.ShippedFile) {
	if len(c.m) >= MaxFiles {
		clear(c.m)
	}
	c.m[f.Name] = f
}
