package crawler

import (
	"fmt"
	"strings"

	"trawl/crawler/weburl"
)

// HostIndex finds the rule of a host by its name and the names above it, so that a job may have any number of rules.
type HostIndex struct {
	of    *HostRule // the first of the rules it was made from, to notice others
	n     int
	rules map[string]int // by the match without "*."; the first of equal ones
}

// Equal says that what rules are found by makes no difference between jobs.
func (i *HostIndex) Equal(*HostIndex) bool { return true }

// IndexHosts makes the rules of hosts quick to find. [Job.Validate] does it, too; a copy of the job shares it.
func (j *Job) IndexHosts() {
	j.Index = nil
	if len(j.Hosts) == 0 {
		return
	}
	index := &HostIndex{of: &j.Hosts[0], n: len(j.Hosts), rules: make(map[string]int, len(j.Hosts))}
	for i := range j.Hosts {
		k := j.Hosts[i].key()
		if _, twice := index.rules[k]; !twice {
			index.rules[k] = i
		}
	}
	j.Index = index
}

// RuleOf is the rule that names the host most closely, nil when none does: the host itself, its name, then each name above it.
func (j *Job) RuleOf(h weburl.Host) *HostRule {
	if len(j.Hosts) == 0 {
		return nil
	}
	find := j.search
	if i := j.Index; i != nil && i.n == len(j.Hosts) && i.of == &j.Hosts[0] {
		find = i.find
	}
	if i, ok := find(string(h)); ok {
		return &j.Hosts[i]
	}
	name := h.Name()
	for {
		if i, ok := find(name); ok {
			return &j.Hosts[i]
		}
		_, above, more := strings.Cut(name, ".")
		if !more || strings.HasPrefix(name, "[") {
			return nil
		}
		name = above
	}
}

func (i *HostIndex) find(match string) (int, bool) {
	n, ok := i.rules[match]
	return n, ok
}

// search is find for a job without an index.
func (j *Job) search(match string) (int, bool) {
	for i := range j.Hosts {
		if j.Hosts[i].key() == match {
			return i, true
		}
	}
	return 0, false
}

// key is what the rule is found by.
func (r *HostRule) key() string { return strings.TrimPrefix(strings.ToLower(r.Match), "*.") }

// canonicalMatch is the form in which a rule can match: that of a [weburl.Host], or of a name behind "*.". What could never match is
// refused with what to write instead.
func canonicalMatch(match string) (string, error) {
	text := strings.TrimSpace(match)
	name, below := strings.CutPrefix(text, "*.")
	if !below {
		name, below = strings.CutPrefix(text, ".")
	}
	switch {
	case text == "*" || below && name == "":
		return "", fmt.Errorf("%q would be every host: use the setting of the job itself", match)
	case name == "" || strings.ContainsAny(name, " /?#@"):
		return "", fmt.Errorf("%q is no host or domain", match)
	case strings.Contains(name, "*"):
		return "", fmt.Errorf("%q: a * stands only at the beginning, as in *.example.com", match)
	case strings.Count(name, ":") > 1 && !strings.HasPrefix(name, "["):
		return "", fmt.Errorf("%q: write an IPv6 address in brackets, as in [%s]", match, name)
	}
	u, err := weburl.Parse("http://" + name + "/")
	if err != nil {
		return "", fmt.Errorf("%q is no host or domain", match)
	}
	h := string(u.Host())
	if !below {
		return h, nil
	}
	if h != u.Host().Name() {
		return "", fmt.Errorf("%q: names below a domain are matched on every port; write *.%s, or one name with its port", match, u.Host().Name())
	}
	return "*." + h, nil
}

// canonicalHosts puts the rules' matches into the form in which they can match. The job gets rules of its own for that.
func (j *Job) canonicalHosts() (problems []error) {
	rules := make([]HostRule, len(j.Hosts))
	for i := range j.Hosts {
		rules[i] = j.Hosts[i]
		match, err := canonicalMatch(rules[i].Match)
		if err != nil {
			problems = append(problems, fmt.Errorf("hosts: %w", err))
			continue
		}
		rules[i].Match = match
		problems = append(problems, rules[i].validate()...)
	}
	if len(problems) == 0 && len(rules) > 0 {
		j.Hosts = rules
		j.IndexHosts()
	}
	return problems
}
