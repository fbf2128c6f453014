package control

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"trawl/cluster/listen"
)

// socketFile is the listener of a Unix socket, which it removes when it is closed.
type socketFile struct {
	net.Listener
	path string
	made fs.FileInfo
	once sync.Once
}

// listenSocket makes a socket that only this user can connect to. It is made in a directory of its own and
// renamed, so that nobody gets at it before its mode is set, and one that a killed process left is replaced
// in one step. One that is answered is left alone. The path of that directory is two bytes longer than that of a
// control.sock; crawldir.ControlSocket leaves room for them.
func listenSocket(path string) (net.Listener, error) {
	if err := checkStale(path); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".s*") // mode 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	temp := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(temp, 0o600)
	if err == nil {
		err = os.Rename(temp, path)
	}
	var made fs.FileInfo
	if err == nil {
		made, err = os.Lstat(path)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return &socketFile{Listener: netutil.LimitListener(l, MaxConnections), path: path, made: made}, nil
}

// checkStale makes sure that what lies at the path may be replaced.
func checkStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is not a socket: move it away", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return fmt.Errorf("%s is in use by another trawl: stop that one first", path)
	}
	return nil
}

// Close stops listening and removes the socket, unless another one took its place.
func (s *socketFile) Close() error {
	err := s.Listener.Close()
	s.once.Do(func() {
		if now, statErr := os.Lstat(s.path); statErr == nil && os.SameFile(now, s.made) {
			os.Remove(s.path)
		}
	})
	return err
}

// limitedListener hands out connections that stand at a limiter until [Server.welcome] lets them pass.
type limitedListener struct {
	net.Listener
	limiter *listen.Limiter
}

func (l *limitedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.limiter.Add(conn), nil
}

// connKey finds in a request's context the connection that it came on, where that came through a limiter.
type connKey struct{}

func withConn(ctx context.Context, conn net.Conn) context.Context {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if e, ok := conn.(*listen.Conn); ok {
		return context.WithValue(ctx, connKey{}, e)
	}
	return ctx
}

// welcome lets the connection of a request that is not turned away pass the limiter, and reports whether there is
// room behind it.
func (c *Server) welcome(r *http.Request) bool {
	e, ok := r.Context().Value(connKey{}).(*listen.Conn)
	return !ok || e.Authenticated(&c.members, MaxMembers)
}
