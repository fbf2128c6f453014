package format

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

func TestKeysOfTheQueueSortAsTheRowsAreToBeAskedFor(t *testing.T) {
	u := weburl.MustParse("http://a.example/")
	at := time.Unix(1_700_000_000, 0)
	row := func(retry time.Time, depth int, sequence uint64) *crawler.Row {
		return &crawler.Row{Result: crawler.Result{URL: u}, RetryAt: retry, Depth: depth, Sequence: sequence}
	}
	inOrder := []*crawler.Row{
		row(time.Unix(-5, 0), 9, 9),
		row(time.Unix(0, 0), 9, 8),
		row(at, 0, 7), row(at, 1, 6), row(at.Add(1), 0, 5),
		row(time.Time{}, 0, 1), row(time.Time{}, 0, 300), row(time.Time{}, 1, 2), row(time.Time{}, 256, 0),
		row(time.Time{}, MaxDepthKey+5, 0),
	}
	var keys [][]byte
	for _, r := range inOrder {
		keys = append(keys, AppendQueue(nil, u.Key(), r))
	}
	if !slices.IsSortedFunc(keys, bytes.Compare) {
		t.Errorf("keys are not in order: %x", keys)
	}
	for i, k := range keys {
		e, ok := QueueEntryOf(k)
		if !ok || e.URL != u.Key() || !TimeOf(e.RetryAt).Equal(inOrder[i].RetryAt) && e.Class == ClassRetry {
			t.Errorf("key %x was read as %+v, %v", k, e, ok)
		}
	}
}

func TestTimesInKeysKeepTheirOrderAndValue(t *testing.T) {
	times := []time.Time{{}, time.Unix(-1e9, 1), time.Unix(-1, 0), time.Unix(0, 0), time.Unix(0, 1), time.Unix(2e9, 999_999_999)}
	for i, at := range times {
		if got := TimeOf(OrderOf(at)); !got.Equal(at) || got.IsZero() != at.IsZero() {
			t.Errorf("%v came back as %v", at, got)
		}
		if i > 0 && OrderOf(times[i-1]) >= OrderOf(at) {
			t.Errorf("%v is not after %v", at, times[i-1])
		}
	}
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	if OrderOf(far) <= OrderOf(times[len(times)-1]) || OrderOf(time.Date(3, 1, 1, 0, 0, 0, 0, time.UTC)) == 0 {
		t.Error("a time out of range lost its place in the order")
	}
}

func TestEveryKeyOfAHostLiesInItsPartition(t *testing.T) {
	u := weburl.MustParse("http://some.example/page")
	k := u.Key()
	row := &crawler.Row{Result: crawler.Result{URL: u}}
	hop := crawler.RobotsHop{For: "other.example", Scheme: "https", URL: u}
	for kind, key := range map[Kind][]byte{
		KindDue: AppendDue(nil, k.Host, time.Unix(1, 0)), KindHost: AppendHost(nil, KindHost, k.Host),
		KindTurn: AppendHost(nil, KindTurn, k.Host), KindQueue: AppendQueue(nil, k, row), KindRow: AppendRow(nil, k),
		KindRobots: appendRobots(nil, k.Host, "http"), KindErrand: AppendErrand(nil, &hop),
	} {
		if key[0] != 0 || key[1] != byte(u.Host().Partition()) || key[2] != byte(kind) {
			t.Errorf("kind %d: key %x is not in partition %d", kind, key, u.Host().Partition())
		}
		if kind != KindDue && HostOf(key) != k.Host {
			t.Errorf("kind %d: key %x is of host %x", kind, key, HostOf(key))
		}
	}
}

func TestPrefixEndIsTheFirstKeyBeyond(t *testing.T) {
	for _, c := range []struct{ prefix, end string }{{"a", "b"}, {"a\xff", "b"}, {"a\x00", "a\x01"}, {"\xff\xff", ""}} {
		if got := PrefixEnd([]byte(c.prefix)); string(got) != c.end {
			t.Errorf("prefixEnd(%q) = %q, not %q", c.prefix, got, c.end)
		}
	}
}
