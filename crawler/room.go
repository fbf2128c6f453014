package crawler

import "math"

const (
	// bodyGuess is how long a body is taken to be before bodiesKnown of them came, in bytes.
	bodyGuess   = 256 * KiB
	bodiesKnown = 16
)

// Room is how many more URLs may be leased now, at most, under MaxPages and MaxBytes: bodies to come are taken to be as
// long as those that came, so that little is under way when MaxBytes is reached.
func (j *Job) Room(t *Tallies) int64 {
	if j.Full(t) {
		return 0
	}
	room, leased := int64(math.MaxInt64), t.Counts[Leased]
	if j.MaxPages > 0 {
		room = j.MaxPages - t.Counts[Fetched] - leased
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

// RoomAt is how many more URLs of a host may be leased now, at most, under its share of pages.
func (j *Job) RoomAt(h *HostState) int64 {
	if most := j.For(h.Host).MaxPages; most > 0 {
		return most - h.Counts[Fetched]
	}
	return math.MaxInt64
}
