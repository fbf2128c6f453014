package gossip

import (
	"context"
	"log"
	"log/slog"
	"strings"
	"sync/atomic"

	"trawl/cluster/listen"
)

// gossipLog takes the lines of the gossip library, gives them their level, and reads from them the two
// things that it says nowhere else: who was refused, and who is suspected.
type gossipLog struct {
	log      *slog.Logger
	refused  *listen.Tally
	suspects func(name string)
	over     atomic.Bool // Run has ended: timers of the library may fire for a while, and interest nobody
}

func (g *gossipLog) logger() *log.Logger { return log.New(g, "", 0) }

// levels of the library's lines by their mark. What it calls an error is a warning here: no line of it
// means that this node failed.
var levels = []struct {
	mark  string
	level slog.Level
}{
	{"[DEBUG] ", slog.LevelDebug},
	{"[INFO] ", slog.LevelInfo},
	{"[WARN] ", slog.LevelWarn},
	{"[ERR] ", slog.LevelWarn},
	{"[ERROR] ", slog.LevelWarn},
}

// Write takes one line.
func (g *gossipLog) Write(p []byte) (int, error) {
	if g.over.Load() {
		return len(p), nil
	}
	line := strings.TrimSpace(string(p))
	level := slog.LevelWarn
	for _, l := range levels {
		if rest, ok := strings.CutPrefix(line, l.mark); ok {
			line, level = rest, l.level
			break
		}
	}
	line = strings.TrimPrefix(line, "memberlist: ")
	if name, ok := suspected(line); ok {
		g.suspects(name)
	}
	if refusal(line) {
		text, from, _ := strings.Cut(line, " from=")
		g.refused.Hit(slog.String("from", from), slog.String("why", text))
		level = slog.LevelDebug
	}
	if strings.Contains(line, "use of closed network connection") {
		level = slog.LevelDebug // it is leaving, and so is this node
	}
	g.log.Log(context.Background(), level, "gossip", "text", line)
	return len(p), nil
}

// suspected reads the line that says that a member did not answer.
func suspected(line string) (string, bool) {
	rest, ok := strings.CutPrefix(line, "Suspect ")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, " has failed, no acks received")
}

// refusals are parts of the lines that the library writes when it lets nobody in: another key, no key,
// something that is no gossip, or our own veto.
var refusals = []string{
	"failed to receive",
	"Failed to send error",
	"Decrypt packet failed",
	"unacceptable label",
	"label header",
	"cannot decode label",
	"Received invalid msgType",
	"not supported from=",
	"Remote node state size is", // before it is known who sends it; members keep below MaxStreamBytes
	vetoMark,
}

func refusal(line string) bool {
	for _, r := range refusals {
		if strings.Contains(line, r) {
			return true
		}
	}
	return false
}
