package journal

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"pscemu.invalid/pscemu/internal/problem"
)

// Result is one expectation against a login.
type Result struct {
	Expect string `json:"expect"`
	OK     bool   `json:"ok"`
	Got    string `json:"got"`
}

// Expectation is something that can be asserted of a login.
type Expectation struct {
	Name string `json:"name"`
	What string `json:"what"`
	// judge tells what was found, and whether that is as wanted; value is what
	// stands behind the name.
	judge func(l *Login, value string) (bool, string)
}

// Expectations is the table of what can be asserted: NAME, NAME=VALUE, and for
// counts also NAME>=N and NAME<=N.
var Expectations = []Expectation{
	{"pkce", "a code_challenge was sent (pkce=S256: with that method)", parameter("code_challenge_method")},
	{"state", "state was sent", parameter("state")},
	{"nonce", "nonce was sent", parameter("nonce")},
	{"acr", "acr_values was sent (acr=eidas1: that one)", parameter("acr_values")},
	{"scope", "scope holds this (scope=scope_all)", func(l *Login, v string) (bool, string) {
		got := first(l, "scope")
		return strings.Contains(" "+got+" ", " "+v+" "), got
	}},
	{"prompt", "prompt was sent (prompt=none)", parameter("prompt")},
	{"max_age", "max_age was sent", parameter("max_age")},
	{"redirect_uri", "redirect_uri is this one", parameter("redirect_uri")},
	{"mtls", "every token call came with a certificate", mtls},
	{"means", "the person used this (means=card)", parameter("means")},
	{"person", "this person logged in (person=899…)", func(l *Login, v string) (bool, string) {
		return l.NationalID == v || v == "" && l.NationalID != "", l.NationalID
	}},
	{"authorize", "how many authorize requests (authorize=1)", count(KindAuthorize)},
	{"token", "how many codes were exchanged", count(KindToken)},
	{"refresh", "how many refreshes", count(KindRefresh)},
	{"userinfo", "how many UserInfo calls (userinfo=1, userinfo>=1)", count(KindUserInfo)},
	{"introspect", "how many introspections", count(KindIntrospect)},
	{"revoke", "how many revocations", count(KindRevoke)},
	{"logout", "how many logouts", count(KindLogout)},
	{"callback", "how many callbacks with a code", count(KindCallback)},
	{
		"no-refusal",
		"nothing was refused",
		func(l *Login, _ string) (bool, string) { got := refusals(l); return got == "", got },
	},
	{"refusal", "this was refused (refusal=pkce-verifier-wrong)", func(l *Login, v string) (bool, string) {
		got := refusals(l)
		return strings.Contains(" "+got+" ", " "+v+" ") || v == "" && got != "", got
	}},
	{"no-reuse", "no code and no refresh token was used twice", func(l *Login, _ string) (bool, string) {
		got := refusals(l)
		return !strings.Contains(got, "code-used") && !strings.Contains(got, "refresh-reused"), got
	}},
	{"userinfo-after-token", "UserInfo was asked after the token call, by the same application", inOrder},
}

func parameter(name string) func(*Login, string) (bool, string) {
	return func(l *Login, v string) (bool, string) {
		got := first(l, name)
		return got != "" && got != "absent" && (v == "" || got == v), got
	}
}

func first(l *Login, name string) string {
	for _, e := range l.Events {
		if v := e.Detail[name]; v != "" {
			return v
		}
	}
	return ""
}

func refusals(l *Login) string {
	var codes []string
	for _, e := range l.Events {
		if e.Code != "" {
			codes = append(codes, e.Code)
		}
	}
	return strings.Join(codes, " ")
}

// count is what happened without a refusal.
func count(kind Kind) func(*Login, string) (bool, string) {
	return func(l *Login, v string) (bool, string) {
		n := 0
		for _, e := range l.Events {
			if e.Kind == kind && e.Code == "" {
				n++
			}
		}
		got := strconv.Itoa(n)
		if v == "" {
			return n > 0, got
		}
		operator, number := "=", v
		for _, o := range []string{">=", "<="} {
			if rest, ok := strings.CutPrefix(v, o); ok {
				operator, number = o, rest
			}
		}
		wanted, _ := strconv.Atoi(number) // parsed before
		switch operator {
		case ">=":
			return n >= wanted, got
		case "<=":
			return n <= wanted, got
		}
		return n == wanted, got
	}
}

func mtls(l *Login, _ string) (bool, string) {
	calls, with := 0, 0
	for _, e := range l.Events {
		if e.Kind == KindToken || e.Kind == KindRefresh {
			calls++
			if e.Detail["certificate"] != "none" {
				with++
			}
		}
	}
	return calls > 0 && calls == with, fmt.Sprintf("%d of %d token calls", with, calls)
}

func inOrder(l *Login, _ string) (bool, string) {
	token := false
	for _, e := range l.Events {
		if e.Kind == KindToken && e.Code == "" {
			token = true
		}
		if e.Kind == KindUserInfo && e.Code == "" {
			return token, "userinfo"
		}
	}
	return false, "no userinfo"
}

var expectation = regexp.MustCompile(`^([a-z_-]+)(?:(=|>=|<=)(.+))?$`)

// Verify judges a login by the expectations, all of them.
func Verify(l *Login, expect []string) (results []Result, ok bool, err error) {
	ok = true
	for _, text := range expect {
		e, value, err := parse(text)
		if err != nil {
			return nil, false, err
		}
		good, got := e.judge(l, value)
		results = append(results, Result{text, good, got})
		ok = ok && good
	}
	return results, ok, nil
}

func parse(text string) (*Expectation, string, error) {
	m := expectation.FindStringSubmatch(strings.TrimSpace(text))
	var names []string
	for i, e := range Expectations {
		if m != nil && e.Name == m[1] {
			value := m[3]
			if m[2] != "=" {
				value = m[2] + value
			}
			return &Expectations[i], value, nil
		}
		names = append(names, e.Name)
	}
	near := names
	if m != nil {
		near = problem.NearestOf(m[1], names)
	}
	return nil, "", problem.ExpectationUnknown.With("accepted", near).Got(text)
}
