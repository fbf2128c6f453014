package fetcher

import "trawl/fetcher/trouble"

// verdict is what an exchange comes to.
type verdict uint8

const (
	counts       verdict = iota // it has a result
	cutOff                      // we ended it, or its connection was closed before it was used: it says nothing about the URL
	restart                     // the body could not be resumed, and its beginning was discarded: fetch it from byte 0
	diskFailed                  // the disk did not take the body
	machineShort                // this machine is short of something, see IsShortage
)

// noResult reports whether there is nothing to be known from the exchange, not even that the host answered.
func (v verdict) noResult() bool { return v == cutOff || v == diskFailed || v == machineShort }

// verdictOf tells whether an error of storing is trouble of this machine; otherwise the result counts.
func verdictOf(err error) verdict {
	switch {
	case trouble.IsDisk(err):
		return diskFailed
	case trouble.IsShortage(err):
		return machineShort
	}
	return counts
}
