package clients

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"pscemu.invalid/pscemu/internal/problem"
)

// Patch is a JSON merge patch (RFC 7396) of a registration: a member replaces
// the one of this name, null takes it away.
type Patch map[string]any

// ParsePatch reads a patch and refuses members that a registration has not.
func ParsePatch(raw []byte) (Patch, error) {
	var p Patch
	if err := json.Unmarshal(raw, &p); err != nil || p == nil {
		return nil, problem.BodyInvalid.Case("patch").Got(excerpt(raw))
	}
	known := Members()
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if !slices.Contains(known, name) {
			return nil, UnknownMember(name)
		}
	}
	return p, nil
}

func excerpt(raw []byte) string { return string(raw[:min(len(raw), 100)]) }

// Members are the names that a registration has as JSON.
func Members() (out []string) {
	t := reflect.TypeFor[Client]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		out = append(out, name)
	}
	return out
}

// UnknownMember refuses a member of a registration that does not exist.
func UnknownMember(name string) error {
	return problem.ClientMemberUnknown.With("accepted", problem.NearestOf(name, Members())).Got(name)
}

// Apply changes the registration as the patch says.
func (p Patch) Apply(c *Client) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	var now map[string]any
	if err := json.Unmarshal(raw, &now); err != nil {
		return err
	}
	if raw, err = json.Marshal(merge(now, p)); err != nil {
		return err
	}
	var next Client
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&next); err != nil {
		return problem.BodyInvalid.Case("registration").Got(err.Error())
	}
	*c = next
	return nil
}

// merge is MergePatch of RFC 7396, section 2.
func merge(target, patch map[string]any) map[string]any {
	if target == nil {
		target = map[string]any{}
	}
	for name, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(target, name)
		case map[string]any:
			within, _ := target[name].(map[string]any)
			target[name] = merge(within, value)
		default:
			target[name] = value
		}
	}
	return target
}
