package journal

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// The forms of secrets: JWTs, signed or encrypted; codes and ids of requests,
// which are UUIDs with something behind a dot; private keys.
var (
	beginsJWT    = regexp.MustCompile(`^(?:eyJ|eyA|ewo|ewk|ew0)`) // {" { {\n {\t {\r in base64
	schemeBefore = regexp.MustCompile(`(?i)^(?:bearer|basic|dpop|digest|negotiate|ntlm|token|mac|hawk|gnap) +`)
	forms        = regexp.MustCompile(
		`(?:eyJ|eyA|ewo|ewk|ew0)[\w-]{8,}(?:\.[\w-]*)+` +
			`|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?:\.[\w-]+)+` +
			`|(?s:-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))`,
	)
	// own is the form of the emulator's random texts: its API token, the secrets
	// of browsers, tickets. A state or a nonce of the demo looks the same.
	own   = regexp.MustCompile(`^[A-Z2-7]{26}$`)
	plain = []string{"state", "nonce", "login", "login_id", "id", "client_id", "jti", "kid", "sid"}
)

// masker masks; it knows the secrets of one login by value. A nil one knows
// forms and names alone.
type masker struct {
	whole map[string]bool // values that are secrets
	long  []string        // those among them that are looked for within texts
}

// Secrets shorter than this are masked where they are a whole value only: 1234
// is part of many numbers.
const longSecret = 8

// learn takes values for secrets from here on.
func (m *masker) learn(values ...string) {
	for _, v := range values {
		v = strings.TrimSpace(v)
		if len(v) < 4 || m.whole[v] || len(m.whole) >= 1000 {
			continue
		}
		if m.whole == nil {
			m.whole = map[string]bool{}
		}
		m.whole[v] = true
		if len(v) >= longSecret {
			m.long = append(m.long, v)
		}
	}
	slices.SortFunc(m.long, func(a, b string) int { return len(b) - len(a) })
}

func (m *masker) knows(v string) bool { return m != nil && m.whole[strings.TrimSpace(v)] }

// mayHold tells at small cost which texts are worth the search for forms: each
// event of each login asks.
func mayHold(s string) bool {
	return len(s) > 10 &&
		(strings.Contains(s, "eyJ") || strings.Contains(s, "eyA") || strings.Contains(s, "ew") ||
			strings.Contains(s, "-----BEGIN") || strings.Contains(s, "/wallet/activation/") ||
			len(s) > 37 && strings.IndexByte(s, '.') >= 0 && strings.Count(s, "-") >= 4)
}

// text masks within a text.
func (m *masker) text(s string) string {
	if mayHold(s) {
		s = secretPath.ReplaceAllString(forms.ReplaceAllStringFunc(s, Mask), "${1}…")
	}
	if m == nil {
		return s
	}
	for _, secret := range m.long {
		if strings.Contains(s, secret) {
			s = strings.ReplaceAll(s, secret, Mask(secret))
		}
	}
	return s
}

// deepest is how far values within values are looked at.
const deepest = 6

// hides tells whether a value is a secret as a whole.
func (m *masker) hides(name, value string) bool {
	return value != "" &&
		(isSecret(name) || m.knows(value) ||
			own.MatchString(strings.TrimSpace(value)) && !slices.Contains(plain, strings.ToLower(name)))
}

// value masks what a parameter, a member or a header holds.
func (m *masker) value(name, value string, depth int) string {
	if m.hides(name, value) {
		return Mask(strings.TrimSpace(value))
	}
	if depth < deepest && len(value) > 1 {
		if strings.Contains(value, "://") || strings.ContainsAny(value[:1], "/?#") {
			return m.url(value, depth+1)
		}
		if strings.ContainsAny(value[:1], "{[") {
			if masked, ok := m.json(value, depth+1); ok {
				return masked
			}
		}
	}
	return m.text(value)
}

// values masks headers or a form.
func (m *masker) values(in map[string][]string) map[string][]string {
	out := map[string][]string{}
	for name, values := range in {
		for _, v := range values {
			switch {
			case strings.EqualFold(name, "set-cookie"):
				pair, attributes, _ := strings.Cut(v, ";")
				v = maskCookies(pair) + strings.TrimSuffix(";"+attributes, ";")
			case strings.EqualFold(name, "cookie"):
				v = maskCookies(v)
			default:
				v = m.value(name, v, 0)
			}
			out[name] = append(out[name], v)
		}
	}
	return out
}

// maskCookies leaves the names.
func maskCookies(header string) string {
	pairs := strings.Split(header, ";")
	for i, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); !ok && strings.TrimSpace(pair) != "" {
			pairs[i] = "…"
		} else if value != "" {
			pairs[i] = name + "=…"
		}
	}
	return strings.Join(pairs, ";")
}

var (
	userInfo = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*://[^/?#@:]*):[^/?#@]*@`)
	// secretPath is where an address itself is the secret of a browser.
	secretPath = regexp.MustCompile(`(/wallet/activation/)[^/?#]+`)
)

// url masks the password, the query and the fragment of an address, and what
// its path holds.
func (m *masker) url(raw string, depth int) string {
	rest, fragment, hasFragment := strings.Cut(raw, "#")
	base, query, hasQuery := strings.Cut(rest, "?")
	out := m.text(userInfo.ReplaceAllString(base, "$1:…@"))
	if hasQuery {
		out += "?" + m.query(query, depth)
	}
	if !hasFragment {
		return out
	}
	if path, behind, ok := strings.Cut(fragment, "?"); ok { // #/callback?code=…
		return out + "#" + m.text(path) + "?" + m.query(behind, depth)
	}
	return out + "#" + m.query(fragment, depth)
}

var oneParameter = regexp.MustCompile(`[^&;]+`)

// query masks parameters; those that hold nothing secret stay as they came.
func (m *masker) query(raw string, depth int) string {
	return oneParameter.ReplaceAllStringFunc(raw, func(p string) string {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return m.text(p)
		}
		came, err := url.QueryUnescape(value)
		if err != nil {
			came = value
		}
		masked := m.value(unescaped(name), came, depth)
		if masked == came {
			return p
		}
		return name + "=" + strings.ReplaceAll(url.QueryEscape(masked), "%E2%80%A6", "…")
	})
}

func unescaped(name string) string {
	if plain, err := url.QueryUnescape(name); err == nil {
		return plain
	}
	return name
}

// body masks an answer: JSON, a form, a JWT. Other bodies are left out.
func (m *masker) body(h http.Header, body []byte) string {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	switch kind = strings.ToLower(strings.TrimSpace(kind)); {
	case kind == "application/json", strings.HasSuffix(kind, "+json"):
		if masked, ok := m.json(string(body), 0); ok {
			return masked
		}
		return m.torn(string(body))
	case kind == "application/jwt", strings.HasSuffix(kind, "+jwt"):
		return Mask(string(body))
	case kind == "application/x-www-form-urlencoded":
		return m.query(string(body), 0)
	case kind == "" && len(body) == 0:
		return ""
	}
	return "(" + h.Get("Content-Type") + ")"
}

// learnFrom takes the values that an exchange shows to be secrets.
func (m *masker) learnFrom(x *Exchange) {
	for name, values := range x.Header {
		for _, v := range values {
			switch {
			case strings.EqualFold(name, "cookie"):
				m.learnCookies(v)
			case isSecret(name):
				v = v[len(schemeBefore.FindString(v)):]
				m.learn(v)
				if pair, err := base64.StdEncoding.DecodeString(v); err == nil {
					_, password, _ := strings.Cut(string(pair), ":")
					m.learn(password, unescaped(password))
				}
			}
		}
	}
	for _, v := range x.Answer.Values("Set-Cookie") {
		pair, _, _ := strings.Cut(v, ";")
		m.learnCookies(pair)
	}
	m.learnParameters(x.Form)
	for _, address := range []string{x.URL, x.Answer.Get("Location")} {
		if u, err := url.Parse(address); err == nil {
			m.learnParameters(u.Query())
			fragment, _ := url.ParseQuery(u.EscapedFragment()) // what can be read of it
			m.learnParameters(fragment)
		}
	}
	m.learnJSON(x.Body)
}

func (m *masker) learnCookies(header string) {
	for _, pair := range strings.Split(header, ";") {
		if _, value, _ := strings.Cut(pair, "="); len(value) >= longSecret {
			m.learn(value)
		}
	}
}

func (m *masker) learnParameters(q url.Values) {
	for name, values := range q {
		if isSecret(name) {
			m.learn(values...)
		}
	}
}
