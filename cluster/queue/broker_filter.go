package queue

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxLine is the longest line of a client, in bytes, as the server has it.
const maxLine = 4096

// guard reads what a fetcher says to the server, and stops at what the server's own rights cannot refuse:
//
//   - A reply subject. The server checks where a client publishes, not where it wants the answer; the answer goes out
//     with the rights of the one that answers. A request for tasks that is answered with an empty message would delete a
//     stream whose deletion it names as its inbox.
//   - Inboxes of all fetchers at once. They have one key and so the same rights; each finds its own by a long random
//     name, and may not ask for others by a wildcard.
//   - Headers, with which a message can give the server orders. A fetcher sends none.
//
// It takes the forms that nats.go writes and no others, so that the server cannot read a line in another way.
type filter struct {
	in    *bufio.Reader
	inbox string // what names of inboxes begin with
}

func newFilter(in io.Reader, inbox string) *filter {
	return &filter{in: bufio.NewReaderSize(in, max(maxLine, relayBuffer)), inbox: inbox + "."}
}

// errNotAllowed begins what is said of a line that was not let through.
var errNotAllowed = errors.New("a fetcher may not say that to the queue")

// carry copies to the server until the client ends, or says what it may not. The error is nil, or errNotAllowed.
func (f *filter) carry(to io.Writer) error {
	out := bufio.NewWriterSize(to, relayBuffer)
	for {
		line, err := f.in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull) || len(line) > maxLine:
			return fmt.Errorf("%w: a line of more than %d bytes", errNotAllowed, maxLine)
		case err != nil:
			return nil
		}
		payload, err := f.check(line)
		if err != nil {
			return err
		}
		if _, err := out.Write(line); err != nil {
			return nil
		}
		if payload >= 0 { // and the end of its line
			if _, err := io.CopyN(out, f.in, payload+2); err != nil {
				return nil
			}
		}
		if f.in.Buffered() == 0 && out.Flush() != nil {
			return nil
		}
	}
}

// check reads a line and reports how many bytes of payload follow, -1 for none.
func (f *filter) check(line []byte) (payload int64, err error) {
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return 0, fmt.Errorf("%w: %.80q", errNotAllowed, line)
	}
	verb, rest, _ := strings.Cut(string(text), " ")
	args := strings.Fields(rest)
	ok = false
	payload = -1
	switch verb {
	case "CONNECT", "PING", "PONG", "UNSUB":
		ok = true
	case "SUB": // subject [group] number
		ok = len(args) >= 2 && f.own(args[0])
		if len(args) >= 2 && !strings.HasPrefix(args[0], f.inbox) {
			ok = true // the server refuses it, and says so
		}
	case "PUB": // subject [reply] size
		if len(args) < 2 || len(args) > 3 || len(args) == 3 && !f.own(args[1]) {
			break
		}
		payload, err = strconv.ParseInt(args[len(args)-1], 10, 32)
		ok = err == nil && payload >= 0
	}
	if !ok {
		return 0, fmt.Errorf("%w: %.200q", errNotAllowed, text)
	}
	return payload, nil
}

// own reports whether a subject can be a fetcher's inbox, or all of what is below it: the name comes first, and is
// no wildcard.
func (f *filter) own(subject string) bool {
	name, ok := strings.CutPrefix(subject, f.inbox)
	if !ok {
		return false
	}
	name, _, _ = strings.Cut(name, ".")
	return len(name) >= 8 && !strings.ContainsAny(name, "*>")
}
