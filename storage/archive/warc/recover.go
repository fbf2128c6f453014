package warc

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Recover cuts a torn end off the file, back to the end of its last whole record, and makes what is left durable with
// fsync: a process that was killed may not have come to it. It reports how many bytes were cut, 0 for a file that is whole. A
// broken record that whole ones follow is no torn end: the file is left as it is, and the error says where. The file must
// not be written to meanwhile.
func Recover(path string, fsync func(*os.File) error) (cut int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, fmt.Errorf("recover WARC file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if cut, err = cutTorn(f, path); err != nil {
		return 0, err
	}
	if err := fsync(f); err != nil {
		return 0, fmt.Errorf("recover WARC file: %w", err)
	}
	return cut, nil
}

func cutTorn(f *os.File, path string) (cut int64, err error) {
	err = scan(f)
	if err == nil {
		return 0, nil
	}
	bad, ok := errors.AsType[*Error](err)
	if !ok {
		return 0, fmt.Errorf("recover %s: %w", path, err)
	}
	if !bad.Torn {
		later, err := wholeRecordAfter(f, bad.Offset)
		if err != nil {
			return 0, fmt.Errorf("recover %s: %w", path, err)
		}
		if later >= 0 {
			return 0, fmt.Errorf("recover %s: %w; a whole one follows at byte %d", path, bad, later)
		}
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, fmt.Errorf("recover WARC file: %w", err)
	}
	if err := f.Truncate(bad.Offset); err != nil {
		return 0, fmt.Errorf("recover WARC file: %w", err)
	}
	return end - bad.Offset, nil
}

// scan reads the whole file. Plain records have no checksum, so their block digest is compared.
func scan(f *os.File) error {
	d := NewReader(f)
	for {
		e, err := d.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if want, ok := strings.CutPrefix(e.Get("WARC-Block-Digest"), "sha256:"); ok && !e.Gzip && len(want) == 64 {
			h := sha256.New()
			if _, err := io.Copy(h, e.Block); err != nil {
				return err
			}
			if hex.EncodeToString(h.Sum(nil)) != strings.ToLower(want) {
				return &Error{Offset: e.Offset, Err: errors.New("block is not what its digest says")}
			}
		}
		if _, err := d.End(); err != nil {
			return err
		}
	}
}

// wholeRecordAfter looks for a whole record that begins after the offset, and returns -1 if there is none.
func wholeRecordAfter(f *os.File, offset int64) (int64, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	br := bufio.NewReaderSize(io.NewSectionReader(f, offset+1, end-offset-1), MaxLine)
	for at := offset + 1; ; at++ {
		b, err := br.Peek(len(version))
		if len(b) == 0 {
			if err == io.EOF {
				return -1, nil
			}
			return 0, err
		}
		if bytes.HasPrefix(b, []byte("\x1f\x8b\x08")) || bytes.HasPrefix(b, []byte("WARC/1.")) {
			d := NewReader(io.NewSectionReader(f, at, end-at))
			if _, err := d.Next(); err == nil {
				if _, err := d.End(); err == nil {
					return at, nil
				}
			}
		}
		if _, err := br.Discard(1); err != nil {
			return 0, err
		}
	}
}
