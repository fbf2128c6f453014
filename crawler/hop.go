package crawler

import (
	"time"

	"trawl/crawler/weburl"
)

// MaxTurnErrands is the most errands a turn may have.
const MaxTurnErrands = 32

// HopAnswer is how the question for one URL was answered that robots.txt of other hosts were redirected to. All hosts that wait
// for it share the answer, and those that come until it runs out.
type HopAnswer struct {
	URL     weburl.URL
	File    RobotsFile // meant when Next is zero; its Scheme says nothing
	Next    weburl.URL // where it was redirected to
	Until   time.Time  // it may be given until then
	Handing bool       // some of those that waited for it were not given it yet
}
