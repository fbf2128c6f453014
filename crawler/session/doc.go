// Package session is what a crawl carries between requests of one site: cookies (RFC 6265), credentials, and the Referer.
//
// [ParseCookie] reads a Set-Cookie field and refuses what its host may not set. [DomainState] is what is kept for a registrable
// domain; it is merged from [CookieChange] in the order in which pages were settled. Limits on count and bytes leave marks.
// Secrets keep the scheme of the seed that had them: what came with https never leaves over http.
//
// It is pure: no goroutines, no clock; files are read from what the caller opened ([ReadCookies], [ReadLogins]).
//
// What is not here: which hosts seeds spell (package crawler), and where the state is stored (package storage).
package session
