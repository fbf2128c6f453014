package check

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// maxPointers is how many pointers are sorted in memory at a time, about 100 bytes each; more are spilled to a
// temporary file, sorted by parts, and merged.
const maxPointers = 1 << 18

// pointer says that a row or a robots file of a host points to a record.
type pointer struct {
	file   uint32 // number of the file; plainFiles for one below files/
	offset int64  // in a WARC file; of a plain file, the hash of its place
	length int64
	bytes  int64 // decoded bytes of a body that was cut; -1 = it is whole
	digest crawler.Digest
	key    weburl.URLKey
	robots byte // 0: a row; else 1 + the index in robotsSchemes
}

// plainFiles stands for everything below files/. It comes after all WARC files.
const plainFiles = 1<<32 - 1

var robotsSchemes = [...]string{"http", "https"}

// pointerBytes is the size of a spilled pointer.
const pointerBytes = 4 + 3*8 + len(crawler.Digest{}) + 2*8 + 1

func (p *pointer) compare(o *pointer) int {
	return cmp.Or(cmp.Compare(p.file, o.file), cmp.Compare(p.offset, o.offset), p.key.Compare(o.key))
}

func (p *pointer) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, p.file)
	for _, n := range [...]uint64{uint64(p.offset), uint64(p.length), uint64(p.bytes)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = append(b, p.digest[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.key.Host))
	b = binary.BigEndian.AppendUint64(b, p.key.URL)
	return append(b, p.robots)
}

func (p *pointer) read(b []byte) {
	p.file = binary.BigEndian.Uint32(b)
	p.offset = int64(binary.BigEndian.Uint64(b[4:]))
	p.length = int64(binary.BigEndian.Uint64(b[12:]))
	p.bytes = int64(binary.BigEndian.Uint64(b[20:]))
	rest := b[28+copy(p.digest[:], b[28:]):]
	p.key = weburl.URLKey{Host: weburl.HostKey(binary.BigEndian.Uint64(rest)), URL: binary.BigEndian.Uint64(rest[8:])}
	p.robots = rest[16]
}

// pointers are sorted by file and offset in bounded memory. Use add, then sort, then peek and next. For one
// goroutine.
type pointers struct {
	dir   string // where they spill: where there is room for a crawl, there is room for these
	most  int    // in memory
	mem   []pointer
	spill *os.File // has no name; nil while everything is in memory
	ends  []int64  // of the sorted parts in spill

	parts pointerHeap // after sort
}

// add takes one more.
func (ps *pointers) add(p pointer) error {
	if ps.most == 0 {
		ps.most = maxPointers
	}
	ps.mem = append(ps.mem, p)
	if len(ps.mem) < ps.most {
		return nil
	}
	return ps.flush()
}

// flush writes what is in memory as a sorted part.
func (ps *pointers) flush() (err error) {
	if ps.spill == nil {
		if ps.spill, err = os.CreateTemp(ps.dir, ".check-"); err != nil {
			ps.spill, err = os.CreateTemp("", "trawl-check-") // a crawl on a disk that can only be read
		}
		if err != nil {
			return fmt.Errorf("sort locators: %w", err)
		}
		if err := os.Remove(ps.spill.Name()); err != nil { // it goes away with the process
			return fmt.Errorf("sort locators: %w", err)
		}
	}
	slices.SortFunc(ps.mem, func(a, b pointer) int { return a.compare(&b) })
	w := bufio.NewWriterSize(ps.spill, 1<<16)
	var b []byte
	for i := range ps.mem {
		b = ps.mem[i].append(b[:0])
		w.Write(b) // its error is Flush's
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sort locators: %w", err)
	}
	end := int64(len(ps.mem)) * int64(pointerBytes)
	if n := len(ps.ends); n > 0 {
		end += ps.ends[n-1]
	}
	ps.ends, ps.mem = append(ps.ends, end), ps.mem[:0]
	return nil
}

// sort ends the adding.
func (ps *pointers) sort() error {
	if ps.spill == nil {
		slices.SortFunc(ps.mem, func(a, b pointer) int { return a.compare(&b) })
		ps.parts = pointerHeap{{mem: ps.mem}}
	} else {
		if err := ps.flush(); err != nil {
			return err
		}
		ps.mem = nil
		from := int64(0)
		for _, end := range ps.ends {
			in := bufio.NewReaderSize(io.NewSectionReader(ps.spill, from, end-from), 1<<14)
			ps.parts = append(ps.parts, &pointerPart{in: in})
			from = end
		}
	}
	return ps.begin()
}

func (ps *pointers) begin() error {
	var live pointerHeap
	for _, part := range ps.parts {
		more, err := part.next()
		if err != nil {
			return err
		}
		if more {
			live = append(live, part)
		}
	}
	ps.parts = live
	heap.Init(&ps.parts)
	return nil
}

// peek is the first that was not taken, nil at the end; valid until next.
func (ps *pointers) peek() *pointer {
	if len(ps.parts) == 0 {
		return nil
	}
	return &ps.parts[0].at
}

// next takes the one that peek shows.
func (ps *pointers) next() error {
	more, err := ps.parts[0].next()
	switch {
	case err != nil:
		return err
	case more:
		heap.Fix(&ps.parts, 0)
	default:
		heap.Pop(&ps.parts)
	}
	return nil
}

func (ps *pointers) close() error {
	if ps.spill == nil {
		return nil
	}
	return ps.spill.Close()
}

// pointerPart is a sorted part: in memory, or spilled.
type pointerPart struct {
	mem []pointer
	in  *bufio.Reader
	at  pointer
	buf [pointerBytes]byte
}

func (p *pointerPart) next() (bool, error) {
	if p.in == nil {
		if len(p.mem) == 0 {
			return false, nil
		}
		p.at, p.mem = p.mem[0], p.mem[1:]
		return true, nil
	}
	if _, err := io.ReadFull(p.in, p.buf[:]); errors.Is(err, io.EOF) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("sort locators: %w", err)
	}
	p.at.read(p.buf[:])
	return true, nil
}

type pointerHeap []*pointerPart

func (h pointerHeap) Len() int           { return len(h) }
func (h pointerHeap) Less(i, j int) bool { return h[i].at.compare(&h[j].at) < 0 }
func (h pointerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *pointerHeap) Push(x any)        { *h = append(*h, x.(*pointerPart)) }
func (h *pointerHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
