package scheduler

import (
	"slices"
	"time"
)

// rates are counts of the last seconds. Owned by the loop.
type rates struct{ samples []rateSample }

type rateSample struct {
	at           time.Time
	pages, bytes int64
}

// rateWindow is the time that rates are taken over.
const rateWindow = 10 * time.Second

func (r *rates) add(now time.Time, pages, bytes int64) {
	if n := len(r.samples); n > 1 && now.Sub(r.samples[n-2].at) < tick {
		r.samples = r.samples[:n-1] // the one before is near enough
	}
	r.samples = append(r.samples, rateSample{now, pages, bytes})
	for len(r.samples) > 2 && now.Sub(r.samples[1].at) > rateWindow {
		r.samples = slices.Delete(r.samples, 0, 1)
	}
}

func (r *rates) perSecond() (pages, bytes float64) {
	if len(r.samples) < 2 {
		return 0, 0
	}
	a, b := r.samples[0], r.samples[len(r.samples)-1]
	d := b.at.Sub(a.at).Seconds()
	if d <= 0 {
		return 0, 0
	}
	return float64(b.pages-a.pages) / d, float64(b.bytes-a.bytes) / d
}
