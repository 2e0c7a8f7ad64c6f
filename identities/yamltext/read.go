package yamltext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Limits of a text that is read as a whole: a parser must not be made to work
// without end.
const (
	MaxWhole = 1 << 20 // bytes
	MaxDepth = 100
	maxNodes = 1 << 20 // with what aliases repeat
)

// ErrTooDeep is returned for a text that is nested too deeply.
var ErrTooDeep = fmt.Errorf("nested deeper than %d levels", MaxDepth)

// Reading is how scalars and aliases are taken.
type Reading struct {
	// Typed makes numbers of what looks like them; else every plain scalar is
	// text, so that codes and identifiers need no quotes.
	Typed bool
	// Aliases takes anchors and aliases, with a bound on what they grow to; else
	// they are refused.
	Aliases bool
	// Line is the line that the text begins on, for the errors.
	Line int
}

// ToJSON makes JSON of one document.
func ToJSON(raw []byte, how Reading) ([]byte, error) {
	if err := checkDepth(raw); err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return nil, err
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, fmt.Errorf("%d documents, or an empty one", len(file.Docs))
	}
	r := reader{Reading: how, anchors: map[string]any{}}
	v, err := r.value(file.Docs[0].Body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

func checkDepth(raw []byte) error {
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
			if flow > MaxDepth {
				return ErrTooDeep
			}
		}
		if block > 4*MaxDepth {
			return ErrTooDeep
		}
	}
	return nil
}

// reader makes of nodes what encoding/json can write.
type reader struct {
	Reading
	anchors map[string]any
	nodes   int
}

func (r *reader) value(n ast.Node) (any, error) {
	if r.nodes++; r.nodes > maxNodes {
		return nil, errors.New("more than a million values")
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return r.mapping(n.Values)
	case *ast.MappingValueNode:
		return r.mapping([]*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		list := make([]any, len(n.Values))
		for k, v := range n.Values {
			var err error
			if list[k], err = r.value(v); err != nil {
				return nil, err
			}
		}
		return list, nil
	case *ast.AnchorNode:
		return r.anchor(n)
	case *ast.AliasNode:
		return r.alias(n)
	}
	return r.scalar(n)
}

func (r *reader) scalar(n ast.Node) (any, error) {
	switch n := n.(type) {
	case *ast.NullNode:
		return nil, nil
	case *ast.BoolNode:
		return n.Value, nil
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.IntegerNode:
		if r.Typed {
			return n.Value, nil
		}
		return strings.TrimSpace(n.GetToken().Value), nil
	case *ast.FloatNode:
		if r.Typed {
			return n.Value, nil
		}
		return strings.TrimSpace(n.GetToken().Value), nil
	case *ast.InfinityNode, *ast.NanNode:
		return strings.TrimSpace(n.GetToken().Value), nil
	}
	return nil, r.unwanted(n)
}

func (r *reader) at(n ast.Node) int { return n.GetToken().Position.Line + max(r.Line-1, 0) }

func (r *reader) unwanted(n ast.Node) error {
	return fmt.Errorf("%s on line %d, which is not taken here", n.Type(), r.at(n))
}

// mapping reads the members of a map; one that comes twice is refused, except
// where a merge brings it.
func (r *reader) mapping(values []*ast.MappingValueNode) (any, error) {
	out, merged := map[string]any{}, []map[string]any{}
	for _, v := range values {
		value, err := r.value(v.Value)
		if err != nil {
			return nil, err
		}
		if _, merge := v.Key.(*ast.MergeKeyNode); merge {
			from, ok := value.(map[string]any)
			if !ok || !r.Aliases {
				return nil, r.unwanted(v)
			}
			merged = append(merged, from)
			continue
		}
		key := strings.Trim(v.Key.String(), `"'`)
		if _, twice := out[key]; twice {
			return nil, fmt.Errorf("the key %s twice on line %d", key, r.at(v))
		}
		out[key] = value
	}
	for _, from := range merged {
		for key, value := range from {
			if _, there := out[key]; !there {
				out[key] = value
			}
		}
	}
	return out, nil
}

func (r *reader) anchor(n *ast.AnchorNode) (any, error) {
	if !r.Aliases {
		return nil, r.unwanted(n)
	}
	v, err := r.value(n.Value)
	if err == nil {
		r.anchors[n.Name.String()] = v
	}
	return v, err
}

// alias repeats what stands at an anchor: it counts as if it was written there.
func (r *reader) alias(n *ast.AliasNode) (any, error) {
	v, known := r.anchors[n.Value.String()]
	if !r.Aliases || !known {
		return nil, r.unwanted(n)
	}
	if r.nodes += size(v, maxNodes); r.nodes > maxNodes {
		return nil, errors.New("aliases that grow to more than a million values")
	}
	return v, nil
}

// size counts the values within a value, up to somewhat more than most.
func size(v any, most int) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if n += size(e, most-n); n > most {
				break
			}
		}
	case map[string]any:
		for _, e := range v {
			if n += size(e, most-n); n > most {
				break
			}
		}
	}
	return n
}
