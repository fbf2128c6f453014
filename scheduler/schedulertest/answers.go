package schedulertest

import (
	"time"

	"trawl/crawler"
	"trawl/crawler/weburl"
)

// Job is a crawl that asks each host once a second.
func Job() crawler.Job {
	j := crawler.NewJob(crawler.Crawl)
	j.Delay = time.Second
	return j
}

// Fetched is a page that came.
func Fetched(url string) crawler.Result {
	return crawler.Result{URL: weburl.MustParse(url), Outcome: crawler.Fetched, Status: 200}
}

// PartOf is a part of the report of a fetcher f.
func PartOf(task *crawler.Task, holder byte, number int, fill func(*crawler.Part)) crawler.Part {
	p := crawler.Part{Turn: task.Turn, Host: task.Host, Holder: crawler.HolderID{holder}, Number: number, Fetcher: "f"}
	if fill != nil {
		fill(&p)
	}
	return p
}

// DigestOf stands for a body.
func DigestOf(body string) (d crawler.Digest) {
	copy(d[:], body)
	return d
}

// AllOf is the only part of a task's report: each URL leads where leads says, "" = it has a body of its own text, of ten bytes.
func AllOf(task *crawler.Task, leads map[string]string) func(*crawler.Part) {
	return func(p *crawler.Part) {
		p.End = true
		for _, u := range task.URLs {
			r := Fetched(u.URL.String())
			if to := leads[u.URL.String()]; to != "" {
				r.Outcome, r.Status, r.RedirectTo = crawler.Redirected, 302, weburl.MustParse(to)
				p.Links = append(p.Links, crawler.PageLinks{Page: u.URL, Links: []crawler.Link{{URL: r.RedirectTo, Kind: crawler.LinkRedirect}}})
			} else {
				r.Digest, r.Bytes = DigestOf(u.URL.String()), 10
				r.Archive = crawler.Locator{File: crawler.BodyName(u.URL, r.Digest), Length: 10}
			}
			p.Results = append(p.Results, r)
		}
	}
}
