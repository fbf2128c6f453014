package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
)

// rawLoop asks with as little work as can be, to see what the synthetic web can do.
func rawLoop(ctx context.Context, s loopSettings, n int) error {
	pool := rawPool{idle: make(map[string][]*rawConn)}
	return loop(ctx, s, n, func() func(string) error {
		return func(u string) error {
			host, path, _ := strings.Cut(strings.TrimPrefix(u, "http://"), "/")
			c, err := pool.take(host)
			if err != nil {
				return err
			}
			defer pool.put(host, c)
			return c.get(host, path)
		}
	})
}

// rawPool keeps connections for reuse.
type rawPool struct {
	mu   sync.Mutex
	idle map[string][]*rawConn // guarded by mu
}

func (p *rawPool) take(host string) (*rawConn, error) {
	if c := p.reuse(host); c != nil {
		return c, nil
	}
	c, err := net.Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	return &rawConn{Conn: c, in: bufio.NewReaderSize(c, 32<<10)}, nil
}

// reuse takes an idle connection, nil when there is none.
func (p *rawPool) reuse(host string) *rawConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	free := p.idle[host]
	if len(free) == 0 {
		return nil
	}
	c := free[len(free)-1]
	p.idle[host] = free[:len(free)-1]
	return c
}

func (p *rawPool) put(host string, c *rawConn) {
	p.mu.Lock()
	p.idle[host] = append(p.idle[host], c)
	p.mu.Unlock()
}

// rawConn is one connection.
type rawConn struct {
	net.Conn
	in  *bufio.Reader
	out []byte
}

func (c *rawConn) get(host, path string) error {
	c.out = fmt.Appendf(c.out[:0], "GET /%s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host)
	if _, err := c.Write(c.out); err != nil {
		return err
	}
	length := 0
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 { // the empty line
			_, err = c.in.Discard(length)
			return err
		}
		if digits, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(digits))); err != nil {
				return err
			}
		}
	}
}
