package provider

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/web"
	"pscemu.invalid/pscemu/provider/login"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/site"
	"pscemu.invalid/pscemu/provider/wire"
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
func backOf(p *login.Pending, names *site.Names) callback {
	host, _, _ := strings.Cut(strings.TrimPrefix(p.Base, "https://"), "/")
	return callbackOf(p.ClientID, p.Form, names.Of(host).Issuer())
}

// answerTo is an authorize response: where to, and what.
type answerTo struct {
	callback
	params wire.Params
	err    error // of signing it
}

// url is the response as a URL; form_post has none, so it reads as a query.
func (a answerTo) url() string {
	if a.mode == "fragment" {
		return a.redirectURI + "#" + a.params.Encode()
	}
	return a.params.AddedTo(a.redirectURI)
}

// callbacks writes authorize responses.
type callbacks struct {
	oidc  *oidc.Provider
	clock clock.Clock
	pages *web.View
	texts *wire.Writer
}

// answer gives the parameters the form that the response mode asks for: as
// they are, or as one signed JWT (JARM §4.1).
func (h *callbacks) answer(back callback, params wire.Params) answerTo {
	params = params.Spelt()
	plain, signed := strings.CutSuffix(back.mode, ".jwt")
	back.mode = plain
	if !signed {
		return answerTo{back, params, nil}
	}
	claims := wire.Params{
		{"iss", back.iss},
		{"aud", back.clientID},
		{"exp", strconv.FormatInt(h.clock.Now().Add(10*time.Minute).Unix(), 10)},
	}
	for _, kv := range params {
		if kv[0] != "iss" {
			claims = append(claims, kv)
		}
	}
	jwt, err := h.oidc.SignJWT("JWT", claims)
	return answerTo{back, wire.Params{{"response", jwt}}, err}
}

// refusal is an error for a redirect URI that was judged good.
func (h *callbacks) refusal(back callback, a wire.Answer, reason error) answerTo {
	var params wire.Params
	params.Add("error", a.Error)
	params.Add("error_description", h.said(a, reason))
	params.Add("state", back.state)
	params.Add("iss", back.iss)
	return h.answer(back, params)
}

// said is Keycloak's text alone for what Keycloak refuses: the reason is in the
// journal, and connectors compare these texts. Refusals of a login, for which no
// text is known, say why.
func (h *callbacks) said(a wire.Answer, reason error) string {
	if a.Key == "login-refused" {
		return h.texts.Said(a, reason)
	}
	return a.Text
}

// send has the browser take a response to the client.
func (h *callbacks) send(c echo.Context, a answerTo) error {
	if a.err != nil {
		return a.err
	}
	web.NoStore(c)
	if a.mode == "form_post" {
		return h.pages.Show(c, http.StatusOK, "provider/form_post",
			map[string]any{"Title": "Retour vers le service", "Action": a.redirectURI, "Params": a.params})
	}
	status := http.StatusFound
	if c.Request().Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	return web.Leave(c, status, a.url())
}
