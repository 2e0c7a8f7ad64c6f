package provider

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/login"
)

// callback is an authorize response under way: where it goes and how.
type callback struct {
	redirectURI, state, mode, iss, clientID string
}

// callbackOf reads the request. An unknown mode is the default: its refusal
// must go somewhere.
func callbackOf(clientID string, form url.Values, iss string) callback {
	b := callback{form.Get("redirect_uri"), form.Get("state"), form.Get("response_mode"), iss, clientID}
	plain := "query"
	if strings.Contains(responseType(form), "token") {
		plain = "fragment" // OAuth 2.0 Multiple Response Types §5
	}
	switch b.mode {
	case "query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt":
		if plain == "fragment" && strings.HasPrefix(b.mode, "query") {
			b.mode = plain
		}
	case "jwt":
		b.mode = plain + ".jwt"
	default:
		b.mode = plain
	}
	return b
}

// backOf is the callback of a pending login.
func (s *Server) backOf(p *login.Pending) callback {
	host, _, _ := strings.Cut(strings.TrimPrefix(p.Base, "https://"), "/")
	return callbackOf(p.ClientID, p.Form, s.siteOf(host).Issuer())
}

// pairs are parameters in the order they are written.
type pairs [][2]string

// add appends a parameter, unless it is empty.
func (p *pairs) add(name, value string) {
	if value != "" {
		*p = append(*p, [2]string{name, value})
	}
}

func (p pairs) encode() string {
	parts := make([]string, len(p))
	for i, kv := range p {
		parts[i] = kv[0] + "=" + url.QueryEscape(kv[1])
	}
	return strings.Join(parts, "&")
}

// rawMembers are written as they are: numbers and objects.
var rawMembers = []string{"exp", "iat", "events"}

// MarshalJSON writes an object of strings in the order of the pairs.
func (p pairs) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, kv := range p {
		value, err := json.Marshal(kv[1])
		if err != nil {
			return nil, err
		}
		if slices.Contains(rawMembers, kv[0]) {
			value = []byte(kv[1])
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + kv[0] + `":`)
		b.Write(value)
	}
	return []byte("{" + b.String() + "}"), nil
}

// answerTo is an authorize response: where to, and what.
type answerTo struct {
	callback
	params pairs
	err    error // of signing it
}

// answerTo gives the parameters the form that the response mode asks for: as
// they are, or as one signed JWT (JARM §4.1).
func (s *Server) answerTo(back callback, params pairs) answerTo {
	params = params.spelt()
	plain, signed := strings.CutSuffix(back.mode, ".jwt")
	back.mode = plain
	if !signed {
		return answerTo{back, params, nil}
	}
	claims := pairs{
		{"iss", back.iss},
		{"aud", back.clientID},
		{"exp", itoa(int(s.clock.Now().Add(10 * time.Minute).Unix()))},
	}
	for _, kv := range params {
		if kv[0] != "iss" {
			claims = append(claims, kv)
		}
	}
	jwt, err := s.oidc.SignJWT("JWT", claims)
	return answerTo{back, pairs{{"response", jwt}}, err}
}

// url is the response as a URL; form_post has none, so it reads as a query.
func (a answerTo) url() string {
	separator := "?"
	switch {
	case a.mode == "fragment":
		separator = "#"
	case strings.Contains(a.redirectURI, "?"):
		separator = "&"
	}
	return a.redirectURI + separator + a.params.encode()
}

func (s *Server) sendBack(c echo.Context, a answerTo) error {
	if a.err != nil {
		return a.err
	}
	noStore(c)
	if a.mode == "form_post" {
		return s.page(
			c,
			http.StatusOK,
			"provider/form_post",
			map[string]any{"Title": "Retour vers le service", "Action": a.redirectURI, "Params": a.params},
		)
	}
	status := http.StatusFound
	if c.Request().Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	return web.Leave(c, status, a.url())
}

// errorAnswer is an error for a redirect URI that was judged good.
func (s *Server) errorAnswer(back callback, a Answer, reason error) answerTo {
	var params pairs
	params.add("error", a.Error)
	if a.Text != "" || reason != nil {
		params.add("error_description", s.callbackText(a, reason))
	}
	params.add("state", back.state)
	params.add("iss", back.iss)
	return s.answerTo(back, params)
}

// callbackText is Keycloak's text alone for what Keycloak refuses: the reason
// is in the journal, and connectors compare these texts. Refusals of a login,
// for which no text is known, say why.
func (s *Server) callbackText(a Answer, reason error) string {
	if a.Key == "login-refused" {
		return s.description(a, reason)
	}
	return a.Text
}
