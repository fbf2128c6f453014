package spool

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/fetcher/trouble"
	"trawl/internal/durable"
)

// Limits of bodies that wait to be resumed. One that is discarded for them is logged, and its URL is
// fetched from the start. Those under way do not count.
const (
	// partialAge is how long one is kept.
	partialAge = 7 * 24 * time.Hour
	// partialBytes is how many bytes are kept of all together; the oldest go first.
	partialBytes = 64 << 30
	// partialFiles is how many are kept; the oldest go first.
	partialFiles = 10_000
)

// When a body under way is synced, so that the end of the process loses no more.
const (
	// partialSync is after how many bytes.
	partialSync = 64 * crawler.MiB
	// partialSyncTime is after how long, if partialSyncLeast bytes have come.
	partialSyncTime  = 30 * time.Second
	partialSyncLeast = 4 * crawler.MiB
)

const (
	partSuffix    = ".part"
	sidecarSuffix = ".json"
	// maxSidecar is the longest sidecar that is read, in bytes.
	maxSidecar = 64 * crawler.KiB
)

// Partials keeps the beginnings of bodies whose fetch was interrupted, for the next fetch of the same URL by
// the same fetcher. Safe for concurrent use; its directory belongs to one process.
//
// A body lies in KEY-RANDOM.part. KEY.json says of which URL and which version it is, and how
// many of its bytes are durable. The sidecar is replaced whole, after those bytes were synced; bytes beyond
// are cut off before the body is resumed. Each start of a body takes a new name, so that a
// sidecar never speaks of another body's bytes. What has no sidecar is removed at the start.
type Partials struct {
	dir   string
	log   *slog.Logger
	bytes int64 // kept at most; partialBytes but in tests
	Every int64 // bytes between syncs; partialSync but in tests
	fsync durable.Fsync

	mu   sync.Mutex
	idle map[string]Info // by key: kept, and not lent
	lent map[string]bool
}

// Info is what a sidecar says.
type Info struct {
	URL          string    `json:"url"`
	File         string    `json:"file"`
	ETag         string    `json:"etag,omitempty"` // a strong one; without it LastModified is the validator
	LastModified string    `json:"last_modified,omitempty"`
	ContentType  string    `json:"content_type,omitempty"`
	Total        int64     `json:"total"` // of the whole body, -1 = not known
	Size         int64     `json:"size"`  // bytes that are durable
	Saved        time.Time `json:"saved"`
}

// NewPartials makes the directory (0700) if need be and reads what an earlier process left. A sidecar that
// makes no sense is removed with its body.
//
// fsync makes a file durable, or the names in a directory; it is durable.System but in tests.
func NewPartials(dir string, log *slog.Logger, fsync durable.Fsync) (*Partials, error) {
	ps := &Partials{dir: dir, log: log, bytes: partialBytes, Every: partialSync, fsync: fsync, idle: make(map[string]Info), lent: make(map[string]bool)}
	if err := fsync.MakeDir(dir, durable.PrivateDir); err != nil {
		return nil, fmt.Errorf("make the directory of unfinished bodies: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the directory of unfinished bodies: %w", err)
	}
	known := make(map[string]bool)
	for _, e := range entries {
		if key, ok := strings.CutSuffix(e.Name(), sidecarSuffix); ok {
			if info, ok := ps.read(key); ok {
				ps.idle[key], known[info.File], known[e.Name()] = info, true, true
			}
		}
	}
	for _, e := range entries {
		if !known[e.Name()] && e.Type().IsRegular() {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return nil, fmt.Errorf("remove a left-over body: %w", err)
			}
		}
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.prune(time.Now())
	return ps, nil
}

// read reads a sidecar; false when it or its body is of no use.
func (ps *Partials) read(key string) (info Info, ok bool) {
	f, err := os.Open(filepath.Join(ps.dir, key+sidecarSuffix))
	if err != nil {
		return info, false
	}
	defer f.Close() // it is only read
	if json.NewDecoder(io.LimitReader(f, maxSidecar)).Decode(&info) != nil {
		return info, false
	}
	name := strings.HasPrefix(info.File, key+"-") && strings.HasSuffix(info.File, partSuffix)
	if !name || info.Size <= 0 || filepath.Base(info.File) != info.File || partialKey(info.URL) != key {
		return info, false
	}
	at, err := os.Lstat(filepath.Join(ps.dir, info.File))
	return info, err == nil && at.Mode().IsRegular() && at.Size() >= info.Size
}

func partialKey(url string) string {
	sum := sha256.Sum256([]byte(url))
	return hex.EncodeToString(sum[:16])
}

// prune drops what is beyond the limits. Called with mu held.
func (ps *Partials) prune(now time.Time) {
	keys := make([]string, 0, len(ps.idle))
	var bytes int64
	for k, info := range ps.idle {
		keys = append(keys, k)
		bytes += info.Size
	}
	slices.SortFunc(keys, func(a, b string) int { return ps.idle[a].Saved.Compare(ps.idle[b].Saved) })
	for i, k := range keys {
		info := ps.idle[k]
		if now.Sub(info.Saved) <= partialAge && bytes <= ps.bytes && len(keys)-i <= partialFiles {
			return
		}
		bytes -= info.Size
		delete(ps.idle, k)
		ps.remove(k, info)
		ps.log.Info("dropped the beginning of a body: kept too long, or too many", "url", info.URL, "bytes", info.Size)
	}
}

// remove removes a body and what is said of it. What cannot be removed now is removed at the next start.
func (ps *Partials) remove(key string, info Info) {
	if info.Size > 0 {
		os.Remove(filepath.Join(ps.dir, key+sidecarSuffix))
	}
	if info.File != "" {
		os.Remove(filepath.Join(ps.dir, info.File)) // gone when the archive renamed it
	}
}

// Lend gives the place for a URL's body to one exchange, with what is there already. nil when another exchange
// has it. It must be released.
func (ps *Partials) Lend(u weburl.URL) *Partial {
	key := partialKey(u.String())
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.lent[key] {
		return nil
	}
	ps.lent[key] = true
	p := &Partial{from: ps, key: key, url: u.String(), Info: ps.idle[key]}
	delete(ps.idle, key)
	return p
}

// Partial is the place of one body while an exchange has it. Owned by one goroutine.
type Partial struct {
	from *Partials
	key  string
	url  string
	Info Info // of what is durable; info.Size is 0 when nothing is

	file   *os.File  // open once load found something, or create was called
	Size   int64     // bytes in it
	Sum    hash.Hash // over them, set by load
	synced time.Time // when the body was begun or last synced
}

// Load opens what is there and digests it, so that a body can be resumed after size bytes. Of a body
// that is whole already the last byte is asked for again, since a server can only be asked for something.
// What cannot be read is dropped; it is left alone when ctx ends, or when this machine is short of what reading takes, which
// is the only error.
func (p *Partial) Load(ctx context.Context, buf []byte) (short error) {
	if p.Info.Size == 0 {
		return nil
	}
	if err := p.reopen(ctx, buf); err != nil {
		p.closeFile()
		if trouble.IsShortage(err) {
			short = err
		} else if ctx.Err() == nil {
			p.from.log.Warn("the beginning of a body cannot be read", "url", p.url, "error", err)
			p.Forget()
		}
		p.Size, p.Sum = 0, nil
	}
	return short
}

func (p *Partial) reopen(ctx context.Context, buf []byte) error {
	f, err := os.OpenFile(filepath.Join(p.from.dir, p.Info.File), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	p.file, p.Size, p.Sum, p.synced = f, p.Info.Size, sha256.New(), time.Now()
	if err := f.Truncate(p.Size); err != nil {
		return err
	}
	if p.Size == p.Info.Total {
		p.Size--
	}
	n, err := io.CopyBuffer(p.Sum, io.LimitReader(&untilDone{ctx, f}, p.Size), buf)
	if err == nil && n != p.Size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// untilDone reads until its context ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u *untilDone) Read(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(b)
}

// Holds reports whether the body has b at an offset.
func (p *Partial) Holds(b []byte, offset int64) (bool, error) {
	there := make([]byte, len(b))
	if _, err := p.file.ReadAt(there, offset); err != nil {
		return false, fmt.Errorf("read an unfinished body: %w", err)
	}
	return bytes.Equal(there, b), nil
}

// Begin starts another body, which info describes. What was there is discarded.
func (p *Partial) Begin(info Info) {
	p.Forget()
	p.Info = info
	p.Info.URL, p.Info.File, p.Info.Size = p.url, p.key+"-"+rand.Text()+partSuffix, 0
}

// create makes the file of a body that was begun.
func (p *Partial) create() (*os.File, error) {
	// The directory is private; the file gets the usual permissions, as it will have another name.
	f, err := os.OpenFile(p.path(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666) // it may become a file of the user's; until then its directory is private
	p.file, p.Size, p.synced = f, 0, time.Now()
	return f, err
}

func (p *Partial) path() string { return filepath.Join(p.from.dir, p.Info.File) }

// due reports whether so much came since the last sync that it should be made durable.
func (p *Partial) due(now time.Time) bool {
	fresh := p.Size - p.Info.Size
	return fresh >= p.from.Every || fresh >= partialSyncLeast && now.Sub(p.synced) >= partialSyncTime
}

// sync makes what came durable, and then says so in the sidecar.
func (p *Partial) sync() error {
	if err := p.from.fsync(p.file); err != nil {
		return fmt.Errorf("sync an unfinished body: %w", err)
	}
	p.synced = time.Now()
	info := p.Info
	info.Size, info.Saved = p.Size, p.synced.UTC()
	text, err := json.Marshal(info)
	if err == nil {
		err = p.from.fsync.ReplaceFile(filepath.Join(p.from.dir, p.key+sidecarSuffix), durable.PrivateFile, func(f *os.File) error {
			_, err := f.Write(text)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("note an unfinished body: %w", err)
	}
	p.Info = info
	return nil
}

// Forget drops what is there.
func (p *Partial) Forget() {
	if p.file != nil || p.Info.Size > 0 { // most bodies stay in memory: they have no file to be removed
		p.closeFile()
		p.from.remove(p.key, p.Info)
	}
	p.Info, p.Size, p.Sum = Info{}, 0, nil
}

func (p *Partial) closeFile() {
	if p.file != nil {
		p.file.Close() // synced before, or of no use
		p.file = nil
	}
}

// Release gives the place back: what is there is kept for the next fetch, or dropped. It must not be used
// afterwards.
func (p *Partial) Release(keep bool) {
	if keep && p.file != nil && p.Size > p.Info.Size {
		if err := p.sync(); err != nil {
			p.from.log.Warn("the beginning of a body cannot be kept whole", "url", p.url, "error", err)
		}
	}
	if keep && p.Info.Size > 0 {
		p.closeFile()
	} else {
		p.Forget()
	}
	ps := p.from
	ps.mu.Lock()
	defer ps.mu.Unlock()
	delete(ps.lent, p.key)
	if p.Info.Size > 0 {
		ps.idle[p.key] = p.Info
		ps.prune(time.Now())
	}
}

// Validator is what If-Range can carry.
func (i *Info) Validator() string { return cmp.Or(i.ETag, i.LastModified) }
