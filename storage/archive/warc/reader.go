package warc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// MaxHeader is the most bytes that a record's header may have when it is read; MaxLine the most of one of
// its lines.
const (
	MaxHeader = 256 << 10
	MaxLine   = 64 << 10
)

// Error says where a file is not as it should be. Torn is set when the file ended inside the record: after
// a crash while it was written, that is no more than its torn end. Other errors of reading (of the disk,
// say) are returned as they are.
type Error struct {
	Offset int64 // where the record begins
	Torn   bool
	Err    error
}

func (e *Error) Error() string {
	how := "broken"
	if e.Torn {
		how = "torn"
	}
	return fmt.Sprintf("%s record at byte %d: %v", how, e.Offset, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Header is the header of a record that was read.
type Header struct {
	Version string // "WARC/1.1"
	Fields  []Field
}

// Get returns the first value of a field, "" when there is none. Case does not matter.
func (h *Header) Get(name string) string {
	for _, f := range h.Fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Entry is a record that is being read. Block is valid up to the next call of the reader.
type Entry struct {
	Header
	Offset int64 // of the record in the file
	Size   int64 // of the block
	Gzip   bool
	Block  io.Reader
}

// Reader streams the records of a file. Memory is bounded: two buffers, a gzip decoder, one header. For one
// goroutine.
type Reader struct {
	src    source
	br     *bufio.Reader // over src: bytes of the file
	gz     *gzip.Reader
	text   *bufio.Reader // over gz
	cur    *bufio.Reader // br or text: bytes of the record
	start  int64
	block  io.LimitedReader
	inside bool
	isGzip bool
	err    error
}

// source counts what is read of the file and keeps an error of reading, so that it is not taken for
// one of the format.
type source struct {
	r   io.Reader
	n   int64
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// NewReader reads records from r; offsets are counted from where r stands.
func NewReader(r io.Reader) *Reader {
	d := &Reader{src: source{r: r}}
	d.br = bufio.NewReaderSize(&d.src, MaxLine)
	return d
}

// Next reads the header of the next record, after it has gone to the end of the one before (see End). The
// error is io.EOF at the end of the file; after any other, an *[Error] or one of reading, the reader
// stays where it is and returns it again.
func (d *Reader) Next() (*Entry, error) {
	if _, err := d.End(); err != nil {
		return nil, err
	}
	d.start, d.isGzip = d.offset(), false
	magic, err := d.br.Peek(2)
	if len(magic) == 0 && err == io.EOF {
		d.err = io.EOF
		return nil, d.err
	}
	if err != nil {
		return nil, d.fail(err)
	}
	d.cur, d.isGzip = d.br, magic[0] == 0x1f && magic[1] == 0x8b
	if d.isGzip {
		if err := d.openMember(); err != nil {
			return nil, d.fail(err)
		}
	}
	h, size, err := readHeader(d.cur)
	if err != nil {
		return nil, d.fail(err)
	}
	d.inside = true
	d.block = io.LimitedReader{R: d.cur, N: size}
	return &Entry{Header: h, Offset: d.start, Size: size, Gzip: d.isGzip, Block: &blockReader{d}}, nil
}

// End goes to the end of the record that Next returned, whatever was read of its block, and returns
// the record's length in the file. Between records it returns 0.
func (d *Reader) End() (int64, error) {
	if d.err != nil {
		return 0, d.err
	}
	if !d.inside {
		return 0, nil
	}
	if _, err := io.Copy(io.Discard, &d.block); err != nil {
		return 0, d.fail(err)
	}
	if d.block.N > 0 {
		return 0, d.fail(io.ErrUnexpectedEOF)
	}
	if err := d.readEnd(); err != nil {
		return 0, d.fail(err)
	}
	d.inside = false
	return d.offset() - d.start, nil
}

func (d *Reader) offset() int64 { return d.src.n - int64(d.br.Buffered()) }

func (d *Reader) openMember() error {
	if d.gz == nil {
		d.gz = new(gzip.Reader)
		d.text = bufio.NewReaderSize(nil, MaxLine)
	}
	if err := d.gz.Reset(d.br); err != nil {
		return err
	}
	d.gz.Multistream(false)
	d.text.Reset(d.gz)
	d.cur = d.text
	return nil
}

// readEnd reads what follows the block: two line ends, and the end of the gzip member with its checksum.
func (d *Reader) readEnd() error {
	var end [len(recordEnd)]byte
	if _, err := io.ReadFull(d.cur, end[:]); err != nil {
		return err
	}
	if string(end[:]) != recordEnd {
		return errors.New("no two empty lines after the block")
	}
	if !d.isGzip {
		return nil
	}
	switch _, err := d.text.ReadByte(); err {
	case io.EOF:
		return nil
	case nil:
		return errors.New("gzip member goes on after the record; only one record a member is supported")
	default:
		return err
	}
}

// fail makes err the reader's last word.
func (d *Reader) fail(err error) error {
	switch {
	case d.src.err != nil:
		d.err = fmt.Errorf("read record at byte %d: %w", d.start, d.src.err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		// Inside a gzip member that is whole, a missing end of the block is an error of content.
		_, more := d.br.Peek(1)
		d.err = &Error{Offset: d.start, Torn: more == io.EOF && !d.memberDone(), Err: io.ErrUnexpectedEOF}
	default:
		d.err = &Error{Offset: d.start, Err: err}
	}
	return d.err
}

// memberDone reports whether the gzip member that is being read ended by its own rules.
func (d *Reader) memberDone() bool {
	if !d.isGzip || d.gz == nil {
		return false
	}
	_, err := d.gz.Read(make([]byte, 1))
	return err == io.EOF
}

// blockReader is the block of the current record; its errors are the reader's.
type blockReader struct{ d *Reader }

func (b *blockReader) Read(p []byte) (int, error) {
	if b.d.err != nil {
		return 0, b.d.err
	}
	n, err := b.d.block.Read(p)
	if err == io.EOF && b.d.block.N > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		return n, b.d.fail(err)
	}
	return n, err
}

func readHeader(r *bufio.Reader) (Header, int64, error) {
	var h Header
	room := MaxHeader
	line, err := readLine(r, &room)
	if err != nil {
		return h, 0, err
	}
	if !strings.HasPrefix(line, "WARC/") || len(line) > 16 {
		return h, 0, errors.New("no WARC version line")
	}
	h.Version = line
	for {
		if line, err = readLine(r, &room); err != nil {
			return h, 0, err
		}
		if line == "" {
			break
		}
		if line[0] == ' ' || line[0] == '\t' { // a folded line
			if len(h.Fields) == 0 {
				return h, 0, errors.New("header begins with a folded line")
			}
			f := &h.Fields[len(h.Fields)-1]
			f.Value += " " + strings.Trim(line, " \t")
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			return h, 0, errors.New("header line without a name")
		}
		h.Fields = append(h.Fields, Field{strings.TrimRight(name, " \t"), strings.Trim(value, " \t")})
	}
	size, err := strconv.ParseUint(h.Get("Content-Length"), 10, 63)
	if err != nil {
		return h, 0, errors.New("no valid Content-Length")
	}
	return h, int64(size), nil
}

// readLine reads a line without its end; room is what the header may still take.
func readLine(r *bufio.Reader, room *int) (string, error) {
	b, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", fmt.Errorf("header line over %d bytes", MaxLine)
	}
	if err != nil {
		return "", err
	}
	if *room -= len(b); *room < 0 {
		return "", fmt.Errorf("header over %d bytes", MaxHeader)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
