package queue

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"trawl/cluster/listen"
)

// brokerLog hands the server's log on. What it says at a usual start and stop is for debugging; a fatal
// line is kept and ends the start.
type brokerLog struct {
	log     *slog.Logger
	refused *listen.Tally // members that do what they may not, and clients that cannot log in

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

// Errorf counts refusals: a refused client may try for ever.
func (l *brokerLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.Contains(text, "Violation") || strings.Contains(text, "authentication error") || strings.Contains(text, "Authentication Timeout") {
		l.refused.Hit(slog.String("why", text))
		return
	}
	l.log.Warn("queue: " + text)
}

func (l *brokerLog) Warnf(format string, v ...any) {
	if strings.Contains(format, "TLS Handshake First") {
		return // as it should be: it warns of clients that speak before the handshake
	}
	l.log.Warn("queue: " + fmt.Sprintf(format, v...))
}

func (l *brokerLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why != nil {
		return
	}
	l.why = fmt.Errorf(format, v...)
	if strings.Contains(format, "start JetStream") {
		l.why = fmt.Errorf("%w: %w", errStore, l.why)
	}
}

func (l *brokerLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}
