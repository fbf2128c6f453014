// Package wire turns the values that fetchers and the scheduler exchange into bytes and back. What a message has in it is said by the
// tables of package records; trawl.proto follows from them.
//
// Encoding refuses what decoding would refuse for its size, so that nothing is published that nobody can
// read. Decoding believes nothing: ids have 16 bytes, URLs are canonical and at the host that they are
// said to be at, numbers are in range, messages within their limits. What does not hold ends in an error
// that says which field, never in a panic. Unknown fields are passed over.
//
// Functions are pure and safe for concurrent use; what they return shares no memory with their arguments.
package wire

import (
	"errors"
	"fmt"
	"strings"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/schema"
	"trawl/crawler/weburl"
)

// Limits of messages. Those of a task and a part are [crawler.MaxTaskBytes] and [crawler.MaxPartBytes].
const (
	// MaxAskBytes is the largest ask, in bytes.
	MaxAskBytes = 16 << 10
	// MaxReplyBytes is the largest answer or notice, in bytes before compression.
	MaxReplyBytes = 32 << 20
)

// ErrTooLarge: the message is over its limit; sending less will do.
var ErrTooLarge = errors.New("message too large")

// EncodeTask writes a turn for the task queue. It fails when the turn is over
// [crawler.MaxTaskBytes] or [crawler.MaxTurnURLs].
func EncodeTask(t *crawler.Task) ([]byte, error) {
	if len(t.URLs) > crawler.MaxTurnURLs {
		return nil, ErrTooLarge
	}
	return encode(records.Task, t, crawler.MaxTaskBytes)
}

// DecodeTask reads a turn.
func DecodeTask(b []byte) (crawler.Task, error) { return decode(records.Task, b, crawler.MaxTaskBytes) }

// EncodeAsk writes a question for a turn.
func EncodeAsk(a *crawler.Ask) ([]byte, error) { return encode(records.Ask, a, MaxAskBytes) }

// DecodeAsk reads a question for a turn.
func DecodeAsk(b []byte) (crawler.Ask, error) { return decode(records.Ask, b, MaxAskBytes) }

// EncodeAnswer writes the scheduler's reply to an ask.
func EncodeAnswer(a *crawler.Answer) ([]byte, error) {
	if len(a.More) > crawler.MaxTurnURLs {
		return nil, ErrTooLarge
	}
	return encode(records.Answer, a, MaxReplyBytes)
}

// DecodeAnswer reads the reply to an ask for a turn of the host.
func DecodeAnswer(b []byte, h weburl.Host) (crawler.Answer, error) {
	a, err := decode(records.Answer, b, MaxReplyBytes)
	if err != nil {
		return a, err
	}
	if err := records.CheckAnswer(&a, h); err != nil {
		return crawler.Answer{}, fmt.Errorf("decode answer: %w", err)
	}
	return a, nil
}

// EncodeNotice writes what a fetcher must know of a job.
func EncodeNotice(n *crawler.JobNotice) ([]byte, error) {
	return encode(records.Notice, n, MaxReplyBytes)
}

// DecodeNotice reads what a fetcher must know of a job. The job is not validated.
func DecodeNotice(b []byte) (crawler.JobNotice, error) {
	return decode(records.Notice, b, MaxReplyBytes)
}

// EncodePart writes a part of a report for the result log. It fails with [ErrTooLarge] when the part is
// over [crawler.MaxPartBytes], or its links over [records.MaxLinkText].
func EncodePart(p *crawler.Part) ([]byte, error) {
	text := 0
	for i := range p.Links {
		for _, l := range p.Links[i].Links {
			text += len(l.URL.String())
		}
	}
	if text > records.MaxLinkText {
		return nil, ErrTooLarge
	}
	b := make([]byte, 0, min(text+usualResult*len(p.Results), crawler.MaxPartBytes))
	return appended(b, records.Part, p, crawler.MaxPartBytes)
}

// usualResult is what a result takes at most in most parts, in bytes; their buffers rarely grow then.
const usualResult = 512

// DecodePart reads a part.
func DecodePart(b []byte) (crawler.Part, error) { return decode(records.Part, b, crawler.MaxPartBytes) }

func encode[T any](t *schema.Table[T], v *T, limit int) ([]byte, error) {
	return appended(nil, t, v, limit)
}

func appended[T any](b []byte, t *schema.Table[T], v *T, limit int) ([]byte, error) {
	b = t.Append(b, v)
	if err := fits(t.Name, len(b), limit); err != nil {
		return nil, err
	}
	return b, nil
}

func decode[T any](t *schema.Table[T], b []byte, limit int) (v T, err error) {
	if err := fits(t.Name, len(b), limit); err != nil {
		return v, err
	}
	if err := t.Read(b, &v); err != nil {
		var none T
		return none, fmt.Errorf("decode %s: %w", strings.ToLower(t.Name), err)
	}
	return v, nil
}

func fits(what string, size, limit int) error {
	if size > limit {
		return fmt.Errorf("%s of %d bytes, at most %d: %w", strings.ToLower(what), size, limit, ErrTooLarge)
	}
	return nil
}
