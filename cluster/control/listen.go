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
	"runtime"
	"sync"
	"time"

	"trawl/cluster/door"
)

// maxSocketPath is the longest path that every system takes for a socket, in bytes.
const maxSocketPath = 100

// socketFile is the listener of a Unix socket, which it removes when it is closed.
type socketFile struct {
	net.Listener
	path string
	made fs.FileInfo
	once sync.Once
}

// listenSocket makes a socket that only this user can connect to. It is made in a directory of its own and
// renamed, so that nobody gets at it before its mode is set, and one that a killed process left is replaced
// in one step. One that is answered is left alone.
func listenSocket(path string) (net.Listener, error) {
	if err := checkStale(path); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".control-*") // mode 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	short, release, err := shortPath(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(short, "s"), Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	temp := filepath.Join(dir, "s")
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
	return &socketFile{Listener: newLimitListener(l, MaxConnections), path: path, made: made}, nil
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
	conn, err := dialSocket(path, time.Second)
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

func dialSocket(path string, timeout time.Duration) (net.Conn, error) {
	short, release, err := shortPath(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer release()
	return net.DialTimeout("unix", filepath.Join(short, filepath.Base(path)), timeout)
}

// shortPath gives a name for a directory that is short enough for a socket in it, and what gives it back.
// The system's limit is about 100 bytes; crawl directories are named after hosts and may be longer.
func shortPath(dir string) (string, func(), error) {
	if len(dir) <= maxSocketPath-20 {
		return dir, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, fmt.Errorf("the path of %s is too long for a socket: use a shorter --dir", dir)
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", f.Fd()), func() { f.Close() }, nil
}

// limitListener serves so many connections at once; more wait in the kernel's queue.
type limitListener struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
}

func newLimitListener(l net.Listener, n int) net.Listener {
	return &limitListener{Listener: l, slots: make(chan struct{}, n), done: make(chan struct{})}
}

func (l *limitListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: conn, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *limitListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// doorListener hands out connections that stand at a door until [Server.welcome] lets them pass.
type doorListener struct {
	net.Listener
	door *door.Door
}

func (l *doorListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.door.Enter(conn), nil
}

// entrantKey finds in a request's context the connection that it came on, where that came through a door.
type entrantKey struct{}

func withEntrant(ctx context.Context, conn net.Conn) context.Context {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if e, ok := conn.(*door.Entrant); ok {
		return context.WithValue(ctx, entrantKey{}, e)
	}
	return ctx
}

// welcome lets the connection of a request that is not turned away pass the door, and reports whether there is
// room behind it.
func (c *Server) welcome(r *http.Request) bool {
	e, ok := r.Context().Value(entrantKey{}).(*door.Entrant)
	return !ok || e.Pass(&c.guests, MaxGuests)
}
