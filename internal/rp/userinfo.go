package rp

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
)

// Form is what a claim must be.
type Form string

// The forms.
const (
	Text   Form = "text"
	Texts  Form = "list"
	Object Form = "object"
)

// Claim is one that an application depends on.
type Claim struct {
	Name     string
	Form     Form
	Optional bool // it may be absent, but not of another form
}

// Person are the claims of UserInfo by which Pro Santé Connect tells who
// somebody is.
var Person = []Claim{
	{"SubjectNameID", Text, false},
	{"family_name", Text, false},
	{"given_name", Text, true},
	{"SubjectRole", Texts, true},
	{"SubjectRefPro", Object, true},
}

// wrong says what an answer lacks, "" for nothing.
func wrong(info Claims, want []Claim) string {
	for _, w := range want {
		got, there := info[w.Name]
		if !there && w.Optional {
			continue
		}
		fits := false
		switch w.Form {
		case Text:
			said, ok := got.(string)
			fits = ok && (said != "" || w.Optional)
		case Texts:
			_, fits = got.([]any)
		case Object:
			_, fits = got.(map[string]any)
		}
		if !fits {
			return w.Name + " = " + cut(text(got))
		}
	}
	return ""
}

// userInfo asks UserInfo with the access token, and verifies that it is about
// the id token's person.
func (c *Client) userInfo(ctx context.Context, m *Metadata, in *Session) error {
	held := c.ledger()
	defer func() { in.Checks = append(in.Checks, held.checks...) }()
	const source = "OIDC Core §5.3.2"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, m.UserInfo, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+in.Tokens.Access)
	body, err := c.call("userinfo", r)
	if err != nil {
		held.hold(UserInfoAnswer, source, false, err.Error(), "200 with claims in JSON")
		return err
	}
	info := Claims{}
	err = json.Unmarshal(body, &info)
	held.hold(UserInfoAnswer, source, err == nil, shown(err, body), "200 with claims in JSON")
	if err != nil {
		return held.err()
	}
	in.UserInfo = body
	sub := in.Claims.Text("sub")
	if in.login.openID() {
		held.hold(UserInfoSubject, source, sub != "" && info.Text("sub") == sub, info.Text("sub"), sub)
	}
	if len(c.Claims) > 0 {
		lacks := wrong(info, c.Claims)
		held.hold(UserInfoClaims, "PSC: the claims of UserInfo", lacks == "", lacks, names(c.Claims))
	}
	return held.err()
}

func shown(err error, body []byte) string {
	if err != nil {
		return string(body)
	}
	return "200"
}

// names are the claims wanted, with their forms.
func names(want []Claim) string {
	var all []string
	for _, w := range want {
		if !w.Optional {
			all = append(all, w.Name+" ("+string(w.Form)+")")
		}
	}
	return strings.Join(all, ", ")
}
