package wire

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"trawl/crawler"
	"trawl/crawler/records"
	"trawl/crawler/recordtest"
	"trawl/crawler/schema"
	"trawl/crawler/session"
	"trawl/crawler/weburl"
)

func mustURL(tb testing.TB, s string) weburl.URL {
	tb.Helper()
	u, err := weburl.Parse(s)
	if err != nil {
		tb.Fatalf("%s: %v", s, err)
	}
	return u
}

func id[T ~[16]byte](b byte) (out T) {
	for i := range out {
		out[i] = b
	}
	return out
}

// notUTF8 is what a server may send.
const notUTF8 = "caf\xe9"

func sampleTask(tb testing.TB) crawler.Task {
	return crawler.Task{
		Turn: id[crawler.TurnID](1), Host: "a.example",
		URLs: []crawler.TaskURL{
			{URL: mustURL(tb, "http://a.example/"), Depth: 3, Redirects: 1, Name: notUTF8, Requisite: true},
			{URL: mustURL(tb, "https://a.example/x?y=%20z")},
		},
		Errands: []crawler.RobotsHop{sampleHop(tb)},
	}
}

func sampleHop(tb testing.TB) crawler.RobotsHop {
	return crawler.RobotsHop{For: "b.example:8080", Scheme: "https", URL: mustURL(tb, "https://a.example/robots.txt"), Count: 2}
}

func sampleRobots(tb testing.TB) crawler.RobotsFile {
	return crawler.RobotsFile{
		Scheme: "https", Status: crawler.RobotsElsewhere, HTTP: 302, Body: []byte("User-agent: *\n"), Truncated: true,
		TTL: time.Hour, Detail: notUTF8, Archive: crawler.Locator{File: "archive/f-1.warc.gz", Offset: 7, Length: 9},
		Hop: sampleHop(tb),
	}
}

func samplePart(tb testing.TB) crawler.Part {
	page := mustURL(tb, "https://a.example/dir/page")
	return crawler.Part{
		Turn: id[crawler.TurnID](1), Holder: id[crawler.HolderID](2), Host: "a.example", Life: id[crawler.Life](3),
		Fetcher: "f1", Number: 4, End: true, Wait: 3 * time.Second,
		Results: []crawler.Result{{
			URL: page, Outcome: crawler.Failed, Reason: crawler.ReasonHTTPStatus, Status: 503, ContentType: "text/html; " + notUTF8,
			Bytes: 12345, Digest: crawler.Digest{1, 2, 3}, Truncated: true, Title: notUTF8, RedirectTo: mustURL(tb, "http://c.example/"),
			Links: 5, FetchedAt: time.UnixMilli(1_700_000_000_123).UTC(), Duration: 7 * time.Millisecond, IP: "192.0.2.1",
			Archive: crawler.Locator{File: "archive/f-1.warc.gz", Offset: 1, Length: 2}, ETag: notUTF8, LastModified: "yesterday",
			Detail: "it\nwas so", RetryAfter: time.Minute, Progress: true,
		}},
		Links: []crawler.PageLinks{{Page: page, Links: []crawler.Link{
			{URL: mustURL(tb, "https://a.example/near"), Kind: crawler.LinkPage},
			{URL: mustURL(tb, "https://a.example//twice"), Kind: crawler.LinkRequisite},
			{URL: mustURL(tb, "http://a.example/other-scheme"), Kind: crawler.LinkPage},
			{URL: mustURL(tb, "https://a.example.evil/near"), Kind: crawler.LinkPage},
			{URL: mustURL(tb, "https://a.example:8443/port"), Kind: crawler.LinkRedirect},
		}}},
		State: crawler.HostReport{
			Robots: []crawler.RobotsFile{sampleRobots(tb)},
			Hops: []crawler.RobotsAnswer{
				{Hop: sampleHop(tb), Next: mustURL(tb, "http://d.example/robots.txt")},
				{Hop: sampleHop(tb), File: crawler.RobotsFile{Scheme: "http", Status: crawler.RobotsUnavailable, HTTP: 404}},
			},
			Requests: 6, PenaltySet: true, Penalty: time.Second, MeanTime: time.Millisecond,
			Addresses: []string{"192.0.2.1"}, Cookies: []session.CookieChange{{Cookie: session.Cookie{Name: "a", Value: notUTF8, Domain: "a.example", Path: "/", By: "a.example:81"}, Age: time.Hour},
				{Cookie: session.Cookie{Name: "b", Domain: "a.example", Below: true, Path: "/"}}},
		},
	}
}

func sampleAnswer(tb testing.TB) crawler.Answer {
	return crawler.Answer{
		Verdict: crawler.Granted, Life: id[crawler.Life](3), Lease: 15 * time.Second, Wait: 1, Delay: 2, Penalty: 3,
		Connections: 4, Stop: true, Settled: 5, ScopeEpoch: 6, Robots: []crawler.RobotsFile{sampleRobots(tb)},
		Validators: []crawler.Validator{{URL: mustURL(tb, "http://a.example/"), ETag: notUTF8, LastModified: "x"}},
		Cookies:    []session.CookieChange{{Cookie: session.Cookie{Name: "a", Value: notUTF8, Domain: "a.example", Path: "/", By: "a.example:81"}, Age: time.Hour}},
		Addresses:  []string{"192.0.2.1"}, Credentials: session.Credentials{HTTP: "user:" + notUTF8}, Seeds: session.SpelledHTTP,
		More: []crawler.TaskURL{{URL: mustURL(tb, "http://a.example/more"), Depth: 1}},
	}
}

func TestValuesSurviveTheWire(t *testing.T) {
	same := func(what string, got any, err error, want any) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
		}
	}
	decoded := func(what string, b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return b
	}
	task := sampleTask(t)
	b, err := EncodeTask(&task)
	gotTask, err := DecodeTask(decoded("task", b, err))
	same("task", gotTask, err, task)

	part := samplePart(t)
	b, err = EncodePart(&part)
	gotPart, err := DecodePart(decoded("part", b, err))
	same("part", gotPart, err, part)

	small := crawler.Part{Turn: id[crawler.TurnID](1), Holder: id[crawler.HolderID](2), Host: "[2001:db8::1]:81", Number: 1}
	b, err = EncodePart(&small)
	gotPart, err = DecodePart(decoded("empty part", b, err))
	same("empty part", gotPart, err, small)

	ask := crawler.Ask{Turn: id[crawler.TurnID](1), Holder: id[crawler.HolderID](2), Host: "a.example", Fetcher: notUTF8}
	b, err = EncodeAsk(&ask)
	gotAsk, err := DecodeAsk(decoded("ask", b, err))
	same("ask", gotAsk, err, ask)

	answer := sampleAnswer(t)
	b, err = EncodeAnswer(&answer)
	gotAnswer, err := DecodeAnswer(decoded("answer", b, err), "a.example")
	same("answer", gotAnswer, err, answer)

	notice := crawler.JobNotice{
		Job: crawler.NewJob(crawler.Crawl), Life: id[crawler.Life](3), Done: true, ScopeEpoch: 7,
		ScopeKeys: []uint64{1, 1 << 63}, ScopeWhole: true,
	}
	b, err = EncodeNotice(&notice)
	gotNotice, err := DecodeNotice(decoded("notice", b, err))
	same("notice", gotNotice, err, notice)
}

func TestLinksOfTheSameSiteTakeOnlyTheirPath(t *testing.T) {
	part := samplePart(t)
	part.Links[0].Links = nil
	for i := range 1000 {
		u := mustURL(t, fmt.Sprintf("https://a.example/p%03d", i))
		part.Links[0].Links = append(part.Links[0].Links, crawler.Link{URL: u})
	}
	before, err := EncodePart(&crawler.Part{Turn: part.Turn, Holder: part.Holder, Host: part.Host, Number: 1})
	if err != nil {
		t.Fatal(err)
	}
	after, err := EncodePart(&crawler.Part{Turn: part.Turn, Holder: part.Holder, Host: part.Host, Number: 1, Links: part.Links})
	if err != nil {
		t.Fatal(err)
	}
	if n := (len(after) - len(before)) / 1000; n > len("/p000")+2 {
		t.Errorf("a link takes %d bytes", n)
	}
}

// broken lists messages that hold one wrong thing each, as another implementation of Protocol Buffers would write them.
func broken(tb testing.TB) map[string]func() error {
	task := func(path string, value any) func() error {
		return func() error {
			task := sampleTask(tb)
			b, err := EncodeTask(&task)
			if err != nil {
				tb.Fatal(err)
			}
			_, err = DecodeTask(changed(tb, &records.Task.Record, b, path, value))
			return err
		}
	}
	part := func(path string, value any) func() error {
		return func() error {
			part := samplePart(tb)
			b, err := EncodePart(&part)
			if err != nil {
				tb.Fatal(err)
			}
			_, err = DecodePart(changed(tb, &records.Part.Record, b, path, value))
			return err
		}
	}
	return map[string]func() error{
		"a turn id of 15 bytes":           task("turn", make15(1)),
		"a turn id of zeros":              task("turn", make([]byte, 16)),
		"no version":                      task("version", nil),
		"a newer version":                 task("version", uint32(records.Version+1)),
		"an older version":                task("version", uint32(records.Version-1)),
		"a URL that is not canonical":     task("urls.0.url", "HTTP://a.example/"),
		"a URL with a default port":       task("urls.0.url", "http://a.example:80/"),
		"a URL that is none":              task("urls.0.url", "mailto:a@a.example"),
		"a URL of another host":           task("urls.0.url", "http://b.example/"),
		"no URL":                          task("urls.0.url", nil),
		"no host":                         task("host", nil),
		"a host with a path":              task("host", "a.example/b"),
		"a host in upper case":            task("host", "A.example"),
		"an errand at another host":       task("errands.0.url", "http://b.example/"),
		"an errand without a scheme":      task("errands.0.scheme", nil),
		"an errand for nobody":            task("errands.0.for", nil),
		"a depth beyond 31 bits":          task("urls.0.depth", uint32(1<<31)),
		"part number 0":                   part("number", uint32(0)),
		"no holder":                       part("holder", nil),
		"a life of 3 bytes":               part("life", []byte{1, 2, 3}),
		"a wait below zero":               part("wait", int64(-1)),
		"a result of another host":        part("results.0.url", "http://b.example/"),
		"a result that waits":             part("results.0.outcome", uint32(crawler.Waiting)),
		"a result that is leased":         part("results.0.outcome", uint32(crawler.Leased)),
		"an outcome nobody knows":         part("results.0.outcome", uint32(300)),
		"a reason that is no word":        part("results.0.reason", "Because!"),
		"a reason without end":            part("results.0.reason", strings.Repeat("a", 100)),
		"bytes below zero":                part("results.0.bytes", int64(-1)),
		"a digest of 31 bytes":            part("results.0.digest", make([]byte, 31)),
		"a time before 1970":              part("results.0.fetched_at", int64(-1)),
		"a time after the year 9999":      part("results.0.fetched_at", int64(1<<62)),
		"a record outside the directory":  part("results.0.archive.file", []byte("../etc/passwd")),
		"a record before its file":        part("results.0.archive.offset", int64(-1)),
		"a retry-after of a day":          part("results.0.retry_after", int64(24*time.Hour)),
		"links of a page of another host": part("links.0.page", "http://b.example/"),
		"links of no page":                part("links.0.page", nil),
		"a link that is not canonical":    part("links.0.links.0", "/a/../b"),
		"a link that is relative":         part("links.0.links.0", "b"),
		"a link without anything":         part("links.0.links.0", ""),
		"a link of a kind nobody knows":   part("links.0.links.0", "?/a"),
		"a link of two kinds":             part("links.0.links.0", "!>/a"),
		"a robots status nobody knows":    part("state.robots.0.status", uint32(99)),
		"a robots file of no scheme":      part("state.robots.0.scheme", nil),
		"a cookie of another host":        part("state.cookies.0.cookie.domain", []byte("b.example")),
		"a cookie for a public suffix":    part("state.cookies.1.cookie.domain", []byte("example")),
		"a cookie that ends the header":   part("state.cookies.0.cookie.value", []byte("1\r\nHost: b")),
		"a cookie without a path":         part("state.cookies.0.cookie.path", nil),
		"a cookie set by no host":         part("state.cookies.0.cookie.by", "A/b"),
		"a robots file led to nowhere":    part("state.robots.0.hop.url", nil),
		"a robots file led for nobody":    part("state.robots.0.hop.for", nil),
		"an errand done elsewhere":        part("state.hops.0.hop.url", "http://b.example/"),
		"an errand that did not end":      part("state.hops.1.file", nil),
		"too many URLs": func() error {
			task := sampleTask(tb)
			for i := range crawler.MaxTurnURLs {
				task.URLs = append(task.URLs, crawler.TaskURL{URL: mustURL(tb, fmt.Sprintf("http://a.example/%d", i))})
			}
			_, err := DecodeTask(records.Task.Append(nil, &task))
			return err
		},
		"more words than are counted": func() error {
			part := samplePart(tb)
			part.State.Dropped = make(map[string]int64)
			for i := range 65 {
				part.State.Dropped[fmt.Sprint("word", i)] = 1
			}
			_, err := DecodePart(records.Part.Append(nil, &part))
			return err
		},
		"more link text than fits": func() error {
			host := strings.Repeat("a", 60) + strings.Repeat("."+strings.Repeat("b", 60), 2)
			part := crawler.Part{Turn: id[crawler.TurnID](1), Holder: id[crawler.HolderID](2), Host: weburl.Host(host), Number: 1}
			page := mustURL(tb, "http://"+host+"/")
			part.Links = []crawler.PageLinks{{Page: page}}
			for range 100_000 {
				part.Links[0].Links = append(part.Links[0].Links, crawler.Link{URL: page})
			}
			_, err := DecodePart(records.Part.Append(nil, &part))
			return err
		},
	}
}

func make15(b byte) []byte { return bytes.Repeat([]byte{b}, 15) }

// changed sets a field of an encoded message.
func changed(tb testing.TB, r *schema.Record, b []byte, path string, value any) []byte {
	tb.Helper()
	m := recordtest.Message(tb, r)
	if err := proto.Unmarshal(b, m); err != nil {
		tb.Fatal(err)
	}
	recordtest.Set(tb, m, path, value)
	b, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestWhatDoesNotHoldIsRefused(t *testing.T) {
	for name, decode := range broken(t) {
		t.Run(name, func(t *testing.T) {
			if err := decode(); err == nil {
				t.Error("it was believed")
			} else if errors.Is(err, ErrTooLarge) {
				t.Error("it was refused for its size:", err)
			} else {
				t.Log(err)
			}
		})
	}
}

func TestLimitsOfSizeHoldOnBothSides(t *testing.T) {
	task := sampleTask(t)
	long := strings.Repeat("x", 4000)
	for i := range 100 {
		task.URLs = append(task.URLs, crawler.TaskURL{URL: mustURL(t, fmt.Sprintf("http://a.example/%d%s", i, long))})
	}
	if _, err := EncodeTask(&task); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a task of 400 KB is encoded: %v", err)
	}
	if _, err := DecodeTask(make([]byte, crawler.MaxTaskBytes+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a task over the limit is read: %v", err)
	}
	part := samplePart(t)
	part.State.Robots[0].Body = make([]byte, crawler.MaxPartBytes)
	if _, err := EncodePart(&part); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a part over the limit is encoded: %v", err)
	}
	if _, err := DecodePart(make([]byte, crawler.MaxPartBytes+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a part over the limit is read: %v", err)
	}
}

func TestFieldsOfANewerVersionArePassedOver(t *testing.T) {
	task := sampleTask(t)
	b, err := EncodeTask(&task)
	if err != nil {
		t.Fatal(err)
	}
	b = protowire.AppendTag(b, 1000, protowire.BytesType)
	b = protowire.AppendBytes(b, []byte("news"))
	got, err := DecodeTask(b)
	if err != nil || !reflect.DeepEqual(got, task) {
		t.Errorf("%v, %+v", err, got)
	}
}

func TestRepliesAreCompressedWhenLarge(t *testing.T) {
	body := bytes.Repeat([]byte("Disallow: /private\n"), 50_000)
	compressed := EncodeReply(body)
	if len(compressed) > len(body)/4 {
		t.Errorf("%d bytes of rules take %d", len(body), len(compressed))
	}
	got, failure, err := DecodeReply(compressed)
	if err != nil || failure != "" || !bytes.Equal(got, body) {
		t.Errorf("read back: %v %q, %d bytes", err, failure, len(got))
	}
	got, failure, err = DecodeReply(EncodeFailure(errors.New("no room")))
	if err != nil || failure != "no room" || got != nil {
		t.Errorf("a failure is read as %q, %v", failure, err)
	}
	if _, failure, _ = DecodeReply(EncodeFailure(errors.New(""))); failure == "" {
		t.Error("a failure without words is read as an answer")
	}
	// An S2 block that says it is larger than it may be.
	bomb := replies.Append(nil, &reply{s2: true, body: protowire.AppendVarint(nil, 1<<31)})
	if _, _, err := DecodeReply(bomb); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a bomb: %v", err)
	}
}

func FuzzDecodeTask(f *testing.F) {
	task := sampleTask(f)
	b, err := EncodeTask(&task)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		task, err := DecodeTask(b)
		if err != nil {
			return
		}
		again, err := EncodeTask(&task)
		if errors.Is(err, ErrTooLarge) {
			return // at the limit to a byte: numbers may be written longer
		} else if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if second, err := DecodeTask(again); err != nil || !reflect.DeepEqual(second, task) {
			t.Fatalf("read again: %v\n%+v\n%+v", err, task, second)
		}
	})
}

func FuzzDecodePart(f *testing.F) {
	part := samplePart(f)
	b, err := EncodePart(&part)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		part, err := DecodePart(b)
		if err != nil {
			return
		}
		again, err := EncodePart(&part)
		if errors.Is(err, ErrTooLarge) {
			return
		} else if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if second, err := DecodePart(again); err != nil || !reflect.DeepEqual(second, part) {
			t.Fatalf("read again: %v\n%+v\n%+v", err, part, second)
		}
	})
}

func FuzzDecodeReply(f *testing.F) {
	answer := sampleAnswer(f)
	b, err := EncodeAnswer(&answer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(EncodeReply(b))
	f.Fuzz(func(t *testing.T, b []byte) {
		body, _, err := DecodeReply(b)
		if err != nil {
			return
		}
		_, _ = DecodeAnswer(body, "a.example")
		_, _ = DecodeNotice(body)
		_, _ = DecodeAsk(body)
	})
}
