package crawler

// Full reports whether a job with these tallies has all that MaxPages or MaxBytes let it have: what is left waits.
func (j *Job) Full(t *Tallies) bool {
	return j.MaxPages > 0 && t.Counts[Fetched] >= j.MaxPages || j.FullOfBytes(t)
}

// FullOfBytes reports whether a job with these tallies has all that MaxBytes lets it have. How long a body is shows only
// when it came, so what was under way at that moment comes on top.
func (j *Job) FullOfBytes(t *Tallies) bool { return j.MaxBytes > 0 && t.Bytes >= j.MaxBytes }
