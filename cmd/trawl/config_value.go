package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/spf13/pflag"
)

// setFlag gives a flag a value of a configuration file: written as on the command line, or as YAML's own
// number, truth value or list. It reports whether there was a value to give.
func setFlag(fl *pflag.Flag, node ast.Node) (bool, error) {
	node = unwrap(node)
	if list, ok := fl.Value.(pflag.SliceValue); ok {
		return setList(fl, list, node)
	}
	text, err := scalar(node)
	if err != nil {
		return false, err
	}
	switch fl.Value.Type() {
	case "bool":
		if text != "true" && text != "false" {
			return false, fmt.Errorf("%q: use true or false", text)
		}
	case "int", "int64":
		if _, err := strconv.ParseInt(text, 0, 64); err != nil {
			return false, fmt.Errorf("%q is no whole number", text)
		}
	case "duration":
		if _, err := time.ParseDuration(text); err != nil {
			return false, fmt.Errorf("%q is no duration: write 500ms, 2s or 1m", text)
		}
	}
	return true, fl.Value.Set(text)
}

// setList gives a flag all its values. The flag alone (true) means what it means on the command line.
func setList(fl *pflag.Flag, list pflag.SliceValue, node ast.Node) (bool, error) {
	if b, ok := node.(*ast.BoolNode); ok && fl.NoOptDefVal != "" {
		if !b.Value {
			return true, nil // the command line has not said otherwise
		}
		return true, fl.Value.Set(fl.NoOptDefVal)
	}
	all, err := texts(node)
	if err != nil || len(all) == 0 {
		_, none := node.(*ast.NullNode)
		return err == nil && !none, err // an empty list says that there are none
	}
	if isScalar(node) {
		return true, fl.Value.Set(all[0]) // may be a list with commas, as on the command line
	}
	return true, list.Replace(all)
}

// texts reads a list of texts, or one. What stands there as "Name: value" without quotes is a mapping to
// YAML, and is meant as the text.
func texts(node ast.Node) (all []string, err error) {
	items := []ast.Node{node}
	switch n := unwrap(node).(type) {
	case *ast.NullNode:
		return nil, nil
	case *ast.SequenceNode:
		items = n.Values
	case *ast.MappingNode:
		items = nil
		for _, pair := range n.Values {
			items = append(items, pair)
		}
	}
	for _, item := range items {
		one, err := textOrPair(item)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func textOrPair(node ast.Node) (string, error) {
	pairs, ok := mapping(node)
	if !ok || len(pairs) > 1 {
		return scalar(node)
	}
	value, err := scalar(pairs[0].Value)
	if _, none := unwrap(pairs[0].Value).(*ast.NullNode); none {
		value, err = "", nil
	}
	return keyOf(pairs[0]) + ": " + value, err
}

// scalar is the text of a single value, as it is written.
func scalar(node ast.Node) (string, error) {
	switch n := unwrap(node).(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.NullNode:
		return "", errors.New("there is no value")
	case *ast.AliasNode:
		return "", errors.New("aliases (*name) are not read: write the value")
	case ast.ScalarNode:
		return n.GetToken().Value, nil
	}
	return "", errors.New("one value is needed, not a list or a mapping")
}

func isScalar(node ast.Node) bool {
	_, err := scalar(node)
	return err == nil
}

// unwrap takes tags and anchors away.
func unwrap(node ast.Node) ast.Node {
	for {
		switch n := node.(type) {
		case *ast.TagNode:
			node = n.Value
		case *ast.AnchorNode:
			node = n.Value
		default:
			return node
		}
	}
}

func mapping(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := unwrap(node).(type) {
	case *ast.MappingNode:
		return n.Values, len(n.Values) > 0
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func keyOf(e *ast.MappingValueNode) string {
	if s, ok := ast.Node(e.Key).(*ast.StringNode); ok {
		return s.Value
	}
	return e.Key.GetToken().Value
}

func lineOf(node ast.Node) int {
	if m, ok := mapping(node); ok {
		node = m[0].Key
	}
	if t := node.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 1
}
