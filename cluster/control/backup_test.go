package control

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

func TestControlSendsABackup(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	for name, tt := range map[string]struct {
		make func(context.Context, io.Writer) error
		why  string
	}{
		"a whole one":             {func(_ context.Context, w io.Writer) error { _, err := w.Write(content); return err }, ""},
		"one that is not begun":   {func(context.Context, io.Writer) error { return errors.New("the disk is full") }, "the disk is full"},
		"one that ends too early": {func(_ context.Context, w io.Writer) error { w.Write(content); return errors.New("the disk is full") }, "EOF"},
		"one that nobody offers":  {nil, "does not offer that"},
	} {
		t.Run(name, func(t *testing.T) {
			a := startControl(t, Options{Socket: filepath.Join(t.TempDir(), "s"), Backup: tt.make})
			c := clientTo(t, a.opts.Socket, nil)
			var got bytes.Buffer
			err := c.Backup(t.Context(), &got)
			switch {
			case tt.why == "" && (err != nil || !bytes.Equal(got.Bytes(), content)):
				t.Errorf("%d bytes, %v", got.Len(), err)
			case tt.why != "" && (err == nil || !strings.Contains(err.Error(), tt.why)):
				t.Errorf("ended with %v, want %q", err, tt.why)
			}
		})
	}
}

func TestControlEndsDuringABackup(t *testing.T) {
	begun := make(chan struct{})
	a := startControl(t, Options{Socket: filepath.Join(t.TempDir(), "s"), Backup: func(ctx context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "begun")
		close(begun)
		<-ctx.Done()
		return errors.Join(err, ctx.Err())
	}})
	c := clientTo(t, a.opts.Socket, nil)
	ended := make(chan error, 1)
	go func() { ended <- c.Backup(context.Background(), io.Discard) }()
	<-begun
	a.end(t)
	if err := <-ended; err == nil {
		t.Error("half a backup was taken for a whole one")
	}
}

func TestABackupWhoseWriterFails(t *testing.T) {
	a := startControl(t, Options{Socket: filepath.Join(t.TempDir(), "s"), Backup: func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "all of it")
		return err
	}})
	full := errors.New("no room")
	if err := clientTo(t, a.opts.Socket, nil).Backup(t.Context(), failing{full}); !errors.Is(err, full) {
		t.Errorf("ended with %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestBackupStore(t *testing.T) {
	objects := map[string][]byte{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, word, _ := r.BasicAuth()
		switch {
		case r.URL.Path == "/elsewhere":
			http.Redirect(w, r, "/b/x", http.StatusTemporaryRedirect)
		case user != "me" || word != "secret" || r.URL.Query().Get("sig") != "token":
			w.WriteHeader(http.StatusForbidden)
		case r.Method == http.MethodPut && r.ContentLength == 7:
			objects[r.URL.Path], _ = io.ReadAll(r.Body)
			w.WriteHeader(http.StatusCreated)
		case r.Method == http.MethodGet && objects[r.URL.Path] != nil:
			w.Write(objects[r.URL.Path])
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	at := func(user, path string) *url.URL {
		u, err := url.Parse(strings.Replace(server.URL, "://", "://"+user, 1) + path + "?sig=token")
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	s := NewBackupStore(nil)
	defer s.Close()
	if err := s.Put(t.Context(), at("me:secret@", "/b/x"), strings.NewReader("content"), 7); err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(t.Context(), at("me:secret@", "/b/x"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil || string(got) != "content" {
		t.Errorf("read %q, %v", got, err)
	}
	for name, err := range map[string]error{
		"403 Forbidden":      s.Put(t.Context(), at("you:secret@", "/b/x"), strings.NewReader("content"), 7),
		"404 Not Found":      errorOf(s.Get(t.Context(), at("me:secret@", "/b/y"))),
		"elsewhere":          s.Put(t.Context(), at("me:secret@", "/elsewhere"), strings.NewReader("content"), 7),
		"unexpected EOF":     s.Put(t.Context(), at("me:secret@", "/b/x"), strings.NewReader("cut"), 7),
		"connection refused": s.Put(t.Context(), &url.URL{Scheme: "http", Host: "127.0.0.1:1", User: url.UserPassword("me", "secret")}, strings.NewReader("content"), 7),
	} {
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "token") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func errorOf(r io.ReadCloser, err error) error {
	if err == nil {
		r.Close()
	}
	return err
}
