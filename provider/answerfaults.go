package provider

import (
	"context"
	"encoding/json"
	"strings"

	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/wire"
)

// answerFaults changes what endpoints answer where a fault wants that.
type answerFaults struct {
	faults  *faults.Set
	journal *journal.Journal
}

// active tells whether any fault was ordered.
func (h *answerFaults) active() bool { return h.faults.Active() }

// callback changes the callback's parameters where a fault wants that.
func (h *answerFaults) callback(
	ctx context.Context,
	params wire.Params,
	who oidc.Authentication,
	clientID string,
) wire.Params {
	fault, ok := h.faults.Take(faults.Callback, "", clientID, who.Person.NationalID)
	if !ok {
		return params
	}
	h.struck(ctx, who.LoginID, fault)
	out := wire.Params{}
	for _, kv := range params {
		switch {
		case fault.Kind == kv[0]+"-missing", strings.HasPrefix(fault.Kind, "callback-") && kv[0] == "code":
			continue
		case fault.Kind == kv[0]+"-wrong":
			kv[1] = wrongParameters[kv[0]]
		}
		out = append(out, kv)
	}
	switch fault.Kind {
	case "callback-error":
		out = append(wire.Params{{"error", "access_denied"}, {"error_description", "fault of the emulator"}}, out...)
	case "callback-server-error":
		out = append(
			wire.Params{
				{"error", "server_error"},
				{"error_description", `<img src=x onerror='document.title=/pscemu-xss/.source'><b>pscemu-xss</b>`},
			},
			out...)
	}
	return out
}

// wrongParameters are what stands in the place of the right ones.
var wrongParameters = map[string]string{
	"state": "not-the-state-that-was-sent",
	"iss":   "https://evil.example/auth/realms/esante-wallet",
	"code":  "00000000-0000-4000-8000-000000000000.never.issued",
}

// struck notes a fault in the login's story.
func (h *answerFaults) struck(ctx context.Context, loginID string, f faults.Fault) {
	h.journal.Add(ctx, loginID, journal.KindFault, map[string]string{"fault": f.Kind}, nil)
}

// response changes the token response.
func (h *answerFaults) response(ctx context.Context, t *oidc.TokenResponse, session *oidc.Session) (any, error) {
	fault, ok := h.faults.Take(faults.TokenResponse, "", session.ClientID, session.NationalID)
	if !ok {
		return t, nil
	}
	h.struck(ctx, session.LoginID, fault)
	raw, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	members := map[string]any{}
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	if fault.Kind == "response-members-unknown" {
		members["x_unknown"], members["nested"] = "value", map[string]any{"a": []int{1, 2}}
	}
	delete(members, strings.ReplaceAll(strings.TrimSuffix(fault.Kind, "-missing"), "-", "_"))
	return members, nil
}

// info changes UserInfo.
func (h *answerFaults) info(ctx context.Context, claims []byte, session *oidc.Session) ([]byte, error) {
	fault, ok := h.faults.Take(faults.UserInfo, "", session.ClientID, session.NationalID)
	if !ok {
		return claims, nil
	}
	h.struck(ctx, session.LoginID, fault)
	c := map[string]any{}
	if err := json.Unmarshal(claims, &c); err != nil {
		return nil, err
	}
	infoFaults[fault.Kind](c)
	return json.Marshal(c)
}

func called(c map[string]any, given, family string) {
	c["given_name"], c["family_name"] = given, family
	if _, ok := c["name"]; ok {
		c["name"] = given + " " + family
	}
}

// infoFaults tells what each UserInfo fault does.
var infoFaults = map[string]func(map[string]any){
	"other-person": func(c map[string]any) {
		c["sub"] = "f:550dc1c8-d97b-4b1e-ac8c-8eb4471cf9dd:ANS20990000000000"
		c["SubjectNameID"], c["preferred_username"] = "990000000000", "990000000000"
		called(c, "AUTRE", "PERSONNE")
	},
	"sub-missing-in-userinfo": func(c map[string]any) { delete(c, "sub") },
	"claims-missing": func(c map[string]any) {
		for _, name := range []string{"SubjectNameID", "SubjectRole", "SubjectRefPro", "SubjectOrganization"} {
			delete(c, name)
		}
	},
	"types-wrong": func(c map[string]any) {
		for name, v := range c {
			switch v.(type) {
			case []any:
				c[name] = "a string"
			case map[string]any:
				c[name] = nil
			case string:
				if name != "sub" {
					c[name] = 42
				}
			}
		}
	},
	"claims-html": func(c map[string]any) {
		called(c, `<img src=x onerror="document.title='pscemu-xss'">`, `<b>pscemu-xss</b>`)
	},
	"claims-long":    func(c map[string]any) { called(c, strings.Repeat("JEAN", 1000), strings.Repeat("LONG", 1000)) },
	"claims-unicode": func(c map[string]any) { called(c, "Zoë 👩‍⚕️ שלום", "D’ÂME-ŒUVRE O'BRIEN \u202eabc") },
}
