package provider

import (
	"context"
	"encoding/json"
	"slices"
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

// callbackLoses tells which parameter a callback fault leaves out.
var callbackLoses = map[faults.Kind][]string{
	faults.KindStateMissing:        {"state"},
	faults.KindIssMissing:          {"iss"},
	faults.KindCodeMissing:         {"code"},
	faults.KindCallbackError:       {"code"},
	faults.KindCallbackServerError: {"code"},
}

// callbackWrong tells which parameter a callback fault replaces.
var callbackWrong = map[faults.Kind][2]string{
	faults.KindStateWrong: {"state", "not-the-state-that-was-sent"},
	faults.KindIssWrong:   {"iss", "https://evil.example/auth/realms/esante-wallet"},
	faults.KindCodeWrong:  {"code", "00000000-0000-4000-8000-000000000000.never.issued"},
}

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
		if slices.Contains(callbackLoses[fault.Kind], kv[0]) {
			continue
		}
		if wrong, ok := callbackWrong[fault.Kind]; ok && wrong[0] == kv[0] {
			kv = wrong
		}
		out = append(out, kv)
	}
	switch fault.Kind {
	case faults.KindCallbackError:
		out = append(wire.Params{{"error", "access_denied"}, {"error_description", "fault of the emulator"}}, out...)
	case faults.KindCallbackServerError:
		out = append(
			wire.Params{
				{"error", "server_error"},
				{"error_description", `<img src=x onerror='document.title=/pscemu-xss/.source'><b>pscemu-xss</b>`},
			},
			out...)
	}
	return out
}

// struck notes a fault in the login's story.
func (h *answerFaults) struck(ctx context.Context, loginID string, f faults.Fault) {
	h.journal.Add(ctx, loginID, journal.KindFault, map[string]string{"fault": string(f.Kind)}, nil)
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
	if fault.Kind == faults.KindResponseMembersUnknown {
		members["x_unknown"], members["nested"] = "value", map[string]any{"a": []int{1, 2}}
	}
	delete(members, strings.ReplaceAll(strings.TrimSuffix(string(fault.Kind), "-missing"), "-", "_"))
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
var infoFaults = map[faults.Kind]func(map[string]any){
	faults.KindOtherPerson: func(c map[string]any) {
		c["sub"] = "f:550dc1c8-d97b-4b1e-ac8c-8eb4471cf9dd:ANS20990000000000"
		c["SubjectNameID"], c["preferred_username"] = "990000000000", "990000000000"
		called(c, "AUTRE", "PERSONNE")
	},
	faults.KindSubMissingInUserinfo: func(c map[string]any) { delete(c, "sub") },
	faults.KindClaimsMissing: func(c map[string]any) {
		for _, name := range []string{"SubjectNameID", "SubjectRole", "SubjectRefPro", "SubjectOrganization"} {
			delete(c, name)
		}
	},
	faults.KindTypesWrong: func(c map[string]any) {
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
	faults.KindClaimsHTML: func(c map[string]any) {
		called(c, `<img src=x onerror="document.title='pscemu-xss'">`, `<b>pscemu-xss</b>`)
	},
	faults.KindClaimsLong: func(c map[string]any) {
		called(c, strings.Repeat("JEAN", 1000), strings.Repeat("LONG", 1000))
	},
	faults.KindClaimsUnicode: func(c map[string]any) {
		called(c, "Zoë 👩‍⚕️ שלום", "D’ÂME-ŒUVRE O'BRIEN \u202eabc")
	},
}
