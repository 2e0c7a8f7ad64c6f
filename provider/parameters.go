package provider

import (
	"net/url"
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
		return nil, tooLong(problem.AllParameters.In(problem.English), all, mostParameters)
	}
	return out, nil
}

func tooLong(what string, got, most int) *problem.Error {
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

// mostField is how many bytes a field of a page may have.
const mostField = 256

// field is what a person typed into a page, without the space around it.
func field(value, name string) (string, error) {
	value = strings.TrimSpace(value)
	if len(value) > mostField {
		return "", problem.FieldTooLong.With("name", name).With("count", len(value)).With("most", mostField)
	}
	return value, nil
}
