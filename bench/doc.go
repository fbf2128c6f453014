// Command bench measures trawl against bare loops of GETs and against other crawlers, on the same synthetic
// web on loopback. The tools of a scenario take turns within one run, and what counts is the ratio of two
// figures of the same round: a machine may be slow today, but it is so for both.
//
// Every tool is a process of its own, so that its processor time and memory are the kernel's figures. Time
// runs from the start of the process to its end, with everything that it writes. Every quarter of a second
// the pages that the web has sent and the processor time of the machine and of the tool are noted; from
// this timeline come the idle share and the plots.
//
// A scenario (scenarios.go) is a web, the tools that are measured on it, and what must be true of their
// figures. The exit status is 1 when something is not.
package main
