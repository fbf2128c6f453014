package weburl

import (
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/net/publicsuffix"
)

// Partitions is the number of shares the hosts are divided into. It is part of the ledger's format.
const Partitions = 256

// Host is the politeness unit: a name in lower case (A-labels, or an IP literal, IPv6 in brackets),
// with ":port" unless the port is 80 or 443. One server name on both default ports is one host.
type Host string

// HostKey is the hash of a host. Its first byte is the host's partition, so keys that begin with it are
// ordered by partition.
type HostKey uint64

// Partition is a fixed share of the hosts: the unit by which the ledger can be spread.
type Partition uint8

// Key hashes the host (xxhash64, part of the ledger's format).
func (h Host) Key() HostKey { return HostKey(xxhash.Sum64String(string(h))) }

// Partition reports which share of the hosts h belongs to.
func (h Host) Partition() Partition { return h.Key().Partition() }

// Partition reports which share of the hosts the key belongs to.
func (k HostKey) Partition() Partition { return Partition(k >> 56) }

// URLKey names a URL's row: the hash of its host, then the hash of its canonical text. Rows hold the
// text, which is compared wherever a key is found, so that a collision is noticed and never loses a URL
// silently.
type URLKey struct {
	Host HostKey
	URL  uint64
}

// Sorted are keys in order, each once.
func Sorted(keys []URLKey) []URLKey {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, URLKey.Compare)
	return slices.Compact(keys)
}

// Compare orders keys as the ledger stores them.
func (k URLKey) Compare(o URLKey) int {
	switch {
	case k.Host < o.Host:
		return -1
	case k.Host > o.Host:
		return 1
	case k.URL < o.URL:
		return -1
	case k.URL > o.URL:
		return 1
	}
	return 0
}

// After is the key behind k; more is false when there can be none.
func (h HostKey) After() (next HostKey, more bool) { return h + 1, h != math.MaxUint64 }

// After is the key behind k; more is false when there can be none.
func (k URLKey) After() (next URLKey, more bool) {
	if k.URL != math.MaxUint64 {
		return URLKey{Host: k.Host, URL: k.URL + 1}, true
	}
	h, more := k.Host.After()
	return URLKey{Host: h}, more
}

// OtherSpelling is the host with the leading "www." that it lacks, or without: both spell one site. "" for addresses.
func (h Host) OtherSpelling() Host {
	if IsAddress(h.Name()) {
		return ""
	}
	if bare, ok := strings.CutPrefix(string(h), "www."); ok {
		return Host(bare)
	}
	return "www." + h
}

// Name is the host without its port.
func (h Host) Name() string {
	name := string(h)
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		return name[:i]
	}
	return name
}

func IsAddress(name string) bool {
	_, err := netip.ParseAddr(TrimBrackets(name))
	return err == nil
}

func IsPublicSuffix(name string) bool {
	suffix, _ := publicsuffix.PublicSuffix(name)
	return suffix == name
}

// domain is the registrable domain, or the name itself where there is none (an address, localhost, a public
// suffix). A dot at the end makes no other domain.
func RegistrableDomain(name string) string {
	name = strings.TrimSuffix(name, ".")
	if _, err := netip.ParseAddr(name); err == nil {
		return name // the public suffix list would take 10.0.0.1 for a name in "0.1"
	}
	if d, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		return d
	}
	return name
}
