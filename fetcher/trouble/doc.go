// Package trouble is about what is wrong on this side, and is no fate of a URL and no fault of a host: a disk that takes no
// bodies (disk.go), a machine that is short of descriptors, ports or memory (slots.go), a network that is away (network.go).
// It reads errors for signs of these, and holds work back until they are over.
//
// # Goroutines
//
// None of its own. Waits end with their context.
//
// # Crash story
//
// Nothing is kept: a new process finds out again.
//
// # What is not here
//
// What becomes of the turns that met trouble is the fetcher's: they end early and give their URLs back untried.
package trouble
