package identities

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"pscemu/problem"
)

// Limits of a YAML file: a parser must not be made to work without end.
const (
	maxYAML      = 8 << 20 // bytes
	maxYAMLDepth = 100
)

// parseYAML reads our own form. Every plain scalar is text, so that codes and
// identifiers need no quotes; aliases and tags are refused.
func parseYAML(raw []byte) (*Imported, error) {
	if err := bounded(raw); err != nil {
		return nil, err
	}
	invalid := func(got string) error {
		return problem.New(problem.Invalid, "import-invalid", "the import is no YAML").Got(got).Want("one document with one person, or a list of people")
	}
	file, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return nil, invalid(err.Error())
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, invalid(fmt.Sprintf("%d documents", len(file.Docs)))
	}
	v, err := plain(file.Docs[0].Body)
	if err != nil {
		return nil, err
	}
	asJSON, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if asJSON[0] != '{' && asJSON[0] != '[' {
		return nil, problem.New(problem.Invalid, "import-invalid", "the import holds no people").Got(file.Docs[0].Body.String()).Want("one person, or a list of people")
	}
	return parseJSON(asJSON)
}

func bounded(raw []byte) error {
	if len(raw) > maxYAML {
		return problem.New(problem.Invalid, "import-too-large", "the YAML is too large").Got(fmt.Sprintf("%d bytes", len(raw))).Want(fmt.Sprintf("%d at most", maxYAML)).Do("split it, or import JSON")
	}
	flow := 0
	for line := range bytes.Lines(raw) {
		block := len(line) - len(bytes.TrimLeft(line, " -?"))
		for _, c := range line {
			switch c {
			case '[', '{':
				flow++
			case ']', '}':
				flow--
			}
			if flow > maxYAMLDepth {
				break
			}
		}
		if flow > maxYAMLDepth || block > 4*maxYAMLDepth {
			return problem.New(problem.Invalid, "import-too-deep", "the YAML is nested too deeply").Want(fmt.Sprintf("%d levels at most", maxYAMLDepth))
		}
	}
	return nil
}

// plain makes of a node what encoding/json can write.
func plain(n ast.Node) (any, error) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return mapping(n.Values)
	case *ast.MappingValueNode:
		return mapping([]*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		list := make([]any, len(n.Values))
		for k, v := range n.Values {
			var err error
			if list[k], err = plain(v); err != nil {
				return nil, err
			}
		}
		return list, nil
	case *ast.NullNode:
		return nil, nil
	case *ast.BoolNode:
		return n.Value, nil
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return strings.TrimSpace(n.GetToken().Value), nil
	}
	return nil, problem.New(problem.Invalid, "import-invalid", "the YAML holds something that people are not made of").Got(fmt.Sprintf("%s on line %d", n.Type(), n.GetToken().Position.Line)).Want("maps, lists and text, without anchors, aliases and tags")
}

func mapping(values []*ast.MappingValueNode) (any, error) {
	out := map[string]any{}
	for _, v := range values {
		key := strings.Trim(v.Key.String(), `"'`)
		if _, twice := out[key]; twice {
			return nil, problem.New(problem.Invalid, "import-invalid", "the YAML has a key twice").Got(fmt.Sprintf("%s on line %d", key, v.GetToken().Position.Line))
		}
		value, err := plain(v.Value)
		if err != nil {
			return nil, err
		}
		out[key] = value
	}
	return out, nil
}
