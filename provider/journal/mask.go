package journal

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// secret are the parameters, members and headers whose values are masked.
var secret = []string{"client_secret", "code", "code_verifier", "refresh_token", "access_token", "id_token", "id_token_hint", "token", "logout_token", "auth_req_id", "client_notification_token", "client_assertion", "assertion", "request", "response", "pin", "password", "totp", "ticket", "sms", "puk",
	"authorization", "cookie", "set-cookie", "proxy-authorization"}

func isSecret(name string) bool { return slices.Contains(secret, strings.ToLower(name)) }

// Mask shows what a secret was without giving it away: a JWT without its
// signature, of anything else a few characters.
func Mask(value string) string {
	prefix := ""
	for _, scheme := range []string{"Bearer ", "Basic "} {
		if rest, ok := strings.CutPrefix(value, scheme); ok {
			prefix, value = scheme, rest
		}
	}
	parts := strings.Split(value, ".")
	switch {
	case value == "":
		return ""
	case len(parts) == 3 && strings.HasPrefix(value, "eyJ"):
		return prefix + parts[0] + "." + parts[1] + ".…"
	case len(value) > 20 && prefix != "Basic ":
		return prefix + value[:6] + "…"
	}
	return prefix + "…"
}

func maskValues(in map[string][]string) map[string][]string {
	out := map[string][]string{}
	for name, values := range in {
		for _, v := range values {
			switch {
			case strings.EqualFold(name, "set-cookie"), strings.EqualFold(name, "cookie"):
				v = cookieValue.ReplaceAllString(v, "$1=…")
			case strings.EqualFold(name, "location"):
				v = maskURL(v)
			case isSecret(name):
				v = Mask(v)
			}
			out[name] = append(out[name], v)
		}
	}
	return out
}

var cookieValue = regexp.MustCompile(`(__Host-[\w-]+|pscemu-[\w-]+|[\w-]*(?:session|token|secret)[\w-]*)=[^;]*`)

// maskURL masks the secret parameters of a URL's query and fragment.
func maskURL(raw string) string {
	head, query, _ := strings.Cut(raw, "?")
	base, fragment, hasFragment := strings.Cut(head, "#")
	out := base
	if strings.Contains(raw, "?") {
		q, f, hasF := strings.Cut(query, "#")
		out = head + "?" + maskQuery(q)
		if hasF {
			out += "#" + maskQuery(f)
		}
		return out
	}
	if hasFragment {
		out += "#" + maskQuery(fragment)
	}
	return out
}

func maskQuery(q string) string {
	parts := strings.Split(q, "&")
	for i, p := range parts {
		name, value, _ := strings.Cut(p, "=")
		if isSecret(name) && value != "" {
			plain, err := url.QueryUnescape(value)
			if err != nil {
				plain = value
			}
			parts[i] = name + "=" + Mask(plain)
		}
	}
	return strings.Join(parts, "&")
}

// maskBody masks the members of a JSON answer, and the fields of a page that
// brings the callback's parameters; other bodies are left out.
func maskBody(h http.Header, body []byte) string {
	kind := h.Get("Content-Type")
	switch {
	case strings.HasPrefix(kind, "application/json"):
		var members map[string]json.RawMessage
		if json.Unmarshal(body, &members) != nil {
			return string(body) // broken on purpose: it holds what a fault left of it
		}
		return memberValue.ReplaceAllStringFunc(string(body), func(m string) string {
			name, value, _ := strings.Cut(m, ":")
			if !isSecret(strings.Trim(name, `" `)) {
				return m
			}
			return name + `:"` + Mask(strings.Trim(value, `" `)) + `"`
		})
	case strings.HasPrefix(kind, "application/jwt"):
		return Mask(string(body))
	case kind == "" && len(body) == 0:
		return ""
	}
	return "(" + kind + ")"
}

var memberValue = regexp.MustCompile(`"[A-Za-z_]+":"[^"\\]*"`)
