package crawler

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"trawl/crawler/session"
	"trawl/crawler/setting"
	"trawl/crawler/weburl"
)

// Setting describes a field of a job: its flag, key, defaults, check, help, and what it counts for.
type Setting = setting.Setting[Job]

// Settings has every field of a job, in the order of files. A new setting is a field of Job and an entry here; flags,
// configuration files, their check, trawl set, completion and the guide's table follow. What it does is up to the packages that use it.
func Settings() []Setting { return jobSettings }

// noLimit is the advice for numbers of which 0 is none.
const noLimit = "use 0 for no limit, or more"

// Forms that several settings have.
var (
	delays      = setting.Between(setting.Duration, 0, 24*time.Hour, "use 0 to 24h")
	connections = setting.Between(setting.Int, 1, 64, "use 1 to 64")
	pages       = setting.AtLeast(setting.Int64, 0, noLimit)
	times       = setting.AtLeast(setting.Duration, 1, "must be more than 0")
)

var jobSettings = []Setting{
	setting.Of("kind", func(j *Job) *Kind { return &j.Kind }, setting.Words[Kind]("crawl", "download"), Crawl, Download,
		"what sort of job it is", setting.Identity, setting.KeyOnly),
	setting.Of("scope", func(j *Job) *ScopeRule { return &j.Scope }, setting.Words[ScopeRule]("page\tthe seed itself", "prefix\tthe seed's path",
		"host\tthe seed's host", "domain\tthe registrable domain", "any\teverything"), ScopeHost, ScopeAny, "what belongs to the crawl", setting.Identity),
	setting.OfList("include", func(j *Job) *[]string { return &j.Include }, expressions,
		"only URLs that match this regular expression (repeatable)", setting.Identity),
	setting.OfList("exclude", func(j *Job) *[]string { return &j.Exclude }, expressions,
		"no URLs that match this regular expression (repeatable)", setting.Identity),
	setting.Of("requisites", func(j *Job) *Requisites { return &j.Requisites }, setting.Words[Requisites]("none",
		"scope\tas if they were pages", "all\talso from other hosts"), RequisitesScope, RequisitesNone, "images, styles, scripts, fonts of pages", setting.Identity),
	setting.Of("lazy-images", func(j *Job) *bool { return &j.LazyImages }, setting.Bool, true, true,
		"pictures that scripts load late (data-src and kin, og:image) count as requisites",
		setting.LiveAs("pictures that scripts load late count as requisites; =false: they do not")),
	setting.OfList("accept", func(j *Job) *[]string { return &j.Accept }, mediaRanges,
		"content types whose bodies are read, such as text/html,image/*; others end at their headers"),

	setting.Of("depth", func(j *Job) *int { return &j.Depth }, setting.AtLeast(setting.Int, -1, "use 0 or more, or -1 for no limit"), -1, -1,
		"most links from a seed, -1 for no limit", setting.Live),
	setting.Of("trap-repeat", func(j *Job) *int { return &j.TrapRepeat }, setting.AtLeast(setting.Int, 0, noLimit), DefaultTrapRepeat, DefaultTrapRepeat,
		"most times that one segment of a link's path may stand in a row, 0 for any number", setting.Live),
	setting.Of("trap-segments", func(j *Job) *int { return &j.TrapSegments }, setting.AtLeast(setting.Int, 0, noLimit), DefaultTrapSegments, DefaultTrapSegments,
		"most segments of a link's path, 0 for any number", setting.Live),
	setting.Of("max-pages", func(j *Job) *int64 { return &j.MaxPages }, pages, 0, 0, "most URLs fetched, 0 for no limit", setting.Live),
	setting.Of("max-bytes", func(j *Job) *int64 { return &j.MaxBytes }, setting.AtLeast(setting.Size, 0, noLimit), 0, 0,
		"most bytes of bodies in all, such as 5GiB; 0 for no limit", setting.Live),
	setting.Of("max-per-host", func(j *Job) *int64 { return &j.MaxPerHost }, pages, 0, 0, "most URLs fetched from a host, 0 for no limit", setting.Live),

	setting.Of("delay", func(j *Job) *time.Duration { return &j.Delay }, delays, time.Second, 0, "least time between two requests to a host",
		setting.LiveAs("least time between two requests to a host; a longer one counts at once, a shorter one from each host's next turn")),
	setting.Of("per-host", func(j *Job) *int { return &j.PerHost }, connections, 1, 2, "connections to a host", setting.Live),
	setting.Of("ignore-robots", func(j *Job) *bool { return &j.IgnoreRobots }, setting.Bool, false, false, "do not obey robots.txt"),
	setting.Of("user-agent", func(j *Job) *string { return &j.UserAgent }, userAgents, userAgent, userAgent,
		"name told to servers; robots.txt rules are looked up by its first word"),
	setting.OfList("header", func(j *Job) *[]Header { return &j.Headers }, headers,
		"request header 'Name: value' sent to every host; Authorization, Proxy-Authorization and Cookie to the seeds' hosts only (repeatable)"),
	setting.Of("referer", func(j *Job) *session.RefererPolicy { return &j.Referer }, setting.Words[session.RefererPolicy]("none", "origin",
		"same-origin", "strict-origin-when-cross-origin"), session.RefererStrictOrigin, session.RefererStrictOrigin,
		"what requests say of the page that led to them", setting.Live),
	setting.Of("ca-file", func(j *Job) *string { return &j.CA }, certificates, "", "", "certificates (PEM) trusted beside the system's", setting.Secret),
	setting.Of("bandwidth", func(j *Job) *int64 { return &j.Bandwidth }, bandwidths, 0, 0,
		"most bytes a second of each fetcher, such as 500KiB/s; 0 for no limit"),

	setting.Of("max-body", func(j *Job) *int64 { return &j.Fetch.MaxBody }, setting.AtLeast(setting.Size, 0, noLimit), 64*MiB, 0,
		"largest body kept, longer ones are cut; 0 for no limit"),
	setting.Of("max-links", func(j *Job) *int { return &j.Fetch.Links }, setting.AtLeast(setting.Int, 0, noLimit), 100_000, 100_000,
		"most links taken of a page, 0 for no limit", setting.Live),
	setting.Of("timeout", func(j *Job) *time.Duration { return &j.Fetch.Idle }, times, 60*time.Second, 60*time.Second,
		"longest time without a byte", setting.Live),
	setting.Of("connect-timeout", func(j *Job) *time.Duration { return &j.Fetch.Connect }, times, 10*time.Second, 10*time.Second,
		"longest time to connect and shake hands", setting.Live),
	setting.Of("first-byte-timeout", func(j *Job) *time.Duration { return &j.Fetch.FirstByte }, times, 30*time.Second, 30*time.Second,
		"longest time until an answer begins; `timeout` where that is given and longer", setting.Follows("timeout"),
		setting.LiveAs("longest time until an answer begins; `timeout` where only that is set, and longer")),
	setting.Of("total-timeout", func(j *Job) *time.Duration { return &j.Fetch.Total }, setting.AtLeast(setting.Duration, 0, noLimit), 5*time.Minute, 0,
		"longest time for a request and its answer, 0 for no limit", setting.Live),
	setting.Of("max-redirects", func(j *Job) *int { return &j.Fetch.Redirects },
		setting.Between(setting.Int, 0, MaxRedirects, fmt.Sprintf("use 0 to %d", MaxRedirects)), 10, 10, "most redirects in a chain, 0 to follow none", setting.Live),
	setting.Of("retries", func(j *Job) *int { return &j.Retry.Retries }, setting.Between(setting.Int, 0, 100, "use 0 to 100"), 3, 3, "tries after the first"),
	setting.Of("host-patience", func(j *Job) *time.Duration { return &j.HostPatience }, setting.AtLeast(setting.Duration, 0, "use 0 or more"),
		DefaultHostPatience, DefaultHostPatience,
		"how long a host that has answered may be away before its URLs fail, counted while the crawl runs",
		setting.LiveAs("how long a host that has answered may be away before its URLs fail")),

	setting.OfList("allow-private", func(j *Job) *[]string { return &j.AllowPrivate }, networks,
		"reach private addresses: all, or a list of networks", setting.Alone("all")),
	setting.Of("archive", func(j *Job) *ArchiveKind { return &j.Archive },
		setting.Words[ArchiveKind]("warc", "files", "none"), ArchiveWARC, ArchiveFiles,
		"where bodies go"),
	setting.Of("compress", func(j *Job) *Compression { return &j.Compress },
		setting.Words[Compression]("gzip", "none"), CompressGzip, CompressGzip,
		"compression of WARC records"),
	setting.Of("workers", func(j *Job) *int { return &j.Workers },
		setting.AtLeast(setting.Int, 0, "use 0 for as many as a fetcher announces, or more"), 0, 0,
		"hosts asked at the same time by each fetcher, 0 for as many as it announces", setting.LiveOnly),

	// The times of the protocol: tests of clusters cannot wait for the usual ones.
	setting.Of("lease", func(j *Job) *time.Duration { return &j.Lease }, times, 15*time.Second, 15*time.Second,
		"right to ask a host, renewed while a fetcher works", setting.Hidden),
	setting.Of("renew", func(j *Job) *time.Duration { return &j.Renew }, times, 5*time.Second, 5*time.Second, "time between renewals", setting.Hidden),
	setting.Of("grace", func(j *Job) *time.Duration { return &j.Grace }, times, 5*time.Second, 5*time.Second,
		"time between the end of a lease and its lapse", setting.Hidden),

	setting.Bare("hosts", func(j *Job) *[]HostRule { return &j.Hosts }, nil, nil, "what is different for single hosts", setting.KeyOnly),

	// What only programs say, or the scheduler.
	unsaid(func(j *Job) *string { return &j.Name }, string(Crawl), string(Download)),
	unsaid(func(j *Job) *[]string { return &j.SeedPrivate }, nil, nil),
	unsaid(func(j *Job) *time.Duration { return &j.MaxCrawl }, time.Minute, time.Minute),
	unsaid(func(j *Job) *time.Duration { return &j.TurnTime }, 5*time.Second, 5*time.Second),
	unsaid(func(j *Job) *int64 { return &j.Fetch.HeaderBytes }, 64*KiB, 64*KiB),
	unsaid(func(j *Job) *int64 { return &j.Fetch.Ratio }, 200, 200),
	unsaid(func(j *Job) *int64 { return &j.Fetch.RatioAfter }, 16*MiB, 16*MiB),
	unsaid(func(j *Job) *int { return &j.Fetch.URLBytes }, weburl.MaxBytes, weburl.MaxBytes),
	unsaid(func(j *Job) *int64 { return &j.Fetch.Robots }, 500*KiB, 500*KiB),
	unsaid(func(j *Job) *time.Duration { return &j.Retry.Base }, 5*time.Second, 5*time.Second),
	unsaid(func(j *Job) *time.Duration { return &j.Retry.Max }, 10*time.Minute, 10*time.Minute),
	unsaid(func(j *Job) *time.Duration { return &j.Robots.TTL }, 24*time.Hour, 24*time.Hour),
	unsaid(func(j *Job) *int { return &j.Robots.Tries }, 4, 4),
	unsaid(func(j *Job) *time.Duration { return &j.Robots.Backoff }, 70*time.Second, 70*time.Second),
}

// unsaid is a field that no command says. It is remembered all the same.
func unsaid[T any](field func(*Job) *T, crawl, download T) Setting {
	return setting.Bare("", field, crawl, download, "")
}

// hostRuleSettings has every field of a rule for hosts, in the order of files.
var hostRuleSettings = []setting.Setting[HostRule]{
	setting.Of("match", func(r *HostRule) *string { return &r.Match }, setting.Text, "", "", "a host, or a name with all below it: *.example.com"),
	setting.Of("delay", func(r *HostRule) **time.Duration { return &r.Delay }, setting.Optional(delays), nil, nil, ""),
	setting.Of("per-host", func(r *HostRule) **int { return &r.PerHost }, setting.Optional(connections), nil, nil, ""),
	setting.Of("max-pages", func(r *HostRule) **int64 { return &r.MaxPages }, setting.Optional(pages), nil, nil, ""),
	setting.Of("ignore-robots", func(r *HostRule) **bool { return &r.IgnoreRobots }, setting.Optional(setting.Bool), nil, nil, ""),
	setting.OfList("headers", func(r *HostRule) *[]Header { return &r.Headers }, headers, ""),
}

// HostRuleSettings has every field of a rule for hosts, in the order of files.
func HostRuleSettings() []setting.Setting[HostRule] { return hostRuleSettings }

// Forms of single settings.
var (
	expressions = setting.Lists[string]{Form: texts("stringArray", func(text string) string {
		if _, err := regexp.Compile(text); err != nil {
			return fmt.Sprintf("%q is not a regular expression: %v", text, err)
		}
		return ""
	})}
	mediaRanges = setting.Lists[string]{Commas: true, Form: texts("stringSlice", nil).
			Where(validMediaRange, "use a content type such as text/html, or image/*")}
	networks = setting.Lists[string]{Commas: true, Form: texts("stringSlice", nil).
			Where(validNetwork, "use all, or networks such as 10.0.0.0/8")}
	headers = setting.Lists[Header]{Form: setting.Form[Header]{
		Type: "header", Parse: ParseHeader, Text: func(h Header) string { return h.Name + ": " + h.Value }, Check: Header.problem,
	}}
	userAgents = texts("string", func(text string) string {
		switch {
		case ProductToken(text) == "":
			return fmt.Sprintf("%q: begin with a name of letters, - or _", text)
		case strings.ContainsAny(text, "\r\n\x00"):
			return fmt.Sprintf("%q: must be one line", text)
		}
		return ""
	})
	certificates = texts("file", func(text string) string {
		if text != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(text)) {
			return "has no certificate (PEM) in it"
		}
		return ""
	})
	bandwidths = setting.Rate.Where(func(n int64) bool { return n == 0 || n >= MinBandwidth },
		fmt.Sprintf("use 0 for no limit, or %d bytes a second at least", MinBandwidth))
)

// userAgent is the usual one.
const userAgent = "trawl/1 (+https://github.com/trawl-crawler/trawl)"

// texts is the form of texts that are called something else.
func texts(kind string, check func(string) string) setting.Form[string] {
	f := setting.Text
	f.Type, f.Check = kind, check
	return f
}

func validNetwork(text string) bool {
	_, err := netip.ParsePrefix(text)
	return text == "all" || err == nil
}
