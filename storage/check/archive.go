package check

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"trawl/crawler"
	"trawl/crawler/weburl"
	"trawl/storage/archive"
	"trawl/storage/crawldir"
	"trawl/storage/ledger"
)

// Orphan is a kind of records that no row points to.
type Orphan string

const (
	// OrphanInfo: a WARC file's own head.
	OrphanInfo Orphan = "warcinfo"
	// OrphanRequest: the request that belongs to an answer.
	OrphanRequest Orphan = "request"
	// OrphanRobots: an earlier robots.txt, or a hop of one.
	OrphanRobots Orphan = "robots"
	// OrphanRepeated: an answer of a URL whose row points to another one: a fetch that was tried again, or was
	// repeated because its turn lapsed.
	OrphanRepeated Orphan = "repeated"
	// OrphanUnsettled: an answer of a URL whose row points to none: its fetcher was lost before it reported.
	OrphanUnsettled Orphan = "unsettled"
	// OrphanUnknown: an answer of a URL that has no row.
	OrphanUnknown Orphan = "unknown"
	// OrphanFile: a plain file that no row points to.
	OrphanFile Orphan = "file"
	// OrphanOther: a record of another type.
	OrphanOther Orphan = "other"
)

// Options say what Archive expects. The zero value is a job without an archive.
type Options struct {
	Job   *crawler.Job // its Archive says whether a fetched row must have a record
	Local string       // name of the fetcher that writes into the directory itself
	// Gone hears of each row whose record is not there, broken, or still with its fetcher. May be nil.
	Gone func(weburl.URLKey)
	// GoneRobots hears of each robots file of which the same is true. May be nil.
	GoneRobots func(h weburl.Host, scheme string)
}

// Balance is what Archive found.
type Balance struct {
	Pointers int64            // rows that have a record, as they say
	Robots   int64            // robots files that have one
	Verified int64            // records of both that are there, with the row's digest
	Files    int64            // WARC files and plain files that were read
	Unnamed  int64            // of Verified, bodies that have arrived and get their names with the next run
	Shipping map[string]int64 // records that are still with a fetcher, by its name
	Orphans  map[Orphan]int64 // records that no row points to, by kind
	Notes    []string         // what is odd and harms no row; at most MaxDifferences

	// Differences are what is not as it must be, each in one line.
	Differences []string
	More        int64 // differences beyond MaxDifferences
}

// OK reports whether every row has its record here.
func (b *Balance) OK() bool { return len(b.Differences) == 0 && len(b.Shipping) == 0 }

// Archive reads every record below dir once, WARC files from end to end, and compares them with what the
// rows say of them. Memory is bounded: locators are sorted outside of it where they are many. What is wrong
// is in the balance; an error means that ledger or directory could not be read. Nobody may write to either
// meanwhile.
func Archive(ctx context.Context, dir string, l *ledger.Ledger, o Options) (Balance, error) {
	v, err := newArchiveVerifier(ctx, dir, l, o)
	if err != nil {
		return Balance{}, fmt.Errorf("verify archive: %w", err)
	}
	for _, step := range []func() error{v.allRows, v.allRobots, v.pointers.sort, v.allWARCs, v.missingFiles, v.plainOrphans} {
		if err = step(); err != nil {
			err = fmt.Errorf("verify archive: %w", err)
			break
		}
	}
	return v.Balance, errors.Join(err, v.close())
}

type archiveVerifier struct {
	Balance
	ctx context.Context
	dir string
	l   *ledger.Ledger
	o   Options

	root     *os.Root
	onDisk   int               // of names, those that were listed in archive/
	names    []string          // WARC files by number: those on disk, in order, then those that rows name
	numbers  map[string]uint32 // of names
	pointers pointers
}

func newArchiveVerifier(ctx context.Context, dir string, l *ledger.Ledger, o Options) (*archiveVerifier, error) {
	v := &archiveVerifier{ctx: ctx, dir: dir, l: l, o: o, numbers: make(map[string]uint32)}
	v.pointers.dir = dir
	v.Shipping, v.Orphans = make(map[string]int64), make(map[Orphan]int64)
	if o.Job == nil {
		v.o.Job = &crawler.Job{Archive: crawler.ArchiveNone}
	}
	entries, err := os.ReadDir(filepath.Join(dir, crawldir.ArchiveDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if e.Type().IsRegular() && archive.IsWARC(e.Name()) {
			v.number(crawldir.ArchiveDir + "/" + e.Name())
		}
	}
	v.onDisk = len(v.names)
	if v.root, err = os.OpenRoot(dir); err != nil {
		return nil, err
	}
	return v, nil
}

func (v *archiveVerifier) close() error { return errors.Join(v.pointers.close(), v.root.Close()) }

func (v *archiveVerifier) number(name string) uint32 {
	n, known := v.numbers[name]
	if !known {
		n = uint32(len(v.names))
		v.names, v.numbers[name] = append(v.names, name), n
	}
	return n
}

func (v *archiveVerifier) differ(format string, args ...any) {
	if len(v.Differences) == ledger.MaxDifferences {
		v.More++
		return
	}
	v.Differences = append(v.Differences, fmt.Sprintf(format, args...))
}

func (v *archiveVerifier) note(format string, args ...any) {
	if len(v.Notes) < ledger.MaxDifferences {
		v.Notes = append(v.Notes, fmt.Sprintf(format, args...))
	}
}

// allRows takes the locators of all rows; plain files are read at once.
func (v *archiveVerifier) allRows() error {
	n := 0
	for r, err := range v.l.All() {
		if err != nil {
			return err
		}
		if n++; n%1024 == 0 && v.ctx.Err() != nil {
			return v.ctx.Err()
		}
		if err := v.oneRow(r); err != nil {
			return err
		}
	}
	return v.ctx.Err()
}

func (v *archiveVerifier) oneRow(r *crawler.Row) error {
	if r.Archive.IsZero() {
		if r.Outcome == crawler.Fetched && v.o.Job.Archive != crawler.ArchiveNone {
			v.differ("row of %s: fetched, and it names no record, though `archive` is %s", r.URL, v.o.Job.Archive)
			v.gone(r.Key())
		}
		return nil
	}
	v.Pointers++
	p := pointer{length: r.Archive.Length, bytes: -1, digest: r.Digest, key: r.Key()}
	if r.Truncated {
		p.bytes = r.Bytes
	}
	if r.Outcome == crawler.Redirected && !archive.InWARC(r.Archive.File) {
		p.digest = crawler.Digest{} // the file is another row's body; its own was that of the redirect
	}
	if strings.HasPrefix(r.Archive.File, crawldir.FilesDir+"/") {
		return v.plainFile(r, &p)
	}
	p.file, p.offset = v.number(r.Archive.File), r.Archive.Offset
	return v.pointers.add(p)
}

// plainFile reads a file below files/ and remembers that a row points to it.
func (v *archiveVerifier) plainFile(r *crawler.Row, p *pointer) error {
	err := archive.CheckName(r.Archive.File)
	if err == nil {
		err = archive.VerifyCut(v.dir, r.Archive, p.digest, p.bytes)
	}
	switch {
	case err == nil:
		v.Verified++
		v.Files++
	case errors.Is(err, fs.ErrNotExist) && v.arrived(r):
		v.Verified++
		v.Unnamed++
		return nil
	case errors.Is(err, fs.ErrNotExist) && v.remote(r.Fetcher):
		v.shipping(r.Fetcher, p)
		return nil
	default:
		v.broken(p, r.Archive.File, err)
		return nil
	}
	if err := v.aliases(r, p); err != nil {
		return err
	}
	return v.pointers.add(v.place(r.Archive.File, p))
}

// place points to a file below files/.
func (v *archiveVerifier) place(name string, p *pointer) pointer {
	at := *p
	at.file, at.offset = plainFiles, int64(xxhash.Sum64String(name))
	return at
}

// aliasesAtOnce is how many further names of a URL are looked at together.
const aliasesAtOnce = 1000

// aliases looks whether the file has its further names, too.
func (v *archiveVerifier) aliases(r *crawler.Row, p *pointer) error {
	if r.Aliases == 0 {
		return nil
	}
	if _, waits, err := v.l.UnplacedVersion(r.Key()); err != nil || waits {
		return err // they come with the next run
	}
	for after := uint64(0); v.ctx.Err() == nil; {
		list, err := v.l.Aliases(r.Key(), after, aliasesAtOnce)
		if err != nil {
			return err
		}
		for _, a := range list {
			name := crawldir.FilesDir + "/" + a.Name
			info, err := v.root.Stat(name)
			switch {
			case errors.Is(err, fs.ErrNotExist) && !a.Want.IsZero() && a.Want != r.Digest:
				continue // another body was asked for under this name
			case err != nil:
				v.note("%s: the further name %s is not there", r.URL, name)
			case info.Size() != p.length:
				v.note("%s: the file %s has %d bytes, its row says %d", r.URL, name, info.Size(), p.length)
			}
			if err := v.pointers.add(v.place(name, p)); err != nil {
				return err
			}
			after = a.Sequence
		}
		if len(list) < aliasesAtOnce {
			return nil
		}
	}
	return v.ctx.Err()
}

// arrived reports whether the row's body is there, and has not got its name yet.
func (v *archiveVerifier) arrived(r *crawler.Row) bool {
	if r.Outcome != crawler.Fetched {
		return false
	}
	l := crawler.Locator{File: crawler.BodyName(r.URL, r.Digest), Length: r.Archive.Length}
	return archive.VerifyRecord(v.dir, l, r.Digest) == nil
}

// allRobots takes the locators of robots files. One that redirects elsewhere has a record, too.
func (v *archiveVerifier) allRobots() error {
	err := v.l.EachRobots(func(h weburl.HostKey, f crawler.HostRobots) error {
		scheme := slices.Index(robotsSchemes[:], f.Scheme)
		if v.ctx.Err() != nil || f.Archive.IsZero() || scheme < 0 || strings.HasPrefix(f.Archive.File, crawldir.FilesDir+"/") {
			return v.ctx.Err()
		}
		v.Robots++
		return v.pointers.add(pointer{
			file: v.number(f.Archive.File), offset: f.Archive.Offset, length: f.Archive.Length, bytes: -1,
			key: weburl.URLKey{Host: h}, robots: byte(1 + scheme),
		})
	})
	if err == nil {
		err = v.ctx.Err()
	}
	return err
}

// missingFiles takes the pointers into WARC files that are not there.
func (v *archiveVerifier) missingFiles() error {
	for p := v.pointers.peek(); p != nil && p.file != plainFiles; p = v.pointers.peek() {
		name := v.names[p.file]
		if fetcher := archive.FetcherOf(name); v.remote(fetcher) {
			v.shipping(fetcher, p)
		} else {
			v.broken(p, name, fs.ErrNotExist)
		}
		if err := v.pointers.next(); err != nil {
			return err
		}
	}
	return nil
}

// plainOrphans compares the files below files/ with those that rows point to, by the hashes of their places.
func (v *archiveVerifier) plainOrphans() (err error) {
	there := pointers{dir: v.dir, most: v.pointers.most}
	defer func() { err = errors.Join(err, there.close()) }()
	err = fs.WalkDir(v.root.FS(), crawldir.FilesDir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !e.Type().IsRegular():
			return v.ctx.Err()
		}
		return there.add(pointer{file: plainFiles, offset: int64(xxhash.Sum64String(name))})
	})
	if err == nil {
		err = there.sort()
	}
	for f := there.peek(); err == nil && f != nil; f = there.peek() {
		for p := v.pointers.peek(); p != nil && p.offset < f.offset; p = v.pointers.peek() {
			if err := v.pointers.next(); err != nil {
				return err
			}
		}
		if p := v.pointers.peek(); p == nil || p.offset != f.offset {
			v.Orphans[OrphanFile]++
		}
		err = there.next()
	}
	return err
}

// remote reports whether a fetcher has a directory of its own, from which its files are shipped.
func (v *archiveVerifier) remote(fetcher string) bool { return fetcher != "" && fetcher != v.o.Local }

func (v *archiveVerifier) shipping(fetcher string, p *pointer) {
	v.Shipping[fetcher]++
	v.lost(p)
}

// broken reports a pointer that leads to no record of its row.
func (v *archiveVerifier) broken(p *pointer, name string, err error) {
	text := err.Error()
	if errors.Is(err, fs.ErrNotExist) {
		text = name + " is not there"
	} else if !strings.Contains(text, name) {
		text = name + ": " + text
	}
	v.differ("%s: %s", v.owner(p), strings.ReplaceAll(text, "\n", ": "))
	v.lost(p)
}

// lost reports a row whose record is not there.
func (v *archiveVerifier) lost(p *pointer) {
	if p.robots == 0 {
		v.gone(p.key)
		return
	}
	if h, found := v.host(p.key.Host); found && v.o.GoneRobots != nil {
		v.o.GoneRobots(h, robotsSchemes[p.robots-1])
	}
}

func (v *archiveVerifier) gone(k weburl.URLKey) {
	if v.o.Gone != nil {
		v.o.Gone(k)
	}
}

// host is the host with a key, where the ledger has it.
func (v *archiveVerifier) host(k weburl.HostKey) (weburl.Host, bool) {
	for h, err := range v.l.HostsFrom(k) {
		return h.Host, err == nil && h.Host.Key() == k
	}
	return "", false
}

// owner is who points to the record, in words.
func (v *archiveVerifier) owner(p *pointer) string {
	if p.robots > 0 {
		name := fmt.Sprintf("%016x", uint64(p.key.Host))
		if h, found := v.host(p.key.Host); found {
			name = string(h)
		}
		return "robots.txt (" + robotsSchemes[p.robots-1] + ") of host " + name
	}
	if rows, err := v.l.Rows([]weburl.URLKey{p.key}); err == nil && rows[0] != nil {
		return "row of " + rows[0].URL.String()
	}
	return "row " + fmt.Sprintf("%x", binary.BigEndian.AppendUint64(nil, p.key.URL))
}
