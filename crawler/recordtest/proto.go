package recordtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"trawl/crawler/schema"
)

// protoPackage is the package of messages in .proto files.
const protoPackage = "trawl.v2"

// reachable are the records and all those in them, each once.
func reachable(roots []*schema.Record) []*schema.Record {
	var all []*schema.Record
	seen := make(map[*schema.Record]bool)
	var add func(r *schema.Record)
	add = func(r *schema.Record) {
		if seen[r] {
			return
		}
		seen[r] = true
		all = append(all, r)
		for _, l := range r.Lines {
			if l.Message != nil {
				add(l.Message)
			}
		}
	}
	for _, r := range roots {
		add(r)
	}
	return all
}

// Proto writes tables as messages of a .proto file, with the comments that the fields of their types have in the Go files of the
// directories.
func Proto(tb testing.TB, dirs []string, roots ...*schema.Record) string {
	tb.Helper()
	comments := fieldComments(tb, dirs)
	var b strings.Builder
	fmt.Fprintf(&b, "syntax = \"proto3\";\n\npackage %s;\n", protoPackage)
	for _, r := range reachable(roots) {
		fmt.Fprintf(&b, "\nmessage %s {\n", r.Name)
		for _, l := range r.Lines {
			if l.Number == 0 {
				continue
			}
			fmt.Fprintf(&b, "  %s %s = %d;", l.Kind, l.Name, l.Number)
			notes := boundsOf(l)
			if c := comments[commentKey(r.Name, l.Name)]; c != "" {
				notes = append([]string{c}, notes...)
			}
			if len(notes) > 0 {
				b.WriteString(" // " + strings.Join(notes, "; "))
			}
			b.WriteString("\n")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// boundsOf says what a reader believes of a field.
func boundsOf(l schema.Line) (words []string) {
	if l.Unit != "" {
		words = append(words, l.Unit)
	}
	least, most, unit := int64(0), int64(math.MaxInt64), ""
	if l.Type == protowire.BytesType {
		unit = " bytes"
	}
	switch {
	case l.Min == l.Max:
		words = append(words, fmt.Sprintf("%d%s", l.Min, unit))
	case l.Min > least && l.Max < most:
		words = append(words, fmt.Sprintf("%d to %d%s", l.Min, l.Max, unit))
	case l.Min > least:
		words = append(words, fmt.Sprintf("from %d%s", l.Min, unit))
	case l.Max == math.MaxInt32:
		words = append(words, "below 2^31")
	case l.Max < most:
		words = append(words, fmt.Sprintf("up to %d%s", l.Max, unit))
	}
	if l.Required {
		words = append(words, "always there")
	}
	return words
}

// commentKey is the same for a field's name in a table and in Go.
func commentKey(record, field string) string {
	return strings.ToLower(record + "." + strings.ReplaceAll(field, "_", ""))
}

// fieldComments reads the comments at the ends of the lines of struct fields.
func fieldComments(tb testing.TB, dirs []string) map[string]string {
	tb.Helper()
	comments := make(map[string]string)
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			tb.Fatalf("%s has no Go files: %v", dir, err)
		}
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				tb.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				t, ok := n.(*ast.TypeSpec)
				if !ok {
					return true
				}
				s, ok := t.Type.(*ast.StructType)
				if !ok {
					return false
				}
				for _, field := range s.Fields.List {
					for _, name := range field.Names {
						comments[commentKey(t.Name.Name, name.Name)] = strings.TrimSpace(field.Comment.Text())
					}
				}
				return false
			})
		}
	}
	return comments
}

// Message is an empty message of the first record, as another implementation of Protocol Buffers has it.
func Message(tb testing.TB, roots ...*schema.Record) *dynamicpb.Message {
	tb.Helper()
	file := &descriptorpb.FileDescriptorProto{Name: new("trawl.proto"), Package: new(protoPackage), Syntax: new("proto3")}
	for _, r := range reachable(roots) {
		m := &descriptorpb.DescriptorProto{Name: new(r.Name)}
		for _, l := range r.Lines {
			if l.Number != 0 {
				describe(m, l)
			}
		}
		file.MessageType = append(file.MessageType, m)
	}
	d, err := protodesc.NewFile(file, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return dynamicpb.NewMessage(d.Messages().ByName(protoreflect.Name(roots[0].Name)))
}

func describe(m *descriptorpb.DescriptorProto, l schema.Line) {
	f := &descriptorpb.FieldDescriptorProto{Name: new(l.Name), Number: new(int32(l.Number)), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
	kind, list := strings.CutPrefix(l.Kind, "repeated ")
	if list {
		f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	}
	kind, optional := strings.CutPrefix(kind, "optional ")
	if optional {
		f.Proto3Optional, f.OneofIndex = new(true), new(int32(len(m.OneofDecl)))
		m.OneofDecl = append(m.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: new("_" + l.Name)})
	}
	if l.Message != nil {
		f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), new("."+protoPackage+"."+l.Message.Name)
	} else {
		f.Type = descriptorpb.FieldDescriptorProto_Type(descriptorpb.FieldDescriptorProto_Type_value["TYPE_"+strings.ToUpper(kind)]).Enum()
	}
	m.Field = append(m.Field, f)
}

// CheckWhole checks that a message and those in it have a value in each field, but those that are meant to be empty, and no field that
// is not known.
func CheckWhole(tb testing.TB, m protoreflect.Message, empty ...string) {
	tb.Helper()
	if len(m.GetUnknown()) > 0 {
		tb.Errorf("%s has fields that its table does not have: %x", m.Descriptor().FullName(), m.GetUnknown())
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		name := string(m.Descriptor().Name()) + "." + string(f.Name())
		switch {
		case !m.Has(f):
			found := false
			for _, e := range empty {
				found = found || e == name
			}
			if !found {
				tb.Errorf("%s is empty", name)
			}
		case f.Kind() != protoreflect.MessageKind:
		case f.IsList():
			for k := range m.Get(f).List().Len() {
				CheckWhole(tb, m.Get(f).List().Get(k).Message(), empty...)
			}
		default:
			CheckWhole(tb, m.Get(f).Message(), empty...)
		}
	}
}

// Set sets a field of a message, or of one in it: a path such as "results.0.url". A nil value empties it.
func Set(tb testing.TB, m protoreflect.Message, path string, value any) {
	tb.Helper()
	name, rest, deeper := strings.Cut(path, ".")
	f := m.Descriptor().Fields().ByName(protoreflect.Name(name))
	switch {
	case f == nil:
		tb.Fatalf("%s has no field %s", m.Descriptor().Name(), name)
	case !deeper && value == nil:
		m.Clear(f)
	case !deeper:
		m.Set(f, protoreflect.ValueOf(value))
	case !f.IsList():
		Set(tb, m.Mutable(f).Message(), rest, value)
	default:
		index, rest, deeper := strings.Cut(rest, ".")
		i, err := strconv.Atoi(index)
		if err != nil {
			tb.Fatal(err)
		}
		list := m.Mutable(f).List()
		if deeper {
			Set(tb, list.Get(i).Message(), rest, value)
		} else {
			list.Set(i, protoreflect.ValueOf(value))
		}
	}
}
