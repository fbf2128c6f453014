// Command bigbody serves one body of any size, made as it is sent, with ranges and a validator, and tells what was asked
// of it. It is the other side of the acceptance test of large downloads.
//
//	bigbody serve SIZE ADDRESS-FILE LOG-FILE   serve /file; a line for each request for it
//	bigbody sum SIZE                           print the sha256 of the body
//	bigbody run PID-FILE RSS-FILE COMMAND…     run a command, and note its process id and its peak memory in KiB
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() >= 0 {
			os.Exit(exit.ExitCode())
		}
		fmt.Fprintln(os.Stderr, "bigbody:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 4 && args[0] == "serve":
		size, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return err
		}
		return serve(size, args[2], args[3])
	case len(args) == 2 && args[0] == "sum":
		size, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return err
		}
		sum := sha256.New()
		_, err = io.Copy(sum, &body{size: size})
		fmt.Printf("%x\n", sum.Sum(nil))
		return err
	case len(args) >= 4 && args[0] == "run":
		return measure(args[1], args[2], args[3:])
	}
	return errors.New("usage: serve SIZE ADDRESS-FILE LOG-FILE | sum SIZE | run PID-FILE RSS-FILE COMMAND…")
}

// body is a body of size bytes that depend on their place alone. It is read and sought as a file.
type body struct{ size, at int64 }

func (b *body) Read(p []byte) (int, error) {
	if b.at >= b.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), b.size-b.at)]
	n := 0
	for n < len(p) {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], mix(uint64(b.at)/8))
		c := copy(p[n:], word[b.at%8:])
		n, b.at = n+c, b.at+int64(c)
	}
	return n, nil
}

// mix is splitmix64.
func mix(n uint64) uint64 {
	n = (n + 1) * 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

func (b *body) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 {
		return 0, errors.New("before the beginning")
	}
	b.at = offset
	return offset, nil
}

// counted counts the bytes of an answer's body.
type counted struct {
	http.ResponseWriter
	status int
	n      int64
}

func (c *counted) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n += int64(n)
	return n, err
}

// serve serves until it is killed. A request is noted when its answer has ended.
func serve(size int64, addressFile, logFile string) error {
	log, err := os.Create(logFile)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var mu sync.Mutex
	modified := time.Now().Add(-time.Hour)
	http.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		c := &counted{ResponseWriter: w, status: http.StatusOK}
		c.Header().Set("ETag", `"v1"`)
		c.Header().Set("Content-Type", "application/x-big")
		http.ServeContent(c, r, "file", modified, &body{size: size})
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(log, "status=%d range=%q if-range=%q sent=%d\n", c.status, r.Header.Get("Range"), r.Header.Get("If-Range"), c.n)
	})
	if err := replace(addressFile, l.Addr().String()); err != nil {
		return err
	}
	return http.Serve(l, nil)
}

// measure runs a command to its end, whatever that is.
func measure(pidFile, rssFile string, command []string) error {
	c := exec.Command(command[0], command[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := c.Start(); err != nil {
		return err
	}
	err := errors.Join(replace(pidFile, strconv.Itoa(c.Process.Pid)), c.Wait())
	if used, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peak := used.Maxrss
		if runtime.GOOS == "darwin" {
			peak /= 1024 // bytes there
		}
		err = errors.Join(err, replace(rssFile, strconv.FormatInt(peak, 10)))
	}
	return err
}

// replace writes a small file that is never seen half-written.
func replace(name, text string) error {
	temp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name))
	if err := os.WriteFile(temp, []byte(text+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, name)
}
