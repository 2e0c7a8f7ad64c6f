package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// validator judges JSON by the schemas of the document, as far as the document
// uses JSON schema. It is stricter in one thing: an object has no members that
// its schema does not name.
type validator struct{ schemas map[string]any }

// judge says what is wrong with a value, at a place in it.
func (v *validator) judge(schema map[string]any, value any, at string) []string {
	if ref, ok := schema["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/components/schemas/")
		return v.judge(v.schemas[name].(map[string]any), value, at)
	}
	if several, ok := schema["anyOf"].([]any); ok {
		var all []string
		for _, one := range several {
			wrong := v.judge(one.(map[string]any), value, at)
			if len(wrong) == 0 {
				return nil
			}
			all = append(all, wrong...)
		}
		return all
	}
	wrong := v.byType(schema, value, at)
	if values, ok := schema["enum"].([]any); ok && !slices.Contains(values, value) {
		wrong = append(wrong, fmt.Sprintf("%s: %v is none of %v", at, value, values))
	}
	return wrong
}

func (v *validator) byType(schema map[string]any, value any, at string) []string {
	is := func(ok bool) []string {
		if ok {
			return nil
		}
		return []string{fmt.Sprintf("%s: %T is no %v", at, value, schema["type"])}
	}
	if types, several := schema["type"].([]any); several {
		if value == nil && slices.Contains(types, any("null")) {
			return nil
		}
		one := maps.Clone(schema)
		one["type"] = types[0]
		return v.byType(one, value, at)
	}
	switch schema["type"] {
	case "null":
		return is(value == nil)
	case "boolean":
		_, ok := value.(bool)
		return is(ok)
	case "integer", "number":
		_, ok := value.(json.Number)
		return is(ok && (schema["type"] == "number" || !strings.Contains(string(value.(json.Number)), ".")))
	case "string":
		text, ok := value.(string)
		if ok && schema["format"] == "date-time" {
			_, err := time.Parse(time.RFC3339, text)
			ok = err == nil
		}
		return is(ok)
	case "array":
		list, ok := value.([]any)
		if !ok {
			return is(false)
		}
		var wrong []string
		for n, one := range list {
			wrong = append(wrong, v.judge(schema["items"].(map[string]any), one, fmt.Sprintf("%s[%d]", at, n))...)
		}
		return wrong
	case "object":
		object, ok := value.(map[string]any)
		if !ok {
			return is(false)
		}
		return v.object(schema, object, at)
	}
	return nil
}

func (v *validator) object(schema, object map[string]any, at string) (wrong []string) {
	known, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, there := object[name.(string)]; !there {
			wrong = append(wrong, fmt.Sprintf("%s: %s is missing", at, name))
		}
	}
	for name, value := range object {
		inner, named := known[name].(map[string]any)
		if !named {
			if inner, named = schema["additionalProperties"].(map[string]any); !named {
				wrong = append(wrong, fmt.Sprintf("%s: no schema knows %s", at, name))
				continue
			}
		}
		wrong = append(wrong, v.judge(inner, value, at+"."+name)...)
	}
	return wrong
}
