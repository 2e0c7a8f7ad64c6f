package journal

import (
	"encoding/base64"
	"encoding/json"
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
	v := View{Time: x.Time, Millis: float64(x.Duration.Microseconds()) / 1000, Method: x.Method, URL: maskURL(x.URL), Headers: maskValues(x.Header), Form: maskValues(x.Form), Status: x.Status, Answer: maskValues(x.Answer), Body: maskBody(x.Answer, x.Body)}
	if len(x.Certificate) > 0 {
		v.ClientCert = base64.StdEncoding.EncodeToString(x.Certificate)
	}
	v.Tokens = x.tokens()
	return v
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

// Curl is the request as a command line; secrets are shell variables.
func (x *Exchange) Curl() string {
	parts := []string{"curl -i", "--cacert server-ca.pem"}
	if len(x.Certificate) > 0 {
		parts = append(parts, "--cert client.pem", "--key client.key")
	}
	for _, name := range forCurl {
		if v := x.Header.Get(name); v != "" && (name != "Content-Type" || len(x.Form) == 0) {
			if name == "Authorization" {
				scheme, _, _ := strings.Cut(v, " ")
				parts = append(parts, `-H "Authorization: `+scheme+` $`+map[string]string{"Bearer": "ACCESS_TOKEN"}[scheme]+`"`)
				continue
			}
			parts = append(parts, "-H "+quote(name+": "+v))
		}
	}
	if x.Method != "GET" && len(x.Form) == 0 {
		parts = append(parts, "-X "+x.Method)
	}
	names := []string{}
	for name := range x.Form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range x.Form[name] {
			if isSecret(name) {
				parts = append(parts, `--data-urlencode "`+name+"=$"+strings.ToUpper(name)+`"`)
			} else {
				parts = append(parts, "--data-urlencode "+quote(name+"="+v))
			}
		}
	}
	return strings.Join(append(parts, quote(maskURL(x.URL))), " \\\n  ")
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
