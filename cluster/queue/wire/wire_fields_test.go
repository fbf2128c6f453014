package wire

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

// filledHost is the host that every URL of a filled message is at, as decoding wants it of most of them.
const filledHost = "a.example"

// filler sets every field that it reaches to something that is not zero and that decoding takes, so that a field
// which encoding or decoding forgets is noticed, also one that is added later.
type filler struct {
	t   *testing.T
	rng *rand.Rand
}

func (f *filler) fill(v reflect.Value, field string) {
	switch x := v.Addr().Interface().(type) {
	case *weburl.URL:
		*x = mustURL(f.t, fmt.Sprintf("https://%s/%d?q=%d", filledHost, f.rng.IntN(1e6), f.rng.IntN(9)))
		return
	case *weburl.Host:
		*x = filledHost
		return
	case *time.Time:
		*x = time.UnixMilli(1 + f.rng.Int64N(4e12)).UTC()
		return
	case *time.Duration:
		*x = time.Duration(1 + f.rng.Int64N(int64(time.Hour)))
		return
	case *crawler.Outcome:
		*x = crawler.Fetched + crawler.Outcome(f.rng.IntN(int(crawler.Excluded-crawler.Fetched)+1))
		return
	case *crawler.Reason:
		*x = crawler.ReasonTimeout
		return
	case *crawler.Verdict:
		*x = crawler.Over
		return
	case *crawler.RobotsStatus:
		*x = crawler.RobotsElsewhere
		return
	case *crawler.LinkKind:
		*x = crawler.LinkRedirect
		return
	case *crawler.Job: // travels as JSON
		*x = crawler.NewJob(crawler.Download)
		return
	case *session.CookieChange: // of the host
		*x = session.CookieChange{
			Cookie: session.Cookie{Name: "name", Value: `"a value"`, Domain: filledHost, Below: true, Path: "/dir", Secure: true, HTTPOnly: true, By: filledHost},
			Age:    time.Hour, Gone: true,
		}
		return
	case *crawler.RobotsAnswer: // has a file or a next hop, never both
		f.fill(reflect.ValueOf(&x.Hop).Elem(), "Hop")
		f.fill(reflect.ValueOf(&x.File).Elem(), "File")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			f.fill(v.Index(i), field)
		}
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i), field)
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]int64{"a_word": 1 + f.rng.Int64N(1e6)}))
	case reflect.String:
		if v.SetString(fmt.Sprintf("text%d", f.rng.IntN(1e6))); field == "Scheme" {
			v.SetString("https")
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1 + f.rng.Int64N(1e6))
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(uint64(1 + f.rng.IntN(255)))
	default:
		f.t.Fatalf("the test cannot fill %s, a %s", field, v.Type())
	}
}

// messages are all that crosses the wire, in a form that a test can walk.
var messages = map[string]struct {
	empty  func() any
	encode func(any) ([]byte, error)
	decode func([]byte) (any, error)
}{
	"task": {
		func() any { return new(crawler.Task) },
		func(v any) ([]byte, error) { return EncodeTask(v.(*crawler.Task)) },
		func(b []byte) (any, error) { v, err := DecodeTask(b); return &v, err },
	},
	"ask": {
		func() any { return new(crawler.Ask) },
		func(v any) ([]byte, error) { return EncodeAsk(v.(*crawler.Ask)) },
		func(b []byte) (any, error) { v, err := DecodeAsk(b); return &v, err },
	},
	"answer": {
		func() any { return new(crawler.Answer) },
		func(v any) ([]byte, error) { return EncodeAnswer(v.(*crawler.Answer)) },
		func(b []byte) (any, error) { v, err := DecodeAnswer(b, filledHost); return &v, err },
	},
	"part": {
		func() any { return new(crawler.Part) },
		func(v any) ([]byte, error) { return EncodePart(v.(*crawler.Part)) },
		func(b []byte) (any, error) { v, err := DecodePart(b); return &v, err },
	},
	"notice": {
		func() any { return new(crawler.JobNotice) },
		func(v any) ([]byte, error) { return EncodeNotice(v.(*crawler.JobNotice)) },
		func(b []byte) (any, error) { v, err := DecodeNotice(b); return &v, err },
	},
}

func TestEveryFieldOfAMessageCrossesTheWire(t *testing.T) {
	f := filler{t: t, rng: rand.New(rand.NewPCG(1, 2))}
	for name, m := range messages {
		for range 20 {
			want := m.empty()
			f.fill(reflect.ValueOf(want).Elem(), name)
			b, err := m.encode(want)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got, err := m.decode(b)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if d := cmp.Diff(want, got, cmp.Comparer(func(a, b weburl.URL) bool { return a == b })); d != "" {
				t.Fatalf("%s changed (-sent +received):\n%s", name, d)
			}
		}
	}
}
