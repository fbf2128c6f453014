package webfarm

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Request is one exchange as the server saw it, a line of the log of requests. A line is written when its
// exchange is over, so lines are in the order of ends.
type Request struct {
	Begin, End time.Time  // as [Audit] words them; of the wall clock
	Source     netip.Addr // of the client
	Host       string     // name:port
	What       string     // page, robots, hop (another host's rules) or unknown
	Status     int        // 0 when nothing was answered
	Whole      bool       // all of the answer was handed to the kernel
	Final      bool       // the answer gave no reason to ask again
	Disallowed bool       // the host's robots.txt forbids it
	RetryAfter time.Duration
	Target     string // path and query
}

// whatWords are the words for what was asked for.
var whatWords = [...]string{whatPage: "page", whatRobots: "robots", whatRobotsHop: "hop", whatUnknown: "unknown"}

// append writes the line: the times in nanoseconds since 1970, the flags as letters (w, f, d, or - for none).
func (r *Request) append(b []byte) []byte {
	b = strconv.AppendInt(b, r.Begin.UnixNano(), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, r.End.UnixNano(), 10)
	b = append(b, ' ')
	b = r.Source.AppendTo(b)
	b = append(append(append(b, ' '), r.Host...), ' ')
	b = append(append(b, r.What...), ' ')
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(b, ' ')
	flags := len(b)
	for i, set := range []bool{r.Whole, r.Final, r.Disallowed} {
		if set {
			b = append(b, "wfd"[i])
		}
	}
	if len(b) == flags {
		b = append(b, '-')
	}
	b = append(b, ' ')
	b = strconv.AppendInt(b, r.RetryAfter.Milliseconds(), 10)
	return append(append(append(b, ' '), r.Target...), '\n')
}

// ParseRequest reads a line of the log of requests.
func ParseRequest(line string) (Request, error) {
	var r Request
	f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 9)
	if len(f) != 9 {
		return r, fmt.Errorf("log of requests: %q has %d fields, want 9", line, len(f))
	}
	begin, err1 := strconv.ParseInt(f[0], 10, 64)
	end, err2 := strconv.ParseInt(f[1], 10, 64)
	source, err3 := netip.ParseAddr(f[2])
	status, err4 := strconv.Atoi(f[5])
	wait, err5 := strconv.ParseInt(f[7], 10, 64)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return r, fmt.Errorf("log of requests: %q: %w", line, err)
	}
	return Request{
		Begin: time.Unix(0, begin), End: time.Unix(0, end), Source: source, Host: f[3], What: f[4], Status: status,
		Whole: strings.Contains(f[6], "w"), Final: strings.Contains(f[6], "f"), Disallowed: strings.Contains(f[6], "d"),
		RetryAfter: time.Duration(wait) * time.Millisecond, Target: f[8],
	}, nil
}

// requestLog writes lines through a buffer. Safe for concurrent use.
type requestLog struct {
	mu   sync.Mutex
	w    *bufio.Writer
	line []byte
}

func newRequestLog(w io.Writer) *requestLog { return &requestLog{w: bufio.NewWriterSize(w, 256<<10)} }

func (l *requestLog) add(r *Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line = r.append(l.line[:0])
	l.w.Write(l.line) // an error stays, and is told by the flush
}

// FlushRequests hands what is buffered of the log of requests to its writer. Without a log it does nothing.
func (f *Farm) FlushRequests() error {
	if f.requests == nil {
		return nil
	}
	f.requests.mu.Lock()
	defer f.requests.mu.Unlock()
	if err := f.requests.w.Flush(); err != nil {
		return fmt.Errorf("log of requests: %w", err)
	}
	return nil
}

// log notes an exchange that is over.
func (p *peer) log(a asked, status int, end time.Time, whole bool, how answered) {
	if p.farm.requests == nil {
		return
	}
	r := Request{
		Begin: a.start, End: end, Host: p.farm.faces[p.host.number].authority, What: whatWords[a.what],
		Status: status, Whole: whole, Final: how.final, Disallowed: a.disallowed, RetryAfter: how.retryAfter,
		Target: string(a.target),
	}
	if c, ok := p.raw.RemoteAddr().(*net.TCPAddr); ok {
		r.Source = c.AddrPort().Addr().Unmap()
	}
	if how.bytes == 0 {
		r.Status = 0
	}
	p.farm.requests.add(&r)
}
