package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"trawl/crawler"
	"trawl/crawler/links"
	"trawl/crawler/robots"
	"trawl/crawler/weburl"
)

// maxBatchLine is the longest line that inspect --batch reads, in bytes.
const maxBatchLine = 64 << 20

func (p *program) inspectCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect url|robots|links",
		Short: "What trawl makes of a URL, a robots.txt, a page",
		RunE: func(c *cobra.Command, args []string) error {
			return usage("say what to inspect: url, robots or links; see trawl inspect --help")
		},
	}
	c.AddCommand(p.inspectURL(), p.inspectRobots(), p.inspectLinks())
	return c
}

func (p *program) inspectURL() *cobra.Command {
	var batch bool
	var base string
	c := &cobra.Command{
		Use:     "url URL…",
		Short:   "How a URL is written canonically",
		Long:    "The canonical form of each URL: what identifies its row.\nWith --batch: lines {\"input\",\"base\"} in; the WHATWG href or null out, a line each.",
		Example: "  trawl inspect url 'HTTP://Example.COM:80/a/../b#c'",
	}
	c.Flags().BoolVar(&batch, "batch", false, "JSON lines on standard input, JSON values on standard output")
	c.Flags().StringVar(&base, "base", "", "URL that the others are relative to")
	c.RunE = func(c *cobra.Command, args []string) error {
		if batch {
			return inspectBatch(p, func(in struct{ Input, Base string }) any {
				if href, ok := weburl.Inspect(in.Input, in.Base); ok {
					return href
				}
				return nil
			})
		}
		if len(args) == 0 {
			return usage("give URLs, or --batch")
		}
		for _, a := range args {
			u, err := parseAt(base, a)
			if _, wrong := err.(usageError); wrong {
				return err
			}
			if err != nil {
				fmt.Fprintf(p.stdout, "%s\tnot admitted: %v\n", a, err)
				continue
			}
			fmt.Fprintf(p.stdout, "%s\thost %s\tpartition %d\n", u, u.Host(), u.Host().Partition())
		}
		return nil
	}
	return c
}

func parseAt(base, ref string) (weburl.URL, error) {
	if base == "" {
		return weburl.Parse(ref)
	}
	b, err := weburl.Parse(base)
	if err != nil {
		return weburl.URL{}, usage("--base %s: %v", base, err)
	}
	return b.Resolve(ref)
}

func (p *program) inspectRobots() *cobra.Command {
	var batch bool
	var agent string
	c := &cobra.Command{
		Use:     "robots FILE URL…",
		Short:   "What a robots.txt says of URLs",
		Long:    "Which rule of a robots.txt decides for each URL.\nWith --batch: lines {\"robots_b64\",\"ua\",\"url\"} in; true (allowed) or false out, a line each.",
		Example: "  trawl inspect robots robots.txt https://example.com/private/",
	}
	c.Flags().BoolVar(&batch, "batch", false, "JSON lines on standard input, JSON values on standard output")
	c.Flags().StringVar(&agent, "user-agent", crawler.NewJob(crawler.Crawl).UserAgent, "whose rules")
	c.RunE = func(c *cobra.Command, args []string) error {
		if batch {
			return inspectBatch(p, func(in struct {
				Robots string `json:"robots_b64"`
				UA     string `json:"ua"`
				URL    string `json:"url"`
			}) any {
				body, err := base64.StdEncoding.DecodeString(in.Robots)
				if err != nil {
					return nil
				}
				return robots.Inspect(body, in.UA, in.URL)
			})
		}
		if len(args) < 2 {
			return usage("give a robots.txt file and URLs, or --batch")
		}
		return p.printRobots(args[0], agent, args[1:])
	}
	return c
}

func (p *program) printRobots(file, agent string, urls []string) error {
	body, err := os.ReadFile(file)
	if err != nil {
		return usage("%v", err)
	}
	rules := robots.Parse(body, crawler.ProductToken(agent))
	if rules.CrawlDelay > 0 {
		fmt.Fprintf(p.stdout, "Crawl-delay: %v\n", rules.CrawlDelay)
	}
	for _, o := range rules.Oddities {
		fmt.Fprintf(p.stdout, "passed over: %s\n", o)
	}
	for _, a := range urls {
		u, err := weburl.Parse(a)
		if err != nil {
			fmt.Fprintf(p.stdout, "%s\tnot admitted: %v\n", a, err)
			continue
		}
		r, word := rules.Allowed(u.RequestURI()), "disallowed"
		if r.Allowed {
			word = "allowed"
		}
		if r.Line == 0 {
			fmt.Fprintf(p.stdout, "%s\t%s: no rule matches\n", u, word)
		} else {
			fmt.Fprintf(p.stdout, "%s\t%s by line %d: %s\n", u, word, r.Line, r.Text)
		}
	}
	return nil
}

func (p *program) inspectLinks() *cobra.Command {
	var batch bool
	var base, kind string
	c := &cobra.Command{
		Use:     "links FILE",
		Short:   "The links of a page",
		Long:    "The absolute links of a page or style sheet.\nWith --batch: lines {\"base\",\"content_b64\",\"headers\",\"kind\"} in; a list of links out, a line each.",
		Example: "  trawl inspect links page.html --base https://example.com/",
	}
	c.Flags().BoolVar(&batch, "batch", false, "JSON lines on standard input, JSON values on standard output")
	c.Flags().StringVar(&base, "base", "http://localhost/", "URL of the page")
	c.Flags().StringVar(&kind, "kind", "html", "html or css")
	c.RunE = func(c *cobra.Command, args []string) error {
		if batch {
			return inspectBatch(p, func(in struct {
				Base    string            `json:"base"`
				Content string            `json:"content_b64"`
				Headers map[string]string `json:"headers"`
				Kind    string            `json:"kind"`
			}) any {
				content, err := base64.StdEncoding.DecodeString(in.Content)
				if err != nil {
					return nil
				}
				header := http.Header{}
				for k, v := range in.Headers {
					header.Add(k, v)
				}
				return noNil(links.Inspect(in.Base, content, header, in.Kind))
			})
		}
		if len(args) != 1 {
			return usage("give a file, or --batch")
		}
		content, err := os.ReadFile(args[0])
		if err != nil {
			return usage("%v", err)
		}
		for _, l := range links.Inspect(base, content, nil, kind) {
			fmt.Fprintln(p.stdout, l)
		}
		return nil
	}
	return c
}

func noNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// inspectBatch answers one JSON value a line. A line that cannot be read is answered with null and told.
func inspectBatch[T any](p *program, answer func(T) any) error {
	in := bufio.NewScanner(p.stdin)
	in.Buffer(make([]byte, 0, 64<<10), maxBatchLine)
	out := bufio.NewWriter(p.stdout)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for n := 1; in.Scan(); n++ {
		var v T
		var a any
		if err := json.Unmarshal(in.Bytes(), &v); err != nil {
			fmt.Fprintf(p.stderr, "trawl: line %d: %v\n", n, err)
		} else {
			a = answer(v)
		}
		if err := enc.Encode(a); err != nil {
			return fmt.Errorf("write standard output: %w", err)
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	return out.Flush()
}
