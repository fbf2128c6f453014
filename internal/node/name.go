package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"trawl/cluster"
	"trawl/cluster/gossip"
)

// maxName is how long a fetcher's name may be, in bytes.
const maxName = 64

// fetcherName is the name in the file, or what is given: the name that a directory's fetcher has in rows and in the names of its WARC files. It
// outlives the process, so that a fetcher that is started again knows the files it left.
// drawn says that it was made now, and so is nobody else's.
func fetcherName(file, given string) (name string, drawn bool, err error) {
	if given == "" {
		if b, err := os.ReadFile(file); err == nil && len(b) > 0 {
			return strings.TrimSpace(string(b)), false, nil
		}
		host, err := os.Hostname()
		if err != nil {
			host = "fetcher"
		}
		random := make([]byte, 3)
		rand.Read(random) // never fails since Go 1.24
		given, drawn = FileName(host)+"-"+hex.EncodeToString(random), true
	}
	if err := os.WriteFile(file, []byte(given+"\n"), 0o600); err != nil {
		return "", false, fmt.Errorf("store the fetcher's name: %w", err)
	}
	return given, drawn, nil
}

// settleName takes another name where a fetcher that lives has this one: the same name was given to several, or the
// directory was copied. A killed process of this directory still stands in the gossip for a while; it does not answer, and
// the name stays. It comes before the first work.
func (n *Fetcher) settleName(ctx context.Context) error {
	given := n.Name()
	for i := 2; !n.named; i++ {
		if !awaitGossip(ctx, n.members) {
			return nil
		}
		other, taken := n.namesake(ctx)
		if n.named = !taken; n.named {
			return nil
		}
		name := numbered(given, i)
		if _, _, err := fetcherName(n.o.Dir.FetcherName(), name); err != nil {
			return err
		}
		n.name.Store(&name)
		if err := n.members.Update(func(m *gossip.Meta) { m.Name = name }); err != nil {
			return fmt.Errorf("tell the fetcher's new name: %w", err)
		}
		n.o.Logger.Warn("another fetcher with this name is at work; this one goes on under another name, which its directory keeps", "address", other.Address.String(), "name", name)
	}
	return nil
}

// namesake is a living fetcher to which this one has to leave its name.
func (n *Fetcher) namesake(ctx context.Context) (gossip.Member, bool) {
	all := n.members.List()
	own := self(all)
	for _, m := range all {
		if !m.Self && m.Meta.Role == cluster.RoleFetcher && m.Meta.Name == n.Name() && m.Precedes(&own) && n.members.Answers(ctx, m) {
			return m, true
		}
	}
	return gossip.Member{}, false
}

// numbered is the name with a number behind it, and no longer than a name may be.
func numbered(name string, i int) string {
	number := "-" + strconv.Itoa(i)
	return name[:min(len(name), maxName-len(number))] + number
}

// FileName keeps of a name what can begin a file's name.
func FileName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, s)
	return s[:min(len(s), maxName)]
}
