// Package recordtest fills records for tests of whatever they have to cross. Tests alone import it.
package recordtest

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

// Host is the host that every URL of a filled record is at, as readers of messages want it of most of them.
const Host = "a.example"

// Fill sets every field that it reaches in *v to something that is not zero and that readers take, so that a field which is lost on
// the way is noticed, also one that is added later.
func Fill[T any](tb testing.TB, rng *rand.Rand, v *T) {
	tb.Helper()
	filler{tb, rng, false}.fill(reflect.ValueOf(v).Elem(), "")
}

// FillJSON is [Fill] for what is kept as JSON: its texts are UTF-8.
func FillJSON[T any](tb testing.TB, rng *rand.Rand, v *T) {
	tb.Helper()
	filler{tb, rng, true}.fill(reflect.ValueOf(v).Elem(), "")
}

// Equal compares records; URLs are what their texts are.
var Equal = cmp.Comparer(func(a, b weburl.URL) bool { return a == b })

type filler struct {
	tb   testing.TB
	rng  *rand.Rand
	json bool
}

func (f filler) fill(v reflect.Value, field string) {
	if f.word(v, field) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+f.rng.IntN(4), 4))
		for i := range v.Len() {
			f.fill(v.Index(i), field)
		}
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i), field)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, word := range []string{"a_word", "b_word"} {
			v.SetMapIndex(reflect.ValueOf(word).Convert(v.Type().Key()), reflect.ValueOf(1+f.rng.Int64N(1e6)))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), field)
	case reflect.String:
		if v.SetString(fmt.Sprintf("text %d \x00\xff", f.rng.IntN(1e6))); f.json {
			v.SetString(fmt.Sprintf("text %d \x00é", f.rng.IntN(1e6)))
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1 + f.rng.Int64N(1<<31-1))
	case reflect.Int64:
		v.SetInt(1 + f.rng.Int64N(1<<62))
	case reflect.Uint8:
		v.SetUint(uint64(1 + f.rng.IntN(255)))
	case reflect.Uint64:
		v.SetUint(1 + f.rng.Uint64()>>1)
	default:
		f.tb.Fatalf("the test cannot fill %s, a %s", field, v.Type())
	}
}

// word fills what has a meaning of its own.
func (f filler) word(v reflect.Value, field string) bool {
	switch x := v.Addr().Interface().(type) {
	case *weburl.URL:
		*x = weburl.MustParse(fmt.Sprintf("https://%s/%d?q=%d", Host, f.rng.IntN(1e6), f.rng.IntN(9)))
	case *weburl.Host:
		*x = Host
	case *time.Time:
		if *x = time.Unix(f.rng.Int64N(4e9)-1e9, f.rng.Int64N(1e9)).UTC(); field == "FetchedAt" { // told in milliseconds
			*x = time.UnixMilli(1 + f.rng.Int64N(4e12)).UTC()
		}
	case *time.Duration:
		*x = time.Duration(1 + f.rng.Int64N(int64(crawler.MaxRetryAfter)))
	case *crawler.Outcome: // of a fetch
		*x = crawler.Fetched + crawler.Outcome(f.rng.IntN(int(crawler.Excluded-crawler.Fetched)+1))
	case *crawler.Reason:
		*x = crawler.FailedReasons()[f.rng.IntN(len(crawler.FailedReasons()))]
	case *crawler.Verdict:
		*x = crawler.Over
	case *crawler.RobotsStatus:
		*x = crawler.RobotsStatus(1 + f.rng.IntN(int(crawler.RobotsElsewhere)))
	case *crawler.LinkKind:
		*x = crawler.LinkRedirect
	case *crawler.Job: // travels as JSON
		if f.json {
			return false
		}
		FillJSON(f.tb, f.rng, x)
	case **crawler.HostIndex: // made from what is beside it
	case *session.Cookie: // of the host
		*x = session.Cookie{Name: "name", Value: "a \xff value", Domain: Host, Below: true, Path: "/dir", Secure: true, HTTPOnly: true, By: Host}
	case *string:
		if field != "Scheme" {
			return false
		}
		*x = "https"
	default:
		return false
	}
	return true
}
