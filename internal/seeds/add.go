package seeds

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"trawl/crawler"
)

// Adder takes seeds for a running job, a URL a line.
type Adder interface {
	Add(ctx context.Context, list io.Reader) (crawler.Added, error)
}

// Add gives a running job the seeds of an argument, as [Lists.Read] reads them. bad hears of each that cannot be
// read. It returns when the job has them, or has failed to take them; a read of standard input that waits then ends with what
// comes next.
func (l Lists) Add(ctx context.Context, to Adder, arg string, stdin io.Reader, bad func(error)) (crawler.Added, error) {
	lines, pipe := io.Pipe()
	var notRead atomic.Int64
	failed := make(chan error, 1)
	go func() {
		err := l.send(pipe, arg, stdin, func(err error) {
			notRead.Add(1)
			bad(err)
		})
		failed <- err
		pipe.CloseWithError(err) // nil is the end
	}()
	added, err := to.Add(ctx, lines)
	lines.Close()
	added.Bad += notRead.Load()
	select {
	case ours := <-failed:
		if ours != nil && !errors.Is(ours, io.ErrClosedPipe) {
			return added, ours
		}
	default:
	}
	return added, err
}

// send writes the seeds of an argument as lines of a list.
func (l Lists) send(to io.Writer, arg string, stdin io.Reader, bad func(error)) error {
	for s, err := range l.read([]string{arg}, stdin) {
		if _, is := errors.AsType[*BadLine](err); is {
			bad(err)
			continue
		}
		if err == nil {
			_, err = io.WriteString(to, s.line+"\n")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
