package control

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

const pathBackup = "/v1/backup"

// BackupStall is how long a backup may stand still on its way, before its first byte too: a copy is made then.
const BackupStall = 5 * time.Minute

// copies serves a copy of the running ledger.
func (c *Server) copies(mux *http.ServeMux) {
	if c.opts.Backup != nil {
		mux.HandleFunc("GET "+pathBackup, c.backup)
	}
}

func (c *Server) backup(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{}) // nothing more is read; each write has its deadline
	_ = rc.SetWriteDeadline(time.Now().Add(BackupStall))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	out := &movingOut{w: w, rc: rc}
	begun := time.Now()
	err := c.opts.Backup(r.Context(), out)
	switch {
	case err == nil:
		c.opts.Logger.Info("control: a backup was sent", slog.String("to", r.RemoteAddr), slog.Duration("took", time.Since(begun)))
	case out.wrote:
		c.opts.Logger.Warn("control: a backup was not sent to its end", "to", r.RemoteAddr, "error", err)
		panic(http.ErrAbortHandler) // the reader must not take what it has for the whole
	default:
		fail(w, http.StatusConflict, err.Error())
	}
}

// Backup writes a copy of the running job's ledger to w. After an error what was written is not the whole.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(BackupStall, func() { cancel(fmt.Errorf("no progress for %s", BackupStall)) })
	defer stalled.Stop()
	resp, err := c.open(ctx, pathBackup)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	from := &lively{r: resp.Body, timer: stalled}
	if _, err := io.Copy(w, from); from.err != nil {
		return c.explain(ctx, from.err)
	} else if err != nil {
		return err // the writer's
	}
	return nil
}

// lively is a body that is cut when nothing of it comes for BackupStall.
type lively struct {
	r     io.Reader
	timer *time.Timer
	err   error // of reading, other than its end
}

func (l *lively) Read(p []byte) (int, error) {
	l.timer.Reset(BackupStall)
	n, err := l.r.Read(p)
	if err != nil && err != io.EOF {
		l.err = err
	}
	return n, err
}
