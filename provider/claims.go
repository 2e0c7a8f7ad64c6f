package provider

import (
	"encoding/json"
	"net/url"
	"strings"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/provider/oidc"
)

// claimsParameter reads OIDC Core §5.5: the claims asked for, and the acr.
func claimsParameter(form url.Values) (*oidc.Claims, string, error) {
	raw := form.Get("claims")
	if raw == "" {
		return nil, "", nil
	}
	type wish struct {
		Value  any   `json:"value"`
		Values []any `json:"values"`
	}
	var in struct {
		UserInfo map[string]*wish `json:"userinfo"`
		IDToken  map[string]*wish `json:"id_token"`
	}
	if err := json.Unmarshal([]byte(raw), &in); err != nil {
		return nil, "", err
	}
	out, acr := &oidc.Claims{}, ""
	for name := range in.UserInfo {
		out.UserInfo = append(out.UserInfo, name)
	}
	for name := range in.IDToken {
		out.IDToken = append(out.IDToken, name)
	}
	if w := in.IDToken["acr"]; w != nil {
		acr, _ = w.Value.(string)
		if acr == "" && len(w.Values) > 0 {
			acr, _ = w.Values[0].(string)
		}
	}
	return out, acr, nil
}

// grantedACR is the acr of a login by the policy of that name, which holds one
// for all, rules by authMode, or takes what was requested.
func grantedACR(policy, requested string, authMode identities.AuthMode) string {
	if strings.Contains(policy, "=") {
		rules := policy
		policy = "requested"
		for _, rule := range strings.Split(rules, ",") {
			if means, value, _ := strings.Cut(rule, "="); strings.EqualFold(means, string(authMode)) {
				policy = value
			}
		}
	}
	if policy != "requested" {
		return policy
	}
	if first := strings.Fields(requested); len(first) > 0 {
		return first[0]
	}
	return "eidas1"
}
