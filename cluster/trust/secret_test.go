package trust

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"trawl/cluster"
)

// ourSecret and theirSecret are two clusters'.
var (
	ourSecret   = Secret("correct horse battery staple")
	theirSecret = Secret("another horse battery staple")
)

func TestParseSecret(t *testing.T) {
	tests := []struct {
		name, text, want string
	}{
		{"sixteen bytes are enough", "0123456789abcdef", "0123456789abcdef"},
		{"fifteen are not", "0123456789abcde", ""},
		{"white space around it does not count", "\n 0123456789abcdef \r\n", "0123456789abcdef"},
		{"white space does not make it long enough", "0123456789abcde     ", ""},
		{"two lines are no secret", "0123456789abcdef\n0123456789abcdef", ""},
		{"nothing is no secret", "", ""},
		{"a book is no secret", strings.Repeat("a", MaxSecret+1), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseSecret(tt.text)
			if got := string(s); got != tt.want {
				t.Errorf("got %q", got)
			}
			if (err != nil) != (tt.want == "") {
				t.Errorf("err %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), "trawl secret") {
				t.Errorf("the error does not say how to make one: %v", err)
			}
		})
	}
}

func TestANewSecretIsOne(t *testing.T) {
	made := NewSecret()
	if s, err := ParseSecret(made + "\n"); err != nil || string(s) != made {
		t.Fatalf("a new secret is none: %v", err)
	}
	if NewSecret() == made {
		t.Error("two new secrets are equal")
	}
}

func TestASecretNeverShows(t *testing.T) {
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%s", "%q", "%x", "%X", "%d", "%#v", "%+v", "%o"} {
		fmt.Fprintf(&out, verb+"\n", ourSecret)
		fmt.Fprintf(&out, verb+"\n", struct{ S Secret }{ourSecret})
		fmt.Fprintf(&out, verb+"\n", holder{Keys: ringOf(ourSecret)})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", ourSecret)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", ourSecret, "in", struct{ S Secret }{ourSecret})
	if err := json.NewEncoder(&out).Encode(struct{ S Secret }{ourSecret}); err != nil {
		t.Fatal(err)
	}
	s := string(ourSecret)
	for name, form := range map[string]string{
		"text":    s,
		"hex":     fmt.Sprintf("%x", s),
		"HEX":     fmt.Sprintf("%X", s),
		"numbers": fmt.Sprint(99, 111, 114, 114),
		"octal":   fmt.Sprintf("%o", []byte("corr")[0:2]),
		"base64":  "Y29ycmVjdCBob3Jz",
	} {
		if strings.Contains(out.String(), strings.Trim(form, "[]")) {
			t.Errorf("the secret shows as %s", name)
		}
	}
}

func TestDerivedKeysDiffer(t *testing.T) {
	seen := map[string]string{}
	add := func(what string, key []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[string(key)]; ok {
			t.Errorf("%s and %s have the same key", what, other)
		}
		seen[string(key)] = what
	}
	for name, s := range map[string]Secret{"one": ourSecret, "other": theirSecret} {
		g, err := s.GossipKey()
		add(name+" gossip", g, err)
		if len(g) != 32 {
			t.Errorf("the gossip key has %d bytes", len(g))
		}
		a, err := s.authority()
		add(name+" authority", a.Seed(), err)
		c, err := s.ControlToken()
		add(name+" control", []byte(c), err)
		for _, role := range []cluster.Role{cluster.RoleScheduler, cluster.RoleFetcher} {
			u, err := s.UserKey(role)
			if err != nil {
				t.Fatal(err)
			}
			seed, err := u.Seed()
			add(name+" "+string(role), seed, err)
			again, _ := s.UserKey(role)
			p, _ := u.PublicKey()
			q, _ := again.PublicKey()
			if p != q || !strings.HasPrefix(p, "U") {
				t.Errorf("the user of a %s is %s, then %s", role, p, q)
			}
		}
	}
}

func TestDerivedKeysArePartOfTheProtocol(t *testing.T) {
	g, err := ourSecret.GossipKey()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%x", g[:4]), goldenGossip; got != want {
		t.Errorf("the gossip key begins with %s, nodes of earlier versions have %s", got, want)
	}
	u, err := ourSecret.UserKey(cluster.RoleFetcher)
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := u.PublicKey(); p != goldenFetcher {
		t.Errorf("a fetcher's user is %s, for nodes of earlier versions %s", p, goldenFetcher)
	}
}

// What the first version derived from ourSecret.
const (
	goldenGossip  = "e4c3335d"
	goldenFetcher = "UCW27SFAOWDBX5NJCOAQTPFN3JZSHNUYKQWCELHCEWEL4OIWUBPAFNQF"
)

func TestWithoutASecretThereAreNoKeys(t *testing.T) {
	var none Secret
	if _, err := none.GossipKey(); err == nil {
		t.Error("a gossip key from nothing")
	}
	if _, err := none.UserKey(cluster.RoleFetcher); err == nil {
		t.Error("a user from nothing")
	}
	if _, err := ourSecret.UserKey(cluster.Role("both")); err == nil {
		t.Error("a user for no single role")
	}
	if _, err := ringOf(none).ServerTLS(cluster.RoleFetcher, "n"); err == nil {
		t.Error("a certificate from nothing")
	}
}
