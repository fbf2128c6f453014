package trawl_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// star says which of our packages each wing's packages may import, beside their own wing's, and why. A room with a line of its own here
// is a wing to itself.
var star = map[string]struct {
	may []string
	why string
}{
	"crawler":          {[]string{"crawler", "internal/coding"}, "it is what all others share: words and rules, without I/O"},
	"scheduler":        {[]string{"crawler"}, "it decides, and declares what it needs of queue and ledger in ports.go"},
	"fetcher":          {[]string{"crawler", "internal/coding", "internal/durable"}, "it does, and declares what it needs of queue and archive in ports.go"},
	"cluster":          {[]string{"crawler", "cluster"}, "it connects, and knows nothing of what is decided or kept"},
	"storage":          {[]string{"crawler", "storage", "internal/coding", "internal/durable"}, "it keeps, and knows nothing of who decides"},
	"internal":         {[]string{"internal"}, "what is below all others shares nothing with them; the synthetic web judges them"},
	"internal/node":    {[]string{"crawler", "scheduler", "fetcher", "cluster", "storage", "internal/seeds", "internal/machine"}, "it wires the wings; what a Go program sees of it is the facade's"},
	"internal/seeds":   {[]string{"crawler", "scheduler", "storage/export", "internal/coding"}, "it reads what users have, columns of our own exports too, into the scheduler's seeds"},
	"internal/machine": {[]string{"crawler/weburl"}, "it knows the machine, and of a job no more than its hosts"},
	"cmd/trawl/demo":   {[]string{"crawler", "storage/crawldir", "internal/webfarm", "cmd/trawl/view"}, "it runs the program from outside, and knows of a crawl where its bodies lie"},
	"cmd/trawl/view":   {[]string{"trawl", "crawler"}, "it shows what a running crawl says of itself, and knows no flag and no exit status"},
	"bench/ledger":     {[]string{"crawler", "scheduler/core", "storage/ledger", "internal/machine"}, "it runs a scheduler's core on a ledger, with the caches of a node, without all that is around them"},
	"bench":            {[]string{"internal"}, "it runs the program from outside"},
}

// rooms says which packages of its own wing a room may import, and why not more: the wing's words are free to its rooms. What is
// named ...test is for tests alone, and free to them.
var rooms = map[string]struct {
	may []string
	why string
}{
	"crawler":                 {[]string{"crawler/weburl", "crawler/session", "crawler/media", "crawler/ascii", "crawler/setting"}, "the words of a crawl are made of URLs and what sites set; scanners and explanations are made of the words"},
	"crawler/ascii":           {nil, "it has the classes of characters alone"},
	"crawler/setting":         {nil, "what a setting is depends on nothing that is set"},
	"crawler/weburl":          {[]string{"crawler/ascii"}, "a URL is what it is in any crawl"},
	"crawler/schema":          {[]string{"crawler/weburl"}, "how records are described does not depend on any of them"},
	"crawler/records":         {[]string{"crawler", "crawler/schema", "crawler/session", "crawler/weburl"}, "the tables of the words, for ledger, wire and exports"},
	"crawler/session":         {[]string{"crawler/weburl"}, "cookies know hosts and nothing of jobs"},
	"crawler/media":           {[]string{"crawler/ascii"}, "what a body is depends on no job"},
	"crawler/robots":          {[]string{"crawler", "crawler/weburl", "crawler/ascii"}, "rules are read for URLs"},
	"crawler/links":           {[]string{"crawler", "crawler/weburl", "crawler/media", "crawler/ascii"}, "it finds links, and decides nothing about them"},
	"crawler/explain":         {[]string{"crawler", "crawler/weburl", "crawler/session", "crawler/robots"}, "it tells the rules of others"},
	"scheduler":               {[]string{"scheduler/core"}, "the shell brings the core's steps to ledger and queues, and decides nothing"},
	"scheduler/memory":        {nil, "what was committed is kept at hand, whoever decides by it"},
	"scheduler/credit":        {nil, "what is lent out is counted, whoever decides to lend"},
	"scheduler/names":         {nil, "a name is free or not, whoever wants it"},
	"scheduler/waits":         {nil, "words for people decide nothing"},
	"scheduler/core":          {[]string{"scheduler/memory", "scheduler/credit", "scheduler/names", "scheduler/waits"}, "it decides from values and reads of the ledger, so that each rule is tested in virtual time, and the same steps can be replayed elsewhere"},
	"cluster":                 {nil, "it has the words that its rooms share"},
	"cluster/trust":           {[]string{"cluster"}, "secrets and certificates know no transport"},
	"cluster/listen":          {nil, "it bounds connections, whoever they are for"},
	"cluster/gossip":          {[]string{"cluster", "cluster/trust", "cluster/listen"}, "members know nothing of queues"},
	"cluster/control":         {[]string{"cluster", "cluster/trust", "cluster/listen"}, "status and steering go on without queue and gossip"},
	"cluster/queue":           {[]string{"cluster", "cluster/trust", "cluster/listen", "cluster/queue/wire"}, "queues know nothing of members"},
	"cluster/queue/wire":      {nil, "messages know no transport"},
	"fetcher":                 {[]string{"fetcher/lease", "fetcher/trouble", "fetcher/download", "fetcher/engine"}, "a turn decides when a page is asked for, and leaves to rooms how"},
	"fetcher/lease":           {nil, "a right is a span of time, whatever is asked with it"},
	"fetcher/ship":            {nil, "files travel whatever became of their turns"},
	"fetcher/trouble":         {nil, "errors are read for what is wrong on this side, whoever made them"},
	"fetcher/engine":          {[]string{"fetcher/download"}, "an engine knows how it is asked for a page, and that there is a transport"},
	"fetcher/download":        {[]string{"fetcher/lease", "fetcher/trouble", "fetcher/download/dial", "fetcher/download/head", "fetcher/download/decode", "fetcher/download/spool"}, "a page knows no turn, no scheduler and no engine"},
	"fetcher/download/dial":   {[]string{"fetcher/lease", "fetcher/trouble"}, "connections know no HTTP"},
	"fetcher/download/head":   {nil, "heads are bytes on a connection"},
	"fetcher/download/decode": {nil, "codings know no page"},
	"fetcher/download/spool":  {[]string{"fetcher/trouble"}, "a body is bytes on their way to the archive"},
	"storage":                 {nil, "it has the words that its rooms share"},
	"storage/crawldir":        {[]string{"storage"}, "it alone knows the names of files in a crawl directory, and not what is in them"},
	"storage/ledger/format":   {nil, "how changes become bytes depends on no store"},
	"storage/ledger":          {[]string{"storage", "storage/crawldir", "storage/ledger/format"}, "the only truth needs no archive and no export"},
	"storage/archive":         {[]string{"storage", "storage/crawldir", "storage/archive/warc"}, "bodies are kept without a look at the ledger"},
	"storage/archive/warc":    {nil, "WARC is a format of others"},
	"storage/export":          {nil, "rows come from whoever has them"},
	"storage/check":           {[]string{"storage", "storage/crawldir", "storage/ledger", "storage/archive", "storage/archive/warc"}, "it compares ledger and archive"},
	"storage/backup":          {[]string{"storage", "storage/crawldir", "storage/ledger"}, "a backup has no bodies"},
	"internal/coding":         {nil, "codings know no page"},
	"internal/durable":        {nil, "it is below all that writes files"},
	"internal/webfarm":        {nil, "a web knows no crawler"},
}

// engines are libraries that only one of our packages may know.
var engines = map[string]string{
	"github.com/cockroachdb/pebble":   "storage/ledger",
	"github.com/parquet-go":           "storage/export",
	"github.com/nats-io":              "cluster",
	"github.com/hashicorp/memberlist": "cluster/gossip",
	"github.com/gocolly/colly":        "fetcher/engine",
	"github.com/spf13/cobra":          "cmd",
}

func TestImportsFormAStar(t *testing.T) {
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		room := filepath.ToSlash(filepath.Dir(file))
		for _, i := range f.Imports {
			checkImport(t, file, room, strings.Trim(i.Path.Value, `"`))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkImport(t *testing.T, file, room, imported string) {
	wing, _, _ := strings.Cut(room, "/")
	if _, own := star[room]; own {
		wing = room
	}
	if target, ours := strings.CutPrefix(imported, "trawl/"); ours || imported == "trawl" {
		switch {
		case strings.HasSuffix(room, "test") || strings.HasSuffix(file, "_test.go") && strings.HasSuffix(target, "test"):
		case within(target, wing):
			checkRoom(t, file, room, target)
		default:
			rule, bound := star[wing]
			if bound && !slices.ContainsFunc(rule.may, func(may string) bool { return within(target, may) }) {
				t.Errorf("%s imports %s: package %s must not, since %s", file, imported, wing, rule.why)
			}
		}
	}
	if imported == "net/http" && room == "fetcher" && !strings.HasSuffix(file, "_test.go") {
		t.Errorf("%s imports net/http: a fetcher asks hosts through its room for downloads alone", file)
	}
	for library, owner := range engines {
		if strings.HasPrefix(imported, library) && !within(room, owner) && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s imports %s: only %s knows that library, so that it can be replaced in one place", file, imported, owner)
		}
	}
}

// checkRoom looks at imports between rooms of one wing.
func checkRoom(t *testing.T, file, room, target string) {
	rule, known := rooms[room]
	switch {
	case target == room || strings.HasSuffix(file, "_test.go") && target != "trawl" && isAbove(room, target):
	case known && !slices.Contains(rule.may, target):
		t.Errorf("%s imports %s: room %s must not, since %s", file, target, room, rule.why)
	}
}

// isAbove reports whether a room is the wing of the target: its tests from outside may know all its rooms.
func isAbove(room, target string) bool { return strings.HasPrefix(target, room+"/") }

// within reports whether a package is the other one, or lies below it.
func within(pkg, other string) bool { return pkg == other || strings.HasPrefix(pkg, other+"/") }

// Each room stands in the table with its reason.
func TestEveryRoomIsInTheTable(t *testing.T) {
	for _, wing := range []string{"crawler", "scheduler", "fetcher", "cluster", "storage"} {
		err := filepath.WalkDir(wing, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() || strings.HasSuffix(path, "test") || d.Name() == "testdata" {
				return err
			}
			files, err := filepath.Glob(filepath.Join(path, "*.go"))
			if _, known := rooms[filepath.ToSlash(path)]; len(files) > 0 && !known {
				t.Errorf("room %s has no line in the table of rooms: what may it import, and why no more?", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
