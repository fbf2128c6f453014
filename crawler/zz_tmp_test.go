package crawler

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func treeLinks(n *html.Node, out *[]string) {
	if n.Type == html.ElementNode {
		get := func(k string) (string, bool) {
			for _, a := range n.Attr {
				if a.Key == k && (a.Namespace == "" || a.Namespace == "xlink") {
					return a.Val, true
				}
			}
			return "", false
		}
		add := func(k string) {
			if v, ok := get(k); ok {
				if h, ok := InspectURL(v, "http://h.test/dir/page.html"); ok && (strings.Trim(v, htmlSpace) != "" || n.Data == "a") {
					h, _, _ = strings.Cut(h, "#")
					if strings.HasPrefix(h, "http") && !slices.Contains(*out, h) {
						*out = append(*out, h)
					}
				}
			}
		}
		switch n.Data {
		case "a", "area":
			add("href")
		case "img", "script", "iframe", "frame", "embed", "video", "audio", "source", "track":
			add("src")
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		treeLinks(c, out)
	}
}

func TestZZTree(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("HOME"), "go/pkg/mod/golang.org/x/net@v0.62.0/html/testdata/html5lib-tests/tree-construction/*.dat"))
	n, bad, nonempty := 0, 0, 0
	for _, f := range files {
		data, _ := os.ReadFile(f)
		for _, part := range strings.Split(string(data), "#data\n") {
			doc, _, ok := strings.Cut(part, "\n#errors")
			if !ok {
				continue
			}
			node, err := html.Parse(strings.NewReader(doc))
			if err != nil {
				continue
			}
			var want []string
			treeLinks(node, &want)
			got := InspectLinks("http://h.test/dir/page.html", bytes.Clone([]byte(doc)), nil, "html")
			n++; if len(want) > 0 { nonempty++ }
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				bad++
				t.Logf("%s %q\n got %q\nwant %q", filepath.Base(f), doc, got, want)
			}
		}
	}
	t.Logf("%d docs, %d with links, %d differ", n, nonempty, bad)
}
