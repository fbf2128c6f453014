package ledger

import (
	"errors"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/schema"
)

// outcomes is how many outcomes there are.
const outcomes = len(crawler.Tallies{}.Counts)

// errLength: a key or a value that is no record is too short, or too long.
var errLength = errors.New("has another length")

// stored reads a record. It never panics, whatever the value; an error means that the record is damaged.
func stored[T any](t *schema.Table[T], value []byte) (v T, err error) {
	err = t.ReadStored(value, &v)
	return v, err
}

func storedRow(value []byte) (*crawler.Row, error) {
	r := new(crawler.Row)
	if err := records.Row.ReadStored(value, r); err != nil {
		return nil, err
	}
	return r, nil
}

// storedAnswer reads an answer; its key says whether it is being handed on.
func storedAnswer(key, value []byte) (crawler.HopAnswer, error) {
	a, err := stored(records.HopAnswer, value)
	a.Handing = len(key) > hostBytes && key[hostBytes] == 0
	return a, err
}
