package ledger

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"trawl/crawler"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/storage/storagetest"
)

// records are the codecs, in a form that tests can walk.
var records = map[string]struct {
	empty  func() any
	encode func(any) []byte
	decode func([]byte) (any, error)
}{
	"row": {
		func() any { return new(crawler.Row) },
		func(v any) []byte { return encodeRow(nil, v.(*crawler.Row)) },
		func(b []byte) (any, error) { return decodeRow(b) },
	},
	"host": {
		func() any { return new(crawler.HostState) },
		func(v any) []byte { return encodeHost(nil, v.(*crawler.HostState)) },
		func(b []byte) (any, error) { h, err := decodeHost(b); return &h, err },
	},
	"turn": {
		func() any { return new(crawler.TurnState) },
		func(v any) []byte { return encodeTurn(nil, v.(*crawler.TurnState)) },
		func(b []byte) (any, error) { t, err := decodeTurn(b); return &t, err },
	},
	"robots": {
		func() any { return new(crawler.HostRobots) },
		func(v any) []byte { return encodeRobots(nil, v.(*crawler.HostRobots)) },
		func(b []byte) (any, error) { r, err := decodeRobots(b); return &r, err },
	},
	"domain": {
		func() any { return new(session.DomainState) },
		func(v any) []byte { return encodeDomain(nil, v.(*session.DomainState)) },
		func(b []byte) (any, error) { d, err := decodeDomain(b); return &d, err },
	},
	"errand": {
		func() any { return new(crawler.RobotsHop) },
		func(v any) []byte { return encodeHop(nil, v.(*crawler.RobotsHop)) },
		func(b []byte) (any, error) { h, err := decodeHop(b); return &h, err },
	},
}

var exportURL = cmp.Comparer(func(a, b weburl.URL) bool { return a == b })

// asStored empties what is not part of a record, but read from others.
func asStored(v any) {
	if row, ok := v.(*crawler.Row); ok {
		row.Names = ""
	}
}

func TestEveryFieldOfARecordSurvives(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, r := range records {
		for range 200 {
			want := r.empty()
			storagetest.Fill(t, rng, reflect.ValueOf(want).Elem())
			asStored(want)
			b := r.encode(want)
			got, err := r.decode(b)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if d := cmp.Diff(want, got, exportURL); d != "" {
				t.Fatalf("%s changed (-written +read):\n%s", name, d)
			}
		}
	}
}

func TestZeroFieldsStayZero(t *testing.T) {
	for name, r := range records {
		want := r.empty()
		if row, ok := want.(*crawler.Row); ok {
			row.URL = weburl.MustParse("http://a.example/")
		}
		got, err := r.decode(r.encode(want))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got, exportURL); d != "" {
			t.Errorf("%s changed (-written +read):\n%s", name, d)
		}
	}
}

func TestFieldsOfALaterTrawlArePassedOver(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, r := range records {
		want := r.empty()
		storagetest.Fill(t, rng, reflect.ValueOf(want).Elem())
		asStored(want)
		e := encoder{b: r.encode(want)}
		e.text(1000, "a text")
		e.int(1001, -7)
		e.time(1002, time.Unix(1, 2))
		got, err := r.decode(e.b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got, exportURL); d != "" {
			t.Errorf("%s changed:\n%s", name, d)
		}
	}
}

func TestARecordThatEndsTooEarlyIsNoticedOrValid(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for name, r := range records {
		v := r.empty()
		storagetest.Fill(t, rng, reflect.ValueOf(v).Elem())
		b := r.encode(v)
		cut := 0
		for i := range b {
			if _, err := r.decode(b[:i]); err != nil {
				cut++
			}
		}
		if cut < len(b)/2 {
			t.Errorf("%s: only %d of %d cuts were noticed", name, cut, len(b))
		}
	}
}

func TestDamagedRecordsAreErrors(t *testing.T) {
	row := func(edit func(*encoder)) []byte {
		e := encoder{}
		e.begin(nil)
		edit(&e)
		return e.b
	}
	for name, b := range map[string][]byte{
		"nothing at all":               nil,
		"a format that is not known":   {codecFormat + 1},
		"no URL":                       row(func(e *encoder) {}),
		"a URL that is not canonical":  row(func(e *encoder) { e.text(rowURL, "HTTP://A.example") }),
		"a redirect that is no URL":    row(func(e *encoder) { e.text(rowURL, "http://a.example/"); e.text(rowRedirectTo, "x") }),
		"an outcome out of range":      row(func(e *encoder) { e.text(rowURL, "http://a.example/"); e.uint(rowOutcome, uint64(outcomes)) }),
		"a digest of another length":   row(func(e *encoder) { e.text(rowURL, "http://a.example/"); e.text(rowDigest, "short") }),
		"a field of another wire":      row(func(e *encoder) { e.text(rowURL, "http://a.example/"); e.text(rowDepth, "three") }),
		"a wire that is not known":     row(func(e *encoder) { e.b = append(e.b, 1<<2|3) }),
		"a text longer than the value": row(func(e *encoder) { e.b = append(e.b, 1<<2|1, 200, 'x') }),
		"a number without an end":      row(func(e *encoder) { e.b = append(e.b, 0xff, 0xff) }),
	} {
		if r, err := decodeRow(b); err == nil {
			t.Errorf("%s: was read as %+v", name, r)
		}
	}
}

func FuzzDecode(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, r := range records {
		v := r.empty()
		storagetest.Fill(f, rng, reflect.ValueOf(v).Elem())
		f.Add(r.encode(v))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, r := range records {
			v, err := r.decode(b)
			if err != nil {
				continue
			}
			again, err := r.decode(r.encode(v))
			if err != nil {
				t.Fatalf("%s was read and written, and cannot be read again: %v", name, err)
			}
			if d := cmp.Diff(v, again, exportURL); d != "" {
				t.Fatalf("%s changed when written again:\n%s", name, d)
			}
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte("\x00\x01\x04hosthash\x01\x00\x01sequenceurl hash"))
	f.Fuzz(func(t *testing.T, b []byte) {
		hostOf(b)
		rowKeyOf(b)
		dueEntryOf(b)
		if e, ok := queueEntryOf(b); ok && e.url.Host != hostOf(b) {
			t.Fatalf("queue entry %x of another host", b)
		}
	})
}
