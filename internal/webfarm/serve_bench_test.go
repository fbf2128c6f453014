package webfarm_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"trawl/internal/webfarm"
	"trawl/internal/webfarm/webfarmtest"
)

// BenchmarkServe is the farm's own ceiling: clients that do as little as can be.
func BenchmarkServe(b *testing.B) {
	f := webfarmtest.Start(b, webfarm.Options{Hosts: 10, PagesPerHost: 200, Assets: -1})
	var urls []string
	for u := range f.URLs() {
		urls = append(urls, strings.TrimPrefix(u, "http://"))
	}
	b.RunParallel(func(pb *testing.PB) {
		conns := make(map[string]*bufio.ReadWriter)
		for i := 0; pb.Next(); i++ {
			host, path, _ := strings.Cut(urls[i*7%len(urls)], "/")
			c := conns[host]
			if c == nil {
				conn, err := net.Dial("tcp", host)
				if err != nil {
					b.Error(err)
					return
				}
				defer conn.Close()
				c = bufio.NewReadWriter(bufio.NewReaderSize(conn, 32<<10), bufio.NewWriter(conn))
				conns[host] = c
			}
			fmt.Fprintf(c, "GET /%s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host)
			c.Flush()
			if err := skipAnswer(c.Reader); err != nil {
				b.Error(err)
				return
			}
		}
	})
	a := f.Audit().Total
	b.SetBytes(a.Bytes / a.Requests)
}

// skipAnswer reads an answer and throws it away.
func skipAnswer(in *bufio.Reader) error {
	length := 0
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if line == "\r\n" {
			_, err = io.CopyN(io.Discard, in, int64(length))
			return err
		}
		if digits, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if length, err = strconv.Atoi(strings.TrimSpace(digits)); err != nil {
				return err
			}
		}
	}
}
