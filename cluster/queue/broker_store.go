package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/nats-io/nats-server/v2/server"
)

// The store directory:
//
//	queue.json   what kind of store this is
//	jetstream/   the server's
//	*.broken     what could not be read and was moved out of the way; one of each name
//
// The queue is never the truth: tasks are published again from the ledger, lost parts cost repeated
// fetches. So a store that is missing or damaged is begun again. A store of another mode is not touched: a
// server that starts alone on the directory of a clustered one, or the other way round, deletes what is
// in it.

// storeMark is the content of queue.json.
type storeMark struct {
	Format int    `json:"format"`
	Mode   string `json:"mode"`
}

const storeMarkFile = "queue.json"

func ourMark() storeMark { return storeMark{Format: 1, Mode: "standalone"} }

// storePath is where the server keeps its data.
func storePath(dir string) string { return filepath.Join(dir, "jetstream") }

// openStore makes the directory fit for a server of its own. It fails when the directory belongs to
// another mode or cannot be written.
func openStore(dir string, log *slog.Logger) error {
	if st, err := os.Stat(dir); err == nil && !st.IsDir() {
		log.Warn("the queue's store is not a directory and starts empty", "path", dir)
		if err := setAside(dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(dir, storeMarkFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var mark storeMark
	if err == nil && json.Unmarshal(b, &mark) == nil && mark != (storeMark{}) {
		if mark != ourMark() {
			return fmt.Errorf("%s is of mode %q, format %d: this trawl opens %q, format %d; move it away to start with an empty queue",
				dir, mark.Mode, mark.Format, ourMark().Mode, ourMark().Format)
		}
		return nil
	}
	if _, err := os.Stat(storePath(dir)); err == nil {
		log.Warn("the queue's store has no mark of ours and starts empty", "dir", dir)
		if err := setAside(storePath(dir)); err != nil {
			return err
		}
	}
	return writeMark(dir)
}

// writeMark stores the mark before the server stores anything: written, synced, renamed, so that it is
// whole whenever it is there.
func writeMark(dir string) error {
	b, err := json.Marshal(ourMark())
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, storeMarkFile+".tmp")
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, storeMarkFile))
}

// setAside moves a damaged thing out of the way, replacing what was moved there before.
func setAside(path string) error {
	to := path + ".broken"
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	err := os.Rename(path, to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// dropBroken moves the streams away that the server found on disk and could not read, so that they can be
// made again under their names.
func dropBroken(s *server.Server, dir string, log *slog.Logger) error {
	streams := filepath.Join(storePath(dir), "$G", "streams")
	found, err := os.ReadDir(streams)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	known, err := knownStreams(s)
	if err != nil {
		return err
	}
	for _, e := range found {
		if known[e.Name()] || e.Name()[0] == '.' { // a dot marks what the server is deleting
			continue
		}
		log.Warn("a queue could not be read and starts empty", "queue", e.Name())
		to := filepath.Join(dir, e.Name()+".broken")
		if err := errors.Join(os.RemoveAll(to), os.Rename(filepath.Join(streams, e.Name()), to)); err != nil {
			return err
		}
	}
	return nil
}

func knownStreams(s *server.Server) (map[string]bool, error) {
	info, err := s.Jsz(&server.JSzOptions{Accounts: true, Streams: true})
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool)
	for _, a := range info.AccountDetails {
		for _, st := range a.Streams {
			known[st.Name] = true
		}
	}
	return known, nil
}
