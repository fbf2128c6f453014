package crawler

import (
	"fmt"
	"iter"
	"net/netip"
	"regexp"
	"strings"

	"github.com/cespare/xxhash/v2"

	"trawl/crawler/weburl"
)

// ScopeSeed is what a seed opens under the job's scope rule, as a text that is compared for equality: a
// host, a path prefix, a domain or one page.
type ScopeSeed string

// Reasons for which a link is not admitted. They are tallied, and shown by status.
const (
	DropScope     = "scope"
	DropInclude   = "include"
	DropExclude   = "exclude"
	DropRequisite = "requisite"
	DropNotHTTP   = "not_http"
	DropTooLong   = "too_long"
	DropTooMany   = "too_many_links"
	DropCollision = "hash_collision"
)

// Decision is scope's answer for one URL.
type Decision struct {
	In   bool
	Drop string // why not, one of the Drop words
	Rule string // what made the decision, in words a user knows
}

// Scope decides which URLs belong to a job. It is built from the job and the seeds; it is not safe for
// use while seeds are added.
type Scope struct {
	rule       ScopeRule
	named      string // the rule, as decisions name it
	requisites Requisites
	include    []*regexp.Regexp
	exclude    []*regexp.Regexp
	seeds      map[uint64]struct{} // hashes of the ScopeSeeds: 8 bytes a seed, however long its text
	rest       restOfSeeds
}

// NewScope compiles the job's scope, without seeds.
func NewScope(j *Job) (*Scope, error) {
	s := &Scope{rule: j.Scope, named: "`scope` " + string(j.Scope), requisites: j.Requisites, seeds: make(map[uint64]struct{})}
	for _, re := range j.Include {
		c, err := regexp.Compile(re)
		if err != nil {
			return nil, fmt.Errorf("`include` %q: %w", re, err)
		}
		s.include = append(s.include, c)
	}
	for _, re := range j.Exclude {
		c, err := regexp.Compile(re)
		if err != nil {
			return nil, fmt.Errorf("`exclude` %q: %w", re, err)
		}
		s.exclude = append(s.exclude, c)
	}
	return s, nil
}

// SeedOf says what u opens as a seed, "" when the scope takes everything anyway.
func (s *Scope) SeedOf(u weburl.URL) ScopeSeed {
	switch s.rule {
	case ScopePage:
		return ScopeSeed(pageWord + u.String())
	case ScopePrefix:
		return prefixSeed(u, strings.LastIndexByte(u.Path(), '/')+1)
	case ScopeHost:
		return ScopeSeed(hostWord + scopeHost(u))
	case ScopeDomain:
		return ScopeSeed(domainWord + weburl.RegistrableDomain(u.Hostname()))
	}
	return ""
}

// Add opens the scope for a seed and reports whether that was new.
func (s *Scope) Add(seed ScopeSeed) bool {
	if s.rest.stored == nil || len(s.seeds) < s.rest.most {
		return !s.rest.has(seed) && s.AddKey(seed.Key())
	}
	if _, known := s.seeds[seed.Key()]; known || s.rest.has(seed) {
		return false
	}
	s.rest.add(seed)
	return true
}

// Key is the hash that a scope keeps of a seed.
func (seed ScopeSeed) Key() uint64 { return xxhash.Sum64String(string(seed)) }

// AddKey opens the scope by a seed's key.
func (s *Scope) AddKey(k uint64) bool {
	if _, known := s.seeds[k]; known {
		return false
	}
	s.seeds[k] = struct{}{}
	return true
}

// Len is the number of seeds.
func (s *Scope) Len() int { return len(s.seeds) }

// Keys lists the keys of all seeds, in no order.
func (s *Scope) Keys() []uint64 {
	keys := make([]uint64, 0, len(s.seeds))
	for k := range s.seeds {
		keys = append(keys, k)
	}
	return keys
}

// Decide reports whether u, reached by a link of the kind from a page in scope, belongs to the job.
func (s *Scope) Decide(u weburl.URL, kind LinkKind) Decision {
	if len(u.String()) > weburl.MaxBytes {
		return Decision{Drop: DropTooLong, Rule: fmt.Sprintf("longer than %d bytes", weburl.MaxBytes)}
	}
	for _, re := range s.exclude {
		if re.MatchString(u.String()) {
			return Decision{Drop: DropExclude, Rule: "`exclude` " + re.String()}
		}
	}
	if kind == LinkRequisite && s.requisites == RequisitesNone {
		return Decision{Drop: DropRequisite, Rule: "`requisites` none"}
	}
	if rule, in := s.covers(u, kind); !in {
		return Decision{Drop: DropScope, Rule: rule}
	}
	if len(s.include) == 0 {
		return Decision{In: true, Rule: s.named}
	}
	for _, re := range s.include {
		if re.MatchString(u.String()) {
			return Decision{In: true, Rule: "`include` " + re.String()}
		}
	}
	return Decision{Drop: DropInclude, Rule: "no `include` matches"}
}

func (s *Scope) covers(u weburl.URL, kind LinkKind) (rule string, in bool) {
	if kind == LinkRequisite && s.requisites == RequisitesAll {
		return "`requisites` all", true
	}
	switch s.rule {
	case ScopeAny:
		return s.named, true
	case ScopePrefix:
		return s.named, s.coversPrefix(u)
	}
	_, in = s.seeds[s.openerKey(u)]
	return s.named, in || s.rest.some && s.rest.has(s.SeedOf(u))
}

// openerKey is the key of SeedOf, which most links need nothing else of, by the rules page, host and domain.
func (s *Scope) openerKey(u weburl.URL) uint64 {
	word, text := hostWord, scopeHost(u)
	switch s.rule {
	case ScopePage:
		word, text = pageWord, u.String()
	case ScopeDomain:
		word, text = domainWord, weburl.RegistrableDomain(u.Hostname())
	}
	var hash xxhash.Digest
	hash.Reset()
	writeAll(&hash, word, text)
	return hash.Sum64()
}

// coversPrefix looks for a seed at each directory of the path, so its cost is the depth of the path and
// not the number of seeds.
func (s *Scope) coversPrefix(u weburl.URL) bool {
	var hash xxhash.Digest // grows with the prefix, so that a path of nothing but slashes costs no more than another
	hash.Reset()
	writeAll(&hash, prefixWord, scopeHost(u))
	for dir := range strings.SplitAfterSeq(u.Path(), "/") {
		if !strings.HasSuffix(dir, "/") {
			break
		}
		writeAll(&hash, dir)
		if _, in := s.seeds[hash.Sum64()]; in {
			return true
		}
	}
	return s.restCovers(u)
}

func writeAll(hash *xxhash.Digest, texts ...string) {
	for _, t := range texts {
		hash.WriteString(t) // never fails
	}
}

// What begins the ScopeSeed of each rule.
const (
	pageWord   = "page "
	prefixWord = "prefix "
	hostWord   = "host "
	domainWord = "domain "
)

func prefixSeed(u weburl.URL, end int) ScopeSeed {
	return ScopeSeed(prefixWord + scopeHost(u) + u.Path()[:end])
}

// scopeHost is the host without a leading "www.", so that both spellings of a site are one.
func scopeHost(u weburl.URL) string { return strings.TrimPrefix(string(u.Host()), "www.") }

// OpensPrivate reports whether a redirect to u must not widen the scope: it spells an address or a name
// of this machine or of a private network.
func OpensPrivate(u weburl.URL) bool {
	name := strings.TrimSuffix(u.Hostname(), ".")
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(weburl.TrimBrackets(name))
	return err == nil && weburl.PrivateAddress(addr)
}

// Openers are the seeds that put u in scope, if they were opened, the widest first; none when the rule takes
// everything anyway.
func (s *Scope) Openers(u weburl.URL) iter.Seq[ScopeSeed] {
	return func(yield func(ScopeSeed) bool) {
		switch s.rule {
		case ScopeAny:
		case ScopePrefix:
			path := u.Path()
			for i := range len(path) {
				if path[i] == '/' && !yield(prefixSeed(u, i+1)) {
					return
				}
			}
		default:
			yield(s.SeedOf(u))
		}
	}
}
