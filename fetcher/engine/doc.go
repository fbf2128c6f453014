// Package engine has the engines that pages go through. There is one: colly, with a collector for each lane, over the
// transport of package download. It decides nothing (robots.txt, redirects, cookies, limits and what is visited are ours) and
// is handed a body only when a callback of the user's wants one.
//
// # Goroutines
//
// None of its own. A collector is used by one goroutine at a time, synchronously.
//
// # What is not here
//
// How a page ended: it is read from the exchange, never from colly. The reasons are in docs/decisions/colly.md.
package engine
