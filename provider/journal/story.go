package journal

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// View is an exchange as people see it: masked, with its tokens decoded.
type View struct {
	Time       time.Time           `json:"time"`
	Millis     float64             `json:"ms"`
	Method     string              `json:"method"`
	URL        string              `json:"url"`
	Headers    map[string][]string `json:"headers"`
	Form       map[string][]string `json:"form,omitempty"`
	Status     int                 `json:"status"`
	Answer     map[string][]string `json:"answer_headers"`
	Body       string              `json:"body,omitempty"`
	Tokens     []Token             `json:"tokens,omitempty"`
	ClientCert string              `json:"client_certificate,omitempty"` // DER, base64
}

// Token is a JWT that was sent or received, decoded.
type Token struct {
	Name    string          `json:"name"`
	Header  json.RawMessage `json:"header"`
	Payload json.RawMessage `json:"payload"`
}

// View masks and decodes.
func (x *Exchange) View() View {
	m := x.masker()
	v := View{
		Time:    x.Time,
		Millis:  float64(x.Duration.Microseconds()) / 1000,
		Method:  x.Method,
		URL:     m.url(x.URL, 0),
		Headers: m.values(x.Header),
		Form:    m.values(x.Form),
		Status:  x.Status,
		Answer:  m.values(x.Answer),
		Body:    m.body(x.Answer, x.Body),
	}
	if len(x.Certificate) > 0 {
		v.ClientCert = base64.StdEncoding.EncodeToString(x.Certificate)
	}
	v.Tokens = x.tokens()
	return v
}

// masker knows the secrets of the login it belongs to, or else its own.
func (x *Exchange) masker() *masker {
	if x.secrets != nil {
		return x.secrets()
	}
	m := &masker{}
	m.learnFrom(x)
	return m
}

// MarshalJSON writes the view.
func (x *Exchange) MarshalJSON() ([]byte, error) { return json.Marshal(x.View()) }

// tokens are the JWTs in the request's form and header and in the answer.
func (x *Exchange) tokens() (out []Token) {
	add := func(name, jwt string) {
		parts := strings.Split(jwt, ".")
		if len(parts) != 3 {
			return
		}
		header, err1 := base64.RawURLEncoding.DecodeString(parts[0])
		payload, err2 := base64.RawURLEncoding.DecodeString(parts[1])
		if err1 == nil && err2 == nil && json.Valid(header) && json.Valid(payload) {
			out = append(out, Token{name, header, payload})
		}
	}
	if bearer, ok := strings.CutPrefix(x.Header.Get("Authorization"), "Bearer "); ok {
		add("Authorization", bearer)
	}
	for _, name := range []string{"refresh_token", "id_token_hint", "token", "access_token", "request"} {
		add(name, x.Form.Get(name))
	}
	var answer map[string]any
	if json.Unmarshal(x.Body, &answer) == nil {
		for _, name := range []string{"access_token", "id_token", "refresh_token"} {
			if s, ok := answer[name].(string); ok {
				add(name, s)
			}
		}
	}
	return out
}

// forCurl are the request headers that matter to repeat a request.
var forCurl = []string{"Authorization", "Content-Type", "Accept"}

// Curl is the request as a command line; secrets are shell variables. Nothing
// that came stands outside of quotes.
func (x *Exchange) Curl() string {
	m, parts := x.masker(), []string{"curl -i", "--cacert server-ca.pem"}
	if len(x.Certificate) > 0 {
		parts = append(parts, "--cert client.pem", "--key client.key")
	}
	for _, name := range forCurl {
		v := x.Header.Get(name)
		switch {
		case v == "" || name == "Content-Type" && len(x.Form) > 0:
		case name == "Authorization":
			parts = append(parts, `-H "Authorization: `+authorization(v)+`"`)
		default:
			parts = append(parts, "-H "+quote(name+": "+m.value(name, v, 0)))
		}
	}
	if x.Method != "GET" && len(x.Form) == 0 {
		parts = append(parts, "-X "+quote(x.Method))
	}
	for _, name := range slices.Sorted(maps.Keys(x.Form)) {
		for _, v := range x.Form[name] {
			parts = append(parts, "--data-urlencode "+m.parameter(name, v))
		}
	}
	return strings.Join(append(parts, quote(m.url(x.URL, 0))), " \\\n  ")
}

// authorization is the header with its secret as a variable.
func authorization(header string) string {
	switch scheme := strings.TrimSpace(schemeBefore.FindString(header)); scheme {
	case "":
		return "$CREDENTIALS"
	case "Bearer":
		return "Bearer $ACCESS_TOKEN"
	default:
		return scheme + " $CREDENTIALS"
	}
}

var (
	shellName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	notShell  = regexp.MustCompile(`[^A-Z0-9_]+`)
)

// parameter is one of a form, for a shell.
func (m *masker) parameter(name, value string) string {
	if !m.hides(name, value) {
		return quote(name + "=" + m.value(name, value, 0))
	}
	if shellName.MatchString(name) {
		return `"` + name + "=$" + strings.ToUpper(name) + `"`
	}
	variable := strings.Trim(notShell.ReplaceAllString(strings.ToUpper(name), "_"), "_")
	if !shellName.MatchString(variable) {
		variable = "SECRET"
	}
	return quote(name+"=") + `"$` + variable + `"`
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
