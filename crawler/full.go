package crawler

import "math"

const (
	// bodyGuess is how long a body is taken to be before bodiesKnown of them came, in bytes.
	bodyGuess   = 256 * KiB
	bodiesKnown = 16
)

// Full reports whether a job with these tallies has all that MaxPages or MaxBytes let it have: what is left waits.
func (j *Job) Full(t *Tallies) bool {
	return j.MaxPages > 0 && t.Counts[Fetched] >= j.MaxPages || j.FullOfBytes(t)
}

// FullOfBytes reports whether a job with these tallies has all that MaxBytes lets it have. How long a body is shows only
// when it came, so what was under way at that moment comes on top.
func (j *Job) FullOfBytes(t *Tallies) bool { return j.MaxBytes > 0 && t.Bytes >= j.MaxBytes }

// Room is how many more URLs may be leased now, at most, under MaxPages and MaxBytes: bodies to come are taken to be as
// long as those that came, so that little is under way when MaxBytes is reached.
func (j *Job) Room(t *Tallies) int64 {
	room, leased := int64(math.MaxInt64), t.Counts[Leased]
	if j.MaxPages > 0 {
		room = j.MaxPages - t.Counts[Fetched] - leased
	}
	if j.FullOfBytes(t) {
		return 0
	}
	if j.MaxBytes > 0 {
		mean := int64(bodyGuess)
		if n := t.Counts[Fetched]; n >= bodiesKnown {
			mean = max(1, t.Bytes/n)
		}
		room = min(room, 1+(j.MaxBytes-t.Bytes)/mean-leased)
	}
	return room
}
