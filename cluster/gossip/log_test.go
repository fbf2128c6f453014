package gossip

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"trawl/cluster/listen"
)

func TestGossipLog(t *testing.T) {
	tests := []struct {
		name, line string
		level      string
		refused    bool
		suspect    string
	}{
		{name: "a line for debugging", line: "[DEBUG] memberlist: Stream connection from=127.0.0.1:1", level: "DEBUG"},
		{name: "a note", line: "[INFO] memberlist: Marking a as failed, suspect timeout reached (0 peer confirmations)", level: "INFO"},
		{name: "a warning", line: "[WARN] memberlist: handler queue full, dropping message (1) from=1.2.3.4:5", level: "WARN"},
		{name: "an error is a warning", line: "[ERR] memberlist: Push/Pull with a failed: EOF", level: "WARN"},
		{name: "a line without a mark", line: "Err: Could not set the deadline: x", level: "WARN"},
		{name: "a suspicion", line: "[INFO] memberlist: Suspect node 7 has failed, no acks received", level: "INFO", suspect: "node 7"},
		{name: "another key", line: "[ERR] memberlist: failed to receive: no installed keys could decrypt the message from=1.2.3.4:5", level: "WARN", refused: true},
		{name: "no key", line: "[ERR] memberlist: failed to receive: encryption is configured but remote state is not encrypted from=1.2.3.4:5", level: "WARN", refused: true},
		{name: "a packet with another key", line: "[ERR] memberlist: Decrypt packet failed: no installed keys could decrypt the message from=1.2.3.4:5", level: "WARN", refused: true},
		{name: "another program", line: `[ERR] memberlist: discarding stream with unacceptable label "": from=1.2.3.4:5`, level: "WARN", refused: true},
		{name: "a veto", line: "[ERR] memberlist: Failed push/pull merge: " + vetoMark + "b works for the job from=1.2.3.4:5", level: "WARN", refused: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			log := slog.New(slog.NewTextHandler(&out, nil)) // shows no debugging
			suspect := ""
			g := &gossipLog{log: log, suspects: func(s string) { suspect = s },
				refused: listen.NewTally(log, "refused")}
			g.logger().Print(tt.line)

			got := strings.TrimSpace(out.String())
			if tt.level == "DEBUG" != (got == "") || got != "" && !strings.Contains(got, "level="+tt.level+" ") || strings.Contains(got, "\n") {
				t.Errorf("logged %q, want one line of level %s", got, tt.level)
			}
			if (g.refused.Count() == 1) != tt.refused {
				t.Errorf("refusals: %d", g.refused.Count())
			}
			if tt.refused && !strings.Contains(got, "from=1.2.3.4:5") {
				t.Errorf("the line does not say who was refused: %s", got)
			}
			if suspect != tt.suspect {
				t.Errorf("suspect %q, want %q", suspect, tt.suspect)
			}
		})
	}
}
