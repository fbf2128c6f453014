// Package decode undoes the content codings of a body while it is read: gzip, deflate, Brotli and zstd, also several of them.
// Decoders are lent from pools, since they are costly to make. Each stage has bounds: what comes out of one coding may vanish
// in the next, so it is not enough to look at the end.
//
// # Goroutines
//
// None. A decoding is owned by one goroutine; the pools are shared.
//
// # What is not here
//
// Which codings a body has is read in package coding from its head. A panic of a decoder is an error of the body.
package decode
