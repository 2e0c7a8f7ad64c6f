package provider

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"pscemu.invalid/pscemu/internal/problem"
)

// parameters are those of an authorize request that are read, and how many
// bytes each may have: anybody can make a login keep them for half an hour.
var parameters = map[string]int{
	"client_id": 1 << 10, "redirect_uri": 4 << 10, "response_type": 256, "response_mode": 64, "scope": 2 << 10,
	"state": 8 << 10, "nonce": 4 << 10, "acr_values": 1 << 10, "prompt": 256, "max_age": 64, "login_hint": 1 << 10,
	"code_challenge": 256, "code_challenge_method": 64, "claims": 8 << 10, "ui_locales": 256, "id_token_hint": 8 << 10,
	"request": mostParameters, "request_uri": 2 << 10,
}

// mostParameters is how many bytes they may have together.
const mostParameters = 16 << 10

// readForm refuses repeated parameters (RFC 6749 §3.1), also between query and
// body.
func readForm(r *http.Request) (url.Values, error) {
	if err := r.ParseForm(); err != nil {
		return nil, problem.FormUnreadable.Case("authorize-form").Got(err.Error())
	}
	if name := twice(r.Form); name != "" {
		return nil, problem.ParameterRepeated.Got(name)
	}
	return r.Form, nil
}

// twice names a parameter that came more than once, "" for none.
func twice(form url.Values) string {
	for name, values := range form {
		if len(values) > 1 {
			return name
		}
	}
	return ""
}

// keptParameters are the parameters that are read. One that is too long is
// refused; unknown ones are left out (RFC 6749 §3.1).
func keptParameters(form url.Values) (url.Values, error) {
	out, all := url.Values{}, 0
	for name, most := range parameters {
		if !form.Has(name) {
			continue
		}
		value := form.Get(name)
		if len(value) > most {
			return nil, tooLong(name, len(value), most)
		}
		out.Set(name, value)
		all += len(name) + len(value)
	}
	if all > mostParameters {
		return nil, tooLong(problem.AllParameters, all, mostParameters)
	}
	return out, nil
}

func tooLong(what any, got, most int) *problem.Error {
	return problem.ParameterTooLong.With("what", what).With("got", got).With("most", most)
}

// tooLongIn finds the first of these parameters that has more bytes than an
// authorize request may give it.
func tooLongIn(form url.Values, names ...string) *problem.Error {
	for _, name := range names {
		if v := form.Get(name); len(v) > parameters[name] {
			return tooLong(name, len(v), parameters[name])
		}
	}
	return nil
}

// responseType is the request's, its parts in the order of the registrations.
func responseType(form url.Values) string {
	parts := strings.Fields(form.Get("response_type"))
	order := []string{"code", "id_token", "token", "none"}
	slices.SortFunc(parts, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	return strings.Join(parts, " ")
}
