package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// brokerLog hands the server's log on. What it says at a usual start and stop is for debugging; a fatal
// line is kept and ends the start.
type brokerLog struct {
	log *slog.Logger

	mu  sync.Mutex
	why error // the first fatal line
}

func (l *brokerLog) Noticef(format string, v ...any) {
	l.log.Debug("queue: " + fmt.Sprintf(format, v...))
}
func (l *brokerLog) Debugf(format string, v ...any) {
	l.log.Debug("queue: " + fmt.Sprintf(format, v...))
}
func (l *brokerLog) Tracef(format string, v ...any) {
	l.log.Debug("queue: " + fmt.Sprintf(format, v...))
}
func (l *brokerLog) Warnf(format string, v ...any) { l.log.Warn("queue: " + fmt.Sprintf(format, v...)) }
func (l *brokerLog) Errorf(format string, v ...any) {
	l.log.Warn("queue: " + fmt.Sprintf(format, v...))
}

func (l *brokerLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		l.why = errors.New(fmt.Sprintf(format, v...))
	}
}

func (l *brokerLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}
