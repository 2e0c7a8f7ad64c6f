package journal

import (
	"slices"
	"strings"
)

// Advice judges a request that was accepted against what PSC asks of clients.
type Advice struct {
	Good bool   `json:"good"`
	Text string `json:"text"`
	From string `json:"from"` // who asks for it
}

// rule is one thing PSC asks. Events keep the parameters in their detail.
type rule struct {
	kind Kind
	good func(map[string]string) bool
	text string // what is asked
	from string
}

func has(name string) func(map[string]string) bool {
	return func(d map[string]string) bool { return d[name] != "" && d[name] != "absent" }
}

func holds(name, word string) func(map[string]string) bool {
	return func(d map[string]string) bool { return slices.Contains(strings.Fields(d[name]), word) }
}

var rules = []rule{
	{KindAuthorize, holds("scope", "openid"), "scope holds openid", "OIDC Core §3.1.2.1"},
	{KindAuthorize, holds("scope", "scope_all"), "scope holds scope_all", "PSC: parameters of the authorization request"},
	{
		KindAuthorize,
		has("acr_values"),
		"acr_values names the level wanted (eidas1)",
		"PSC: parameters of the authorization request",
	},
	{KindAuthorize, has("state"), "state is sent", "PSC: mandatory; RFC 6749 §10.12"},
	{KindAuthorize, has("nonce"), "nonce is sent", "PSC: mandatory; OIDC Core §3.1.2.1"},
	{KindAuthorize, has("code_challenge_method"), "PKCE is used", "RFC 9700 §2.1.1"},
	{
		KindAuthorize,
		func(d map[string]string) bool { return d["code_challenge_method"] != "plain" },
		"PKCE uses S256, not plain",
		"RFC 7636 §4.2",
	},
	{KindAuthorize, func(d map[string]string) bool {
		uri := d["redirect_uri"]
		return strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://localhost") ||
			strings.HasPrefix(uri, "http://127.0.0.1")
	}, "redirect_uri is https, or loopback while developing", "RFC 9700 §2.6"},
	{
		KindToken,
		func(d map[string]string) bool { return d["certificate"] != "none" },
		"the certificate ORG AUTH_CLI is presented",
		"PSC: mTLS mandatory since June 2024",
	},
	{
		KindRefresh,
		func(d map[string]string) bool { return d["certificate"] != "none" },
		"the certificate ORG AUTH_CLI is presented",
		"PSC: mTLS mandatory since June 2024",
	},
	{KindCIBA, has("binding_message"), "a binding_message lets the person recognise the request", "CIBA Core §7.1"},
}

// Advice is what PSC's rules say of an event.
func (e Event) Advice() []Advice {
	var out []Advice
	if e.Code != "" || e.Detail["judged"] == "no" {
		return nil
	}
	for _, r := range rules {
		if r.kind == e.Kind {
			out = append(out, Advice{r.good(e.Detail), r.text, r.from})
		}
	}
	return out
}

// Arrow is a line of a login's sequence diagram.
type Arrow struct {
	From, To int // lanes
	Text     string
	Refused  string // the code
	Event    Event
}

// Lanes are the columns of the diagram.
var Lanes = []string{"Navigateur", "Application", "Pro Santé Connect", "Téléphone ou carte"}

const (
	browser = iota
	application
	psc
	phone
)

// ways tells who speaks to whom; what is not listed is the browser at PSC.
var ways = map[Kind][2]int{
	KindCallback: {
		psc,
		application,
	},
	KindToken:      {application, psc},
	KindRefresh:    {application, psc},
	KindUserInfo:   {application, psc},
	KindIntrospect: {application, psc},
	KindRevoke:     {application, psc},
	KindPAR: {
		application,
		psc,
	},
	KindCIBA:              {application, psc},
	KindCIBAPing:          {psc, application},
	KindBackchannelLogout: {psc, application},
	KindECPSRequest:       {psc, phone},
	KindMeans:             {phone, psc},
	KindCardCertificate:   {phone, psc},
	KindPage:              {psc, browser},
}

// Arrows are the login's steps in order.
func (l *Login) Arrows() []Arrow {
	var out []Arrow
	for _, e := range l.Events {
		way, ok := ways[e.Kind]
		if !ok {
			way = [2]int{browser, psc}
		}
		text := string(e.Kind)
		for _, name := range []string{"page", "means", "grant_type", "prompt"} {
			if v := e.Detail[name]; v != "" && v != "authorization_code" && v != "refresh_token" {
				text += " " + v
			}
		}
		out = append(out, Arrow{way[0], way[1], text, e.Code, e})
	}
	return out
}
