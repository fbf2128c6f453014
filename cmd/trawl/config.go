package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/pflag"

	"trawl"
	"trawl/crawler"
)

// maxConfig is the largest configuration file that is read, in bytes.
const maxConfig = 16 << 20

// config is what a configuration file says. Its keys are the names of the flags; beside them it has kind,
// seeds and hosts.
type config struct {
	file  string // --config
	print bool   // --print-config

	lines     map[string]int // where the keys stand that count
	kind      crawler.Kind   // "" = not said
	seeds     []string
	hosts     []crawler.HostRule
	hostLines map[string]int // by match
}

// commandLineOnly are flags that do something rather than set something: in a file they would do it again
// at every start.
var commandLineOnly = []string{"config", "print-config", "help", "fresh", "retry-failed"}

func (g *config) add(fs *pflag.FlagSet) {
	fs.StringVar(&g.file, "config", "", "read settings from this file (YAML; keys are the names of flags, which win)")
	fs.BoolVar(&g.print, "print-config", false, "print the settings in force, as --config reads them, and do nothing")
}

// read takes the file's settings over into the flags that the command line does not set. It tells all
// problems at once. withJob says that the command runs a job, so that kind, seeds and hosts are keys.
func (g *config) read(fs *pflag.FlagSet, command string, withJob bool) error {
	if g.file == "" {
		return nil
	}
	text, err := readLimited(g.file, maxConfig)
	if err != nil {
		return usage("--config: %v", err)
	}
	r := &configReader{config: g, flags: fs, command: command, withJob: withJob, place: placer{file: g.file}}
	g.lines, g.hostLines = make(map[string]int), make(map[string]int)
	if err := r.read(text); err != nil {
		return usageError{err}
	}
	return nil
}

func readLimited(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return b, err
}

// named is a problem that begins with the name of a setting.
var named = regexp.MustCompile("^(?:--|`)([a-z-]+)`?(.*)")

// locate adds the place in the file to problems that name a setting from it.
func (g *config) locate(err error) error {
	if err == nil || g.file == "" {
		return err
	}
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		if m := named.FindStringSubmatch(line); m != nil && g.lines[m[1]] > 0 {
			lines[i] = fmt.Sprintf("%s:%d: %s%s", g.file, g.lines[m[1]], m[1], m[2])
		} else if rest, host := strings.CutPrefix(line, "hosts: "); host {
			if match, _, _ := strings.Cut(rest, ": "); g.hostLines[match] > 0 {
				lines[i] = fmt.Sprintf("%s:%d: %s", g.file, g.hostLines[match], line)
			}
		}
	}
	return usageError{errors.New(strings.Join(lines, "\n"))}
}

// placer tells problems with their place in a file.
type placer struct {
	file     string
	problems []error
}

func (p *placer) bad(line int, format string, args ...any) {
	p.problems = append(p.problems, fmt.Errorf("%s:%d: %w", p.file, line, fmt.Errorf(format, args...)))
}

// configReader reads one file.
type configReader struct {
	*config
	flags   *pflag.FlagSet
	command string
	withJob bool
	place   placer
}

func (r *configReader) read(text []byte) error {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		var told yaml.Error
		if errors.As(err, &told) && told.GetToken() != nil {
			return fmt.Errorf("%s:%d: %s", r.file, told.GetToken().Position.Line, told.GetMessage())
		}
		return fmt.Errorf("%s: %w", r.file, err)
	}
	var body ast.Node
	for _, d := range file.Docs {
		switch {
		case d.Body == nil:
		case body != nil:
			return fmt.Errorf("%s:%d: a second document: write all settings into one", r.file, lineOf(d.Body))
		default:
			body = d.Body
		}
	}
	if body == nil {
		return nil
	}
	entries, ok := mapping(body)
	if !ok {
		return fmt.Errorf("%s:%d: write settings as name: value", r.file, lineOf(body))
	}
	for _, e := range entries {
		r.entry(keyOf(e), lineOf(e.Key), e.Value)
	}
	return errors.Join(r.place.problems...)
}

func (r *configReader) entry(key string, line int, value ast.Node) {
	fl := r.flags.Lookup(key)
	switch {
	case r.withJob && key == "kind":
		r.readKind(line, value)
	case r.withJob && key == "seeds":
		seeds, err := texts(value)
		if err != nil {
			r.place.bad(line, "seeds: %w", err)
		}
		r.seeds = seeds
	case r.withJob && key == "hosts":
		r.lines[key] = line
		r.readHosts(line, value)
	case fl == nil:
		r.place.bad(line, "unknown key %q for %s%s", key, r.command, r.nearest(key))
	case slices.Contains(commandLineOnly, key):
		r.place.bad(line, "%s: only on the command line, since it would be done again at every start", key)
	case !fl.Changed: // the command line wins
		set, err := setFlag(fl, value)
		if err != nil {
			r.place.bad(line, "%s: %w", key, err)
		} else if set {
			fl.Changed = true
			r.lines[key] = line
		}
	}
}

func (r *configReader) nearest(key string) string {
	names := r.names()
	if !r.withJob {
		names = r.names("kind", "seeds", "hosts")
	}
	if name := crawler.Nearest(key, names); name != "" {
		return ": did you mean " + name + "?"
	}
	return "; see " + r.command + " --help"
}

// names are the keys that a file may have, but for those given.
func (r *configReader) names(without ...string) []string {
	names := []string{"kind", "seeds", "hosts"}
	r.flags.VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(commandLineOnly, f.Name) {
			names = append(names, f.Name)
		}
	})
	return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(without, n) })
}

func (r *configReader) readKind(line int, value ast.Node) {
	text, err := scalar(value)
	r.kind = crawler.Kind(text)
	if err == nil && r.kind != crawler.Crawl && r.kind != crawler.Download {
		err = fmt.Errorf("%q: use crawl or download", text)
	}
	if err != nil {
		r.place.bad(line, "kind: %w", err)
	}
	r.lines["kind"] = line
}

func (r *configReader) readHosts(line int, value ast.Node) {
	list, ok := unwrap(value).(*ast.SequenceNode)
	if !ok {
		if _, none := unwrap(value).(*ast.NullNode); !none {
			r.place.bad(line, "hosts: write a list, each entry with match: HOST and what is different there")
		}
		return
	}
	for _, item := range list.Values {
		r.readHost(item)
	}
}

func (r *configReader) readHost(item ast.Node) {
	entries, ok := mapping(item)
	if !ok {
		r.place.bad(lineOf(item), "hosts: write match: HOST and what is different there")
		return
	}
	var rule crawler.HostRule
	fs := pflag.NewFlagSet("hosts", pflag.ContinueOnError)
	var keys []string
	for _, s := range crawler.HostRuleSettings() {
		addSetting(fs, &s.Description, s.Value(&rule), "")
		keys = append(keys, s.Name)
	}
	for _, e := range entries {
		key, line := keyOf(e), lineOf(e.Key)
		fl := fs.Lookup(key)
		if fl == nil {
			near := crawler.Nearest(key, keys)
			if near != "" {
				near = ": did you mean " + near + "?"
			}
			r.place.bad(line, "hosts: unknown key %q%s", key, near)
			continue
		}
		if _, err := setFlag(fl, e.Value); err != nil {
			r.place.bad(line, "hosts: %s: %w", key, err)
		}
	}
	at := lineOf(entries[0].Key)
	switch earlier, twice := r.hostLines[rule.Match]; {
	case rule.Match == "":
		r.place.bad(at, "hosts: match: HOST is missing")
		return
	case twice:
		r.place.bad(at, "hosts: %s stands in line %d already", rule.Match, earlier)
	}
	r.hostLines[rule.Match] = at
	r.hosts = append(r.hosts, rule)
}

// printConfig writes the current settings in the form that --config reads.
func printConfig(w io.Writer, fs *pflag.FlagSet, job *crawler.Job, seeds []string) error {
	ofJob, err := trawl.JobYAML(job)
	if err != nil {
		return err
	}
	rest := flagValues(fs, slices.Concat(crawler.SettingNames(), commandLineOnly, []string{"download", "wall-clock"})) // the kind says download
	if len(seeds) > 0 {
		rest = append(rest, yaml.MapItem{Key: "seeds", Value: seeds})
	}
	return writeYAML(w, rest, ofJob)
}

// printNode writes the current settings of a fetcher.
func printNode(w io.Writer, fs *pflag.FlagSet) error {
	return writeYAML(w, flagValues(fs, append(slices.Clone(commandLineOnly), "bandwidth")), nil)
}

func writeYAML(w io.Writer, settings yaml.MapSlice, more []byte) error {
	text, err := yaml.MarshalWithOptions(settings, yaml.IndentSequence(true))
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	if _, err := w.Write(append(text, more...)); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}

// flagValues are the flags with their current values, in order of their names.
func flagValues(fs *pflag.FlagSet, skip []string) yaml.MapSlice {
	var all yaml.MapSlice
	fs.VisitAll(func(f *pflag.Flag) {
		if slices.Contains(skip, f.Name) {
			return
		}
		var value any = f.Value.String()
		switch v := f.Value.(type) {
		case pflag.SliceValue:
			value = v.GetSlice()
		default:
			switch v.Type() {
			case "bool":
				value = v.String() == "true"
			case "int":
				value, _ = strconv.Atoi(v.String()) // it is one
			}
		}
		all = append(all, yaml.MapItem{Key: f.Name, Value: value})
	})
	return all
}
