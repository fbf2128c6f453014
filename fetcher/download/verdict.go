package download

import "trawl/fetcher/trouble"

// Verdict is what an exchange comes to.
type Verdict uint8

const (
	Counts       Verdict = iota // it has a result
	CutOff                      // we ended it, or its connection was closed before it was used: it says nothing about the URL
	Restart                     // the body could not be resumed, and its beginning was discarded: fetch it from byte 0
	DiskFailed                  // the disk did not take the body
	MachineShort                // this machine is short of something, see IsShortage
)

// NoResult reports whether there is nothing to be known from the exchange, not even that the host answered.
func (v Verdict) NoResult() bool { return v == CutOff || v == DiskFailed || v == MachineShort }

// verdictOf says whether an error of storing is trouble of this machine; otherwise the result counts.
func verdictOf(err error) Verdict {
	switch {
	case trouble.IsDisk(err):
		return DiskFailed
	case trouble.IsShortage(err):
		return MachineShort
	}
	return Counts
}
