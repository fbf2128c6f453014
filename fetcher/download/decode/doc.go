// Package decode undoes the content codings of a body while it is read: gzip, deflate, Brotli and zstd, also several of them.
// Decoders are lent from pools, since they are costly to make. Each stage has bounds: what comes out of one coding may vanish
// in the next, so it is not enough to look at the end.
//
// # What it costs
//
// A page of 16 KB (BenchmarkDecode): zstd 26 µs, gzip 60, Brotli 113, on a core that takes 10.6 µs for its SHA-256. Of the 60, nine tenths
// are the inner loop of klauspost's flate, which alone takes 50 to 64 by the page's words; the standard library's takes 80 to 87. Of the
// libraries that are well kept and need no cgo there is none that is faster.
//
// # Goroutines
//
// None. A decoding is owned by one goroutine; the pools are shared.
//
// # What is not here
//
// Which codings a body has is read in package coding from its head. A panic of a decoder is an error of the body.
package decode
