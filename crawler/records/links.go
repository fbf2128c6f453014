package records

import (
	"fmt"
	"strings"

	"trawl/crawler"
	"trawl/crawler/schema"
	"trawl/crawler/weburl"
)

// MaxLinkText is the most text that the links of one part may have once it is read, in bytes: what is left out on the wire comes
// back here.
const MaxLinkText = 16 << 20

// pageLinks are links found on one page, each a text: a mark that says the kind, then the URL. Most are on the page's own site, so a
// URL there is written from its "/" on. Reading leaves the texts as they came; the part completes them, since it knows how much
// they may grow together.
var pageLinks = schema.Of("PageLinks",
	schema.URL(1, "page", func(p *crawler.PageLinks) *weburl.URL { return &p.Page }).Require(),
	schema.TextList(2, "links", writeLinks, readLink),
)

// linkMarks are in front of links that are not to pages. No URL and no path begins so.
var linkMarks = [...]string{crawler.LinkPage: "", crawler.LinkRequisite: "!", crawler.LinkRedirect: ">"}

func writeLinks(p *crawler.PageLinks, write func(head, tail string)) {
	origin := p.Page.Origin()
	for i := range p.Links {
		l := &p.Links[i]
		text := l.URL.Text
		if rest, ok := strings.CutPrefix(text, origin); ok && strings.HasPrefix(rest, "/") {
			text = rest
		}
		write(linkMarks[l.Kind], text)
	}
}

func readLink(p *crawler.PageLinks, text string) {
	kind := crawler.LinkPage
	for k, mark := range linkMarks {
		if mark != "" && strings.HasPrefix(text, mark) {
			kind, text = crawler.LinkKind(k), text[len(mark):]
			break
		}
	}
	if p.Links == nil {
		p.Links = make([]crawler.Link, 0, 16) // few pages have less
	}
	p.Links = append(p.Links, crawler.Link{URL: weburl.URL{Text: text}, Kind: kind})
}

// completeLinks makes URLs of the texts of links.
func completeLinks(p *part) error {
	room := MaxLinkText
	for i := range p.Links {
		page := &p.Links[i]
		if err := at(p.Host, "links: page", page.Page); err != nil {
			return err
		}
		origin := page.Page.Origin()
		for k := range page.Links {
			text := page.Links[k].URL.Text
			if strings.HasPrefix(text, "/") {
				text = origin + text
			}
			if room -= len(text); room < 0 {
				return fmt.Errorf("links: are over %d bytes", MaxLinkText)
			}
			u, err := schema.Canonical(text)
			if err != nil {
				return fmt.Errorf("links: %w", err)
			}
			page.Links[k].URL = u
		}
	}
	return nil
}
