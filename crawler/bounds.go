package crawler

// Words of limits that were hit, counted in HostReport.Bounds and Tallies.Bounds and shown as "limits hit". They are a
// contract with users: append only. docs/reasons.md says what each means. The ones of an exchange are counted once an
// exchange, but for BoundCarry, which counts what it cost.
const (
	BoundLinks        = "links"           // more references on a page than FetchLimits.Links
	BoundCarry        = "link-carry"      // attributes and CSS values too long to be looked at whole: their links are lost
	BoundLateBase     = "late-base"       // a base element came too late for the links before it
	BoundHeader       = "header-bytes"    // the answer's header is larger than FetchLimits.HeaderBytes
	BoundBody         = "max-body"        // the body was cut at FetchLimits.MaxBody
	BoundRatio        = "ratio"           // the body decodes to more than FetchLimits.Ratio times its size
	BoundRobots       = "robots-bytes"    // a robots.txt was cut at FetchLimits.Robots
	BoundRedirects    = "redirects"       // a chain of more redirects than FetchLimits.Redirects
	BoundUnsent       = "unsent-reports"  // a page had to wait until a fetcher's reports were stored
	BoundAddresses    = "seed-addresses"  // a seed spells a private address beyond those that seeds may open
	BoundCookieHeader = "cookie-header"   // a cookie was left out of a request whose Cookie field would be over MaxCookieHeader
	BoundForgot       = "links-forgotten" // a page had to forget which of its links were found before: fetchers remember so many at once
	BoundScope        = "scope-seeds"     // a seed opens the scope beyond those that are kept in memory; it counts, and is looked up in the ledger
)
