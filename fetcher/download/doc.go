// Package download fetches one page: request → answer → sinks → verdict. It is given a permit for each request and returns a
// finding; it knows nothing of turns, tasks, parts and the scheduler.
//
// # One page
//
// A [Lane] makes a request, which does not change from then on, and an exchange for it (exchange.go). A page goes through the
// engine, a robots.txt does not; both reach the transport (transport.go), which sends the request once, over connections of
// package dial, and notes the facts of the answer (answer.go). The body is read in one pass (body.go): wire bytes under the
// clock and the bandwidth, through the decoders, into the sinks (sink.go), each of which decides at the head whether it takes
// part: digest, text for the engine, links, store. The rules of judge.go turn the facts into an outcome, the archive takes the
// exchange (record.go), and the verdict says whether there is a result at all (verdict.go).
//
// Proxies, dials, limits and mended heads wrap what lies below them; none of them is a branch in the pass.
//
// # Goroutines
//
// A page is fetched in the caller's goroutine; net/http has its own for connections, which end with [Site.Close], or
// with [Downloader.CloseIdle] where they are kept for the host's next turn (keeper.go).
//
// # Crash story
//
// Nothing of a page is durable before the archive has it. Partial bodies may outlive an interruption (resume.go), and may be
// lost at any time.
//
// # What is not here
//
// When a host may be asked (lease, pace), what becomes of a result, and what to do about trouble of this machine.
package download
