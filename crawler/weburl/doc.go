// Package weburl makes URLs canonical and splits them into what a crawl goes by: host, key, partition, address.
//
// All URLs come in through [Parse]: by the rules of the WHATWG URL standard, http and https only, so that one page
// has one text. [Inspect] is the standard's own answer for any scheme, made by another parser: for looking at URLs, and to test the
// first. [PrivateAddress] and [AddressGuard] say which addresses no link may reach.
//
// It is pure: no I/O, no goroutines, no clock. A text that is no URL is an error and never a panic; the fuzz targets hold that, and
// that both parsers agree.
//
// What is not here: which URLs belong to a job (package crawler), and connections (package fetcher).
package weburl
