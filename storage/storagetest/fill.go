package storagetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Fill sets every field reachable in v to something that is not zero, so that a field the codec forgets is
// noticed, also one that is added later.
func Fill(tb testing.TB, rng *rand.Rand, v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *weburl.URL:
		*x = weburl.MustParse(fmt.Sprintf("https://host%d.example/%d?q=%d", rng.IntN(9), rng.IntN(1e6), rng.IntN(9)))
		return
	case *time.Time:
		*x = time.Unix(rng.Int64N(4e9)-1e9, rng.Int64N(1e9)).UTC()
		return
	case *crawler.Outcome:
		*x = crawler.Outcome(1 + rng.IntN(len(crawler.Tallies{}.Counts)-1))
		return
	case *crawler.RobotsStatus:
		*x = crawler.RobotsStatus(1 + rng.IntN(int(crawler.RobotsElsewhere)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			Fill(tb, rng, field)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+rng.IntN(4), 4))
		for i := range v.Len() {
			Fill(tb, rng, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			Fill(tb, rng, v.Index(i))
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d \x00\xff", rng.IntN(1e6)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(rng.Int64() * int64(1-2*rng.IntN(2)))
	case reflect.Uint8:
		v.SetUint(uint64(1 + rng.IntN(255)))
	case reflect.Uint64:
		v.SetUint(1 + rng.Uint64()>>1)
	default:
		tb.Fatalf("the test cannot fill a %s", v.Type())
	}
}
