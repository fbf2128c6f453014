package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode/utf8"

	"trawl/crawler"
)

// Marks in names below files/. Braces never stand in the path of a URL, so no URL's own name has one.
const (
	dirMark  = "{dir}"  // a directory whose name is taken by a file: a/b beside the file a is a{dir}/b
	fileMark = "{file}" // a file whose name is taken by a directory: a beside a/b is a{file}
	partMark = "{part}" // a body that the server cut off
)

// maxStoredName is the most bytes of a path below the crawl directory: that of a file name with a few marks.
const maxStoredName = crawler.MaxNameBytes + 128

// maxPlaceTries is how many marks are put on one name before it is given up.
const maxPlaceTries = 8

// ErrName says that a name of a shipment or locator is not one that trawl stores under.
var ErrName = errors.New("not the name of a stored file")

type nameKind int

const (
	nameFree nameKind = iota
	nameFile
	nameDir
)

// placeName returns the name under which a file is stored: the name itself, unless a file stands where
// it needs a directory or the reverse. It depends on nothing but what is there. A file does not become
// a directory later, nor the reverse, so whoever looks the name up again finds the same place.
func placeName(name string, kindOf func(string) (nameKind, error)) (string, error) {
	segments := strings.Split(name, "/")
	at := ""
	for i, s := range segments {
		taken, mark := nameFile, dirMark
		if i == len(segments)-1 {
			taken, mark = nameDir, fileMark
		}
		for try := 0; ; try++ {
			kind, err := kindOf(path.Join(at, s))
			if err != nil {
				return "", err
			}
			if kind != taken {
				break
			}
			if try == maxPlaceTries {
				return "", fmt.Errorf("%s: no free name beside what is there: %w", name, fs.ErrExist)
			}
			s = markSegment(s, mark)
		}
		at = path.Join(at, s)
	}
	return at, nil
}

// rootKind looks names up on disk.
func rootKind(root *os.Root) func(string) (nameKind, error) {
	return func(name string) (nameKind, error) {
		info, err := root.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nameFree, nil
		case err != nil:
			return 0, err
		case info.IsDir():
			return nameDir, nil
		}
		return nameFile, nil
	}
}

// markName puts a mark on the last segment of a name.
func markName(name, mark string) string {
	dir, last := path.Split(name)
	return dir + markSegment(last, mark)
}

// markSegment puts the mark at the end of a directory's name or of one that says "part", before the extension
// otherwise. It cuts what would be too long.
func markSegment(s, mark string) string {
	ext := ""
	if mark != dirMark && mark != partMark {
		if ext = path.Ext(s); len(ext) > 16 || len(ext) == len(s) {
			ext = ""
		}
	}
	stem := s[:len(s)-len(ext)]
	room := crawler.MaxSegmentBytes - len(mark) - len(ext)
	for 0 < room && room < len(stem) && !utf8.RuneStart(stem[room]) {
		room--
	}
	stem = stem[:min(room, len(stem))]
	return stem + mark + ext
}

// checkStoredName refuses names that no archive of ours gives: anything but one file below archive/ or
// a path below files/.
func checkStoredName(name string) error {
	top, rest, _ := strings.Cut(name, "/")
	ok := fs.ValidPath(name) && len(name) <= maxStoredName && !strings.ContainsFunc(name, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '\\'
	})
	switch top {
	case archiveDir:
		ok = ok && len(rest) <= crawler.MaxSegmentBytes && isWARCFile(rest)
	case filesDir:
		ok = ok && rest != ""
		for s := range strings.SplitSeq(rest, "/") {
			ok = ok && len(s) <= crawler.MaxSegmentBytes
		}
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("%w: %.200q", ErrName, name)
	}
	return nil
}

// isWARCFile reports whether a file in archive/ is a WARC file: of ours, or one that a user put there.
func isWARCFile(name string) bool {
	return !strings.ContainsAny(name, "/\\") && !strings.HasPrefix(name, ".") &&
		(strings.HasSuffix(name, ".warc") || strings.HasSuffix(name, ".warc.gz"))
}
