package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"trawl/cluster/clustertest"
)

// ringOf is a keyring of secrets that are known to be good; nil of none.
func ringOf(secrets ...Secret) *Keyring {
	if secrets[0].IsZero() {
		return nil
	}
	r, err := NewKeyring(secrets...)
	if err != nil {
		panic(err)
	}
	return r
}

func TestParseSecrets(t *testing.T) {
	a, b := "0123456789abcdef", "fedcba9876543210"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"one":                       {a, []string{a}},
		"two, the first is current": {a + "\n" + b + "\n", []string{a, b}},
		"empty lines do not count":  {"\n" + a + "\r\n\n  \n" + b, []string{a, b}},
		"one twice is one":          {a + "\n" + b + "\n" + a + "\n", []string{a, b}},
		"nothing":                   {"\n \n", nil},
		"one that is too short":     {a + "\nshort\n", nil},
		"more than anybody needs":   {manySecrets(MaxSecrets + 1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseSecrets(c.text)
			if (err != nil) != (c.want == nil) || len(got) != len(c.want) {
				t.Fatalf("%d secrets, %v", len(got), err)
			}
			for i := range got {
				if string(got[i]) != c.want[i] {
					t.Errorf("the secret %d is another one", i)
				}
			}
			if err != nil && strings.Contains(err.Error(), a) {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func manySecrets(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a secret with the number %d\n", i)
	}
	return b.String()
}

// followed is a keyring with a secret file, and its log.
type followed struct {
	*Keyring
	t    *testing.T
	file string
	log  bytes.Buffer
}

func follow(t *testing.T, text string) *followed {
	f := &followed{t: t, file: filepath.Join(t.TempDir(), "secret")}
	f.write(text)
	var err error
	f.Keyring, err = OpenKeyring(KeyFiles{Secret: f.file}, slog.New(slog.NewTextHandler(&f.log, nil)))
	clustertest.Must(t, err)
	return f
}

func (f *followed) write(text string) {
	clustertest.Must(f.t, os.WriteFile(f.file, []byte(text), 0o600))
}

func (f *followed) holds(want ...Secret) {
	f.t.Helper()
	if k := f.state(); !k.same(want, nil) {
		f.t.Errorf("%d secrets are accepted now, or others", len(k.secrets))
	}
}

func TestAChangedSecretFileIsTakenWhenTwoLooksAgree(t *testing.T) {
	f := follow(t, string(ourSecret)+"\n")
	changed := f.Changed()
	f.write(string(ourSecret) + "\n" + string(theirSecret)[:20]) // still being written
	f.look(false)
	f.holds(ourSecret)
	f.write(string(ourSecret) + "\n" + string(theirSecret))
	f.look(false)
	f.holds(ourSecret)
	f.look(false)
	f.holds(ourSecret, theirSecret)
	select {
	case <-changed:
	default:
		t.Error("nobody was told")
	}
	f.write(string(theirSecret))
	f.Reload()
	f.holds(theirSecret)
	if s := f.log.String(); strings.Contains(s, "horse") || !strings.Contains(s, "are accepted now") {
		t.Errorf("the log says %q", s)
	}
}

func TestASecretFileThatCannotBeUsedChangesNothingAndIsToldOnce(t *testing.T) {
	for name, spoil := range map[string]func(f *followed){
		"it is gone":          func(f *followed) { clustertest.Must(t, os.Remove(f.file)) },
		"it is empty":         func(f *followed) { f.write("") },
		"a line is no secret": func(f *followed) { f.write(string(ourSecret) + "\nshort") },
	} {
		t.Run(name, func(t *testing.T) {
			f := follow(t, string(ourSecret))
			spoil(f)
			for range 5 {
				f.look(false)
			}
			f.Reload()
			f.holds(ourSecret)
			if s := f.log.String(); strings.Count(s, "level=WARN") != 1 || strings.Contains(s, "horse") {
				t.Errorf("the log says %q", s)
			}
			f.write(string(ourSecret))
			f.look(true)
			f.write(string(theirSecret))
			f.look(true)
			f.holds(theirSecret)
		})
	}
}

func TestFilesAreFollowedWhileRunRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, string(ourSecret))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		f.write(string(theirSecret))
		<-f.Changed()
		f.holds(theirSecret)
		cancel()
		clustertest.Must(t, <-done)
	})
	if err := (*Keyring)(nil).Run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAFileThatOthersCanReadIsWarnedOf(t *testing.T) {
	for mode, warns := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true} {
		file := filepath.Join(t.TempDir(), "secret")
		clustertest.Must(t, os.WriteFile(file, ourSecret, 0o600))
		clustertest.Must(t, os.Chmod(file, mode))
		var log bytes.Buffer
		_, err := OpenKeyring(KeyFiles{Secret: file}, slog.New(slog.NewTextHandler(&log, nil)))
		clustertest.Must(t, err)
		if got := strings.Contains(log.String(), "chmod 600"); got != warns || strings.Contains(log.String(), "horse") {
			t.Errorf("mode %o: %q", mode, log.String())
		}
	}
}

// holder is a struct with a keyring in it, as options of the other rooms are.
type holder struct {
	Name string
	Keys *Keyring
}

func TestAKeyringNeverShows(t *testing.T) {
	f := follow(t, string(ourSecret)+"\n"+string(theirSecret))
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%s", "%q", "%x", "%d", "%#v", "%+v"} {
		fmt.Fprintf(&out, verb+"\n", f.Keyring)
		fmt.Fprintf(&out, verb+"\n", holder{Name: "n", Keys: f.Keyring})
		fmt.Fprintf(&out, verb+"\n", KeyFiles{Given: ourSecret})
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "keys", f.Keyring)
	for _, form := range []string{"horse", fmt.Sprintf("%x", "horse"), "104 111 114 115 101"} {
		if strings.Contains(out.String(), form) {
			t.Errorf("a secret shows as %q", form)
		}
	}
}

func TestWithoutASecretThereIsNoKeyring(t *testing.T) {
	r, err := OpenKeyring(KeyFiles{}, slog.New(slog.DiscardHandler))
	if r != nil || err != nil {
		t.Errorf("%v, %v", r, err)
	}
	if !r.IsZero() || r.Current() != nil || r.Changed() != nil || r.OwnPKI() {
		t.Error("nothing is something")
	}
	if _, err := NewKeyring(); !errors.Is(err, ErrNeedSecret) {
		t.Errorf("%v", err)
	}
	if err := ringOf(ourSecret).Set(); err == nil {
		t.Error("the last secret was taken away")
	}
}
