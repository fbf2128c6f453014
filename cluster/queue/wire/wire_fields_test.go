package wire

import (
	"flag"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/recordtest"
	"trawl/crawler/schema"
)

// messages are all that crosses the wire, in a form that a test can walk.
var messages = map[string]message{
	"task":   messageOf(records.Task, EncodeTask, DecodeTask),
	"ask":    messageOf(records.Ask, EncodeAsk, DecodeAsk),
	"part":   messageOf(records.Part, EncodePart, DecodePart),
	"notice": messageOf(records.Notice, EncodeNotice, DecodeNotice),
	"answer": messageOf(records.Answer, EncodeAnswer, func(b []byte) (crawler.Answer, error) { return DecodeAnswer(b, recordtest.Host) }),
}

type message struct {
	record *schema.Record
	fill   func(testing.TB, *rand.Rand) any
	encode func(any) ([]byte, error)
	decode func([]byte) (any, error)
}

func messageOf[T any](t *schema.Table[T], encode func(*T) ([]byte, error), decode func([]byte) (T, error)) message {
	return message{
		record: &t.Record,
		fill: func(tb testing.TB, rng *rand.Rand) any {
			v := new(T)
			recordtest.Fill(tb, rng, v)
			return v
		},
		encode: func(v any) ([]byte, error) { return encode(v.(*T)) },
		decode: func(b []byte) (any, error) { v, err := decode(b); return &v, err },
	}
}

func TestEveryFieldOfAMessageCrossesTheWire(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, m := range messages {
		for range 20 {
			want := m.fill(t, rng)
			b, err := m.encode(want)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got, err := m.decode(b)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if d := cmp.Diff(want, got, recordtest.Equal); d != "" {
				t.Fatalf("%s changed (-sent +received):\n%s", name, d)
			}
		}
	}
}

// Another implementation of Protocol Buffers reads what we write, field by field, and we read what it writes.
func TestMessagesAreProtocolBuffers(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, m := range messages {
		want := m.fill(t, rng)
		b, err := m.encode(want)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		theirs := recordtest.Message(t, m.record)
		if err := proto.Unmarshal(b, theirs); err != nil {
			t.Fatalf("%s cannot be read: %v", name, err)
		}
		recordtest.CheckWhole(t, theirs)
		if b, err = proto.Marshal(theirs); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := m.decode(b)
		if err != nil {
			t.Fatalf("%s of theirs: %v", name, err)
		}
		if d := cmp.Diff(want, got, recordtest.Equal); d != "" {
			t.Errorf("%s changed (-sent +received from them):\n%s", name, d)
		}
	}
}

var update = flag.Bool("update", false, "write trawl.proto anew")

const protoHead = `// The messages between fetchers and the scheduler, as package records describes them: this file follows from its tables
// (make generate) and is for others to read. Comments are those of package crawler.
//
//   - Fields are only added, never renumbered. Unknown fields are passed over, so that nodes of neighbouring versions understand each
//     other. The version goes up only when an older reader would misread a message; a reader refuses versions above its own.
//   - What servers and users wrote is bytes, as it need not be UTF-8. URLs are canonical, and at the host of their message where they
//     are to be fetched or were. A link that begins with "/" stands at the scheme, host and port of its page; "!" in front is for
//     what the page needs to be shown, ">" for where it redirects to.
//   - A job is JSON. Reply carries an Answer or a Notice, compressed with S2 where it says so, or an error.
`

func TestTheProtoFileFollowsFromTheTables(t *testing.T) {
	text := protoHead + recordtest.Proto(t, []string{"../../../crawler", "../../../crawler/session"}, &records.Task.Record, &records.Ask.Record, &records.Answer.Record, &records.Notice.Record, &records.Part.Record, &replies.Record)
	if *update {
		if err := os.WriteFile("trawl.proto", []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile("trawl.proto")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(text, string(file)); d != "" {
		t.Errorf("trawl.proto is not what the tables say (-tables +file): make generate\n%s", d)
	}
}
