package ledger

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/recordtest"
	"trawl/crawler/schema"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
	"trawl/storage/ledger/format"
	"trawl/storage/storagetest"
)

// kinds are the records of the ledger, in a form that tests can walk.
var kinds = map[string]recordKind{
	"row":    kindOf(records.Row, func(r *crawler.Row) { r.Names = "" }), // read from other records
	"host":   kindOf(records.Host, func(*crawler.HostState) {}),
	"turn":   kindOf(records.Turn, func(*crawler.TurnState) {}),
	"robots": kindOf(records.HostRobots, func(*crawler.HostRobots) {}),
	"domain": kindOf(records.Domain, func(*session.DomainState) {}),
	"errand": kindOf(records.Hop, func(*crawler.RobotsHop) {}),
	"answer": kindOf(records.HopAnswer, func(a *crawler.HopAnswer) { a.Handing = false }), // said by its key
}

type recordKind struct {
	record *schema.Record
	fill   func(testing.TB, *rand.Rand) any
	encode func(any) []byte
	decode func([]byte) (any, error)
}

// kindOf: elsewhere empties what is not part of the record.
func kindOf[T any](t *schema.Table[T], elsewhere func(*T)) recordKind {
	return recordKind{
		record: &t.Record,
		fill: func(tb testing.TB, rng *rand.Rand) any {
			v := new(T)
			recordtest.Fill(tb, rng, v)
			elsewhere(v)
			return v
		},
		encode: func(v any) []byte { return t.Append(nil, v.(*T)) },
		decode: func(b []byte) (any, error) { v, err := format.Stored(t, b); return &v, err },
	}
}

func TestEveryFieldOfARecordSurvives(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, k := range kinds {
		for range 200 {
			want := k.fill(t, rng)
			got, err := k.decode(k.encode(want))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if d := cmp.Diff(want, got, recordtest.Equal); d != "" {
				t.Fatalf("%s changed (-written +read):\n%s", name, d)
			}
		}
	}
}

func TestViaAndSeedSayNoHostThatTheURLHasSaid(t *testing.T) {
	const here = "https://www.a.example/dir/page.html"
	for text, kept := range map[string]int{ // bytes
		"https://www.a.example/from.html":      len("/from.html"),
		"https://www.a.example/":               len("/"),
		"https://www.a.example":                len("https://www.a.example"),
		"https://www.a.example:8443/from.html": len("https://www.a.example:8443/from.html"),
		"http://www.a.example/from.html":       len("http://www.a.example/from.html"),
		"https://www.a.example.net/":           len("https://www.a.example.net/"),
		"/no/url":                              len("/no/url"),
		"www.a.example":                        len("www.a.example"),
	} {
		row := &crawler.Row{Result: crawler.Result{URL: weburl.MustParse(here)}}
		without := len(records.Row.Append(nil, row))
		row.Via, row.Seed = text, text
		b := records.Row.Append(nil, row)
		if got := len(b) - without - 2*(2+kept); got < 0 || got > 2 { // tags and lengths
			t.Errorf("via and seed %s take %d bytes, want about %d", text, len(b)-without, 2*kept)
		}
		if got, err := format.StoredRow(b); err != nil || got.Via != text || got.Seed != text {
			t.Errorf("via and seed %s are read as %v, %v", text, got, err)
		}
	}
}

func TestRecordsAreProtocolBuffers(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for name, k := range kinds {
		want := k.fill(t, rng)
		theirs := recordtest.Message(t, k.record)
		if err := proto.Unmarshal(k.encode(want), theirs); err != nil {
			t.Fatalf("%s cannot be read: %v", name, err)
		}
		recordtest.CheckWhole(t, theirs, "Row.via_here", "Row.seed_here")
		b, err := proto.Marshal(theirs)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.decode(b)
		if err != nil {
			t.Fatalf("%s of theirs: %v", name, err)
		}
		if d := cmp.Diff(want, got, recordtest.Equal); d != "" {
			t.Errorf("%s changed (-written +read from them):\n%s", name, d)
		}
	}
}

func TestEveryFieldOfTheLedgersOwnRecordsSurvives(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	l := open(t, "ledger", small(vfs.NewMem()))
	defer closeLedger(t, l)
	want := crawler.LedgerState{Position: 1, Sequence: 2, Ran: time.Second, Quiet: time.Unix(3, 4).UTC()}
	recordtest.FillJSON(t, rng, &want.State)
	recordtest.FillJSON(t, rng, &want.Tallies)
	recordtest.FillJSON(t, rng, &want.Work)
	storagetest.Commit(t, l, &crawler.Changes{
		State: &want.State, Tallies: &want.Tallies, Work: &want.Work, Position: want.Position, Sequence: want.Sequence, Ran: want.Ran, Quiet: want.Quiet,
	})
	got := storagetest.Load(t, l)
	got.Life, got.Origin, got.Clock = want.Life, want.Origin, want.Clock
	if d := cmp.Diff(want, got, recordtest.Equal, cmpopts.IgnoreUnexported(crawler.Job{})); d != "" {
		t.Errorf("the state of the ledger changed (-written +read):\n%s", d)
	}
}

func TestZeroFieldsStayZero(t *testing.T) {
	row := &crawler.Row{}
	row.URL = weburl.MustParse("http://a.example/")
	for name, want := range map[string]any{
		"row":    row,
		"host":   &crawler.HostState{Host: "a.example"},
		"turn":   &crawler.TurnState{ID: crawler.TurnID{1}, Host: "a.example"},
		"robots": &crawler.HostRobots{RobotsFile: crawler.RobotsFile{Scheme: "http"}},
		"domain": &session.DomainState{Domain: "a.example"},
		"errand": &crawler.RobotsHop{For: "b.example", Scheme: "http", URL: row.URL},
		"answer": &crawler.HopAnswer{URL: row.URL},
	} {
		got, err := kinds[name].decode(kinds[name].encode(want))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got, recordtest.Equal); d != "" {
			t.Errorf("%s changed (-written +read):\n%s", name, d)
		}
	}
}

func TestFieldsOfALaterTrawlArePassedOver(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, k := range kinds {
		want := k.fill(t, rng)
		b := k.encode(want)
		b = protowire.AppendString(protowire.AppendTag(b, 1000, protowire.BytesType), "a text")
		b = protowire.AppendVarint(protowire.AppendTag(b, 1001, protowire.VarintType), 7)
		b = protowire.AppendFixed64(protowire.AppendTag(b, 1002, protowire.Fixed64Type), 7)
		b = protowire.AppendFixed32(protowire.AppendTag(b, 1003, protowire.Fixed32Type), 7)
		got, err := k.decode(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got, recordtest.Equal); d != "" {
			t.Errorf("%s changed:\n%s", name, d)
		}
	}
}

func TestARecordThatEndsTooEarlyIsNoticedOrValid(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for name, k := range kinds {
		b := k.encode(k.fill(t, rng))
		cut := 0
		for i := range b {
			if _, err := k.decode(b[:i]); err != nil {
				cut++
			}
		}
		if cut < len(b)/2 {
			t.Errorf("%s: only %d of %d cuts were noticed", name, cut, len(b))
		}
	}
}

func TestDamagedRecordsAreErrors(t *testing.T) {
	text := func(b []byte, n protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
	}
	number := func(b []byte, n protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
	}
	url := text(nil, 1, "http://a.example/")
	row := func(result []byte) []byte { return text(nil, 1, string(result)) }
	for name, b := range map[string][]byte{
		"nothing at all":               nil,
		"no URL":                       row(number(nil, 4, 200)),
		"a URL that is not canonical":  row(text(nil, 1, "HTTP://A.example")),
		"a redirect that is no URL":    row(text(url, 10, "x")),
		"an outcome out of range":      row(number(url, 2, uint64(format.Outcomes))),
		"a count out of range":         row(number(url, 4, 1<<31)),
		"a time before 1970":           row(number(url, 12, 1<<63)),
		"a digest of another length":   row(text(url, 7, "short")),
		"a reason that is no word":     row(text(url, 3, "Because!")),
		"a field of another type":      text(row(url), 2, "three"),
		"a type that is not known":     append(row(url), 2<<3|7),
		"a text longer than the value": append(row(url), 3<<3|2, 200, 1, 'x'),
		"a number without an end":      append(row(url), 2<<3, 0xff, 0xff),
	} {
		if r, err := format.StoredRow(b); err == nil {
			t.Errorf("%s: was read as %+v", name, r)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	counts := bytes.Repeat([]byte{2}, format.Outcomes+1)
	host := text(text(nil, 1, "a.example"), 7, string(counts))
	if h, err := format.Stored(records.Host, host); err == nil {
		t.Errorf("a count of an outcome that is not known was read as %+v", h)
	}
	if h, err := format.Stored(records.Host, text(text(nil, 1, "a.example"), 23, string(binary.AppendUvarint(nil, 1)))); err == nil {
		t.Errorf("a hash of one byte was read as %+v", h)
	}
}

func FuzzDecode(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, k := range kinds {
		f.Add(k.encode(k.fill(f, rng)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, k := range kinds {
			v, err := k.decode(b)
			if err != nil {
				continue
			}
			again, err := k.decode(k.encode(v))
			if err != nil {
				t.Fatalf("%s was read and written, and cannot be read again: %v", name, err)
			}
			if d := cmp.Diff(v, again, recordtest.Equal); d != "" {
				t.Fatalf("%s changed when written again:\n%s", name, d)
			}
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte("\x00\x01\x04hosthash\x01\x00\x01sequenceurl hash"))
	f.Fuzz(func(t *testing.T, b []byte) {
		format.HostOf(b)
		format.RowKeyOf(b)
		format.DueEntryOf(b)
		if e, ok := format.QueueEntryOf(b); ok && e.URL.Host != format.HostOf(b) {
			t.Fatalf("queue entry %x of another host", b)
		}
	})
}

// What is written can be read, whatever is missing of it: else a mistake elsewhere would be a damaged ledger.
func TestARecordThatLacksAFieldIsRead(t *testing.T) {
	needed := map[string]bool{"row.Result": true, "row.Result.URL": true, "host.Host": true, "turn.Host": true, "domain.Domain": true, "answer.URL": true} // refused when it is committed
	rng := rand.New(rand.NewPCG(9, 10))
	for name, k := range kinds {
		want := k.fill(t, rng)
		eachField(reflect.ValueOf(want).Elem(), name, func(path string) {
			got, err := k.decode(k.encode(want))
			if needed[path] != (err != nil) {
				t.Errorf("a %s without %s: %v", name, path, err)
			} else if d := cmp.Diff(want, got, recordtest.Equal, cmpopts.EquateEmpty()); d != "" && err == nil {
				t.Errorf("%s without %s changed (-written +read):\n%s", name, path, d)
			}
		})
	}
}

// eachField empties one field after the other, and those of records in it.
func eachField(v reflect.Value, path string, without func(path string)) {
	for i := range v.NumField() {
		field, name := v.Field(i), path+"."+v.Type().Field(i).Name
		old := reflect.New(field.Type()).Elem()
		old.Set(field)
		field.SetZero()
		without(name)
		field.Set(old)
		switch field.Interface().(type) {
		case crawler.Result, crawler.Locator, crawler.RobotsFile, crawler.RobotsHop, session.Credentials:
			eachField(field, name, without)
		}
		if field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct {
			eachField(field.Index(0), name, without)
		}
	}
}
