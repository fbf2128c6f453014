package format

import (
	"errors"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/schema"
)

// Outcomes is how many Outcomes there are.
const Outcomes = len(crawler.Tallies{}.Counts)

// ErrLength: a key or a value that is no record is too short, or too long.
var ErrLength = errors.New("has another length")

// Stored reads a record. It never panics, whatever the value; an error means that the record is damaged.
func Stored[T any](t *schema.Table[T], value []byte) (v T, err error) {
	err = t.ReadStored(value, &v)
	return v, err
}

func StoredRow(value []byte) (*crawler.Row, error) {
	r := new(crawler.Row)
	if err := records.Row.ReadStored(value, r); err != nil {
		return nil, err
	}
	return r, nil
}

// StoredAnswer reads an answer; its key says whether it is being handed on.
func StoredAnswer(key, value []byte) (crawler.HopAnswer, error) {
	a, err := Stored(records.HopAnswer, value)
	a.Handing = len(key) > HostBytes && key[HostBytes] == 0
	return a, err
}
