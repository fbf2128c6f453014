package crawler

import (
	"time"

	"trawl/crawler/session"
)

// Change is what a user changes of a running job. Fields that are nil stay as they are. It is recorded in the
// ledger and stays in force over restarts, until another change, or until the command itself says something new.
type Change struct {
	Pause        *bool          `json:"pause,omitempty"`
	Delay        *time.Duration `json:"delay,omitempty"`
	PerHost      *int           `json:"per_host,omitempty"`
	Depth        *int           `json:"depth,omitempty"`
	MaxPages     *int64         `json:"max_pages,omitempty"`
	MaxBytes     *int64         `json:"max_bytes,omitempty"`
	MaxPerHost   *int64         `json:"max_per_host,omitempty"`
	HostPatience *time.Duration `json:"host_patience,omitempty"`
	Workers      *int           `json:"workers,omitempty"`   // turns at once on each fetcher, 0 = as it announces
	LogLevel     *string        `json:"log_level,omitempty"` // debug, info, warn or error

	// Those of requests and pages; turns that begin later have them.
	Connect      *time.Duration         `json:"connect,omitempty"`
	FirstByte    *time.Duration         `json:"first_byte,omitempty"` // nil = at least Idle, where that is changed
	Idle         *time.Duration         `json:"idle,omitempty"`
	Total        *time.Duration         `json:"total,omitempty"`
	Redirects    *int                   `json:"redirects,omitempty"`
	Links        *int                   `json:"links,omitempty"`
	Referer      *session.RefererPolicy `json:"referer,omitempty"`
	LazyImages   *bool                  `json:"lazy_images,omitempty"`
	TrapRepeat   *int                   `json:"trap_repeat,omitempty"`
	TrapSegments *int                   `json:"trap_segments,omitempty"`
}

// Apply changes the state; it does not validate the job that comes out.
func (c *Change) Apply(s *JobState) {
	set(&s.Paused, c.Pause)
	set(&s.Job.Delay, c.Delay)
	set(&s.Job.PerHost, c.PerHost)
	set(&s.Job.Depth, c.Depth)
	set(&s.Job.MaxPages, c.MaxPages)
	set(&s.Job.MaxBytes, c.MaxBytes)
	set(&s.Job.MaxPerHost, c.MaxPerHost)
	set(&s.Job.Workers, c.Workers)
	set(&s.Job.HostPatience, c.HostPatience)
	set(&s.LogLevel, c.LogLevel)

	f := &s.Job.Fetch
	set(&f.Connect, c.Connect)
	if c.Idle != nil && c.FirstByte == nil { // as for a command that says only this one
		f.FirstByte = max(f.FirstByte, *c.Idle)
	}
	set(&f.FirstByte, c.FirstByte)
	set(&f.Idle, c.Idle)
	set(&f.Total, c.Total)
	set(&f.Redirects, c.Redirects)
	set(&f.Links, c.Links)
	set(&s.Job.Referer, c.Referer)
	set(&s.Job.LazyImages, c.LazyImages)
	set(&s.Job.TrapRepeat, c.TrapRepeat)
	set(&s.Job.TrapSegments, c.TrapSegments)
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// Added is what came of seeds that were given to a running job.
type Added struct {
	Seeds   int64    `json:"seeds"`           // read
	Bad     int64    `json:"bad"`             // lines that could not be read
	Lines   []string `json:"lines,omitempty"` // the first of them, with place and reason
	New     int64    `json:"new"`             // of Seeds
	Known   int64    `json:"known"`           // of Seeds: were there before
	Refused int64    `json:"refused"`         // of Seeds: --exclude, or too long
}
