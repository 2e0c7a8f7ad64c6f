package provider

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/oidc"
	"pscemu.invalid/pscemu/provider/wire"
)

// channels are PSC's own parameter: where the person answers.
var channels = map[string]identities.Means{
	"":                                identities.MeansECPS,
	string(identities.AuthModeMobile): identities.MeansECPS,
	string(identities.AuthModeCard):   identities.MeansCard,
}

// Lifetimes of a CIBA login: PSC's default [?], and the longest a client may
// ask for.
const (
	cibaLifetime    = 2 * time.Minute
	cibaMaxLifetime = 10 * time.Minute
)

// plainMessage is Keycloak's rule for a binding_message.
var plainMessage = regexp.MustCompile(`^[a-zA-Z0-9\-._+/!?#]{1,50}$`)

// notifyToken is the syntax of a bearer token (RFC 6750 §2.1).
var notifyToken = regexp.MustCompile(`^[A-Za-z0-9\-._~+/]+=*$`)

// judgeBackchannel finds the first parameter that is refused, in Keycloak's
// order. plain is the policy for binding messages.
func judgeBackchannel(client *clients.Client, form url.Values, plain bool) *wire.Refusal {
	message, token := form.Get("binding_message"), form.Get("client_notification_token")
	scopes := strings.Fields(form.Get("scope"))
	channel := form.Get("channel")
	if p := tooLongIn(form, "login_hint", "scope", "acr_values"); p != nil {
		return wire.Refused("ciba-too-long", p.Received, p.Expected)
	}
	switch {
	case !client.AllowsGrant(clients.CIBA):
		return wire.Refused("ciba-forbidden", client.ID, "backchannel_token_delivery_mode poll or ping in the registration")
	case form.Has("request"):
		return wire.Refused("ciba-request", "request", "the parameters themselves")
	case hints(form) > 1:
		return wire.Refused("ciba-hints", strconv.Itoa(hints(form))+" hints", "login_hint alone")
	case form.Get("login_hint") == "":
		return wire.Refused("ciba-login-hint-missing", "", "login_hint with the person's national id")
	case !form.Has("scope"):
		return wire.Refused("ciba-scope-missing", "", "scope=openid scope_all")
	case len(scopes) == 0 || oidc.UnknownScope(scopes):
		return wire.Refused("ciba-scope", form.Get("scope"), "scopes of the discovery document")
	case form.Has("binding_message") && !rightMessage(message, plain):
		return wire.Refused(
			"ciba-binding-message",
			strconv.Itoa(len([]rune(message)))+" characters",
			"50 characters at most, none of them control characters",
		)
	case channels[channel] == "":
		return wire.Refused("ciba-channel", channel, "CARD or MOBILE")
	case token != "" && client.DeliveryMode != clients.Ping:
		return wire.Refused("ciba-token-unasked", "client_notification_token", "none with poll mode")
	case token == "" && client.DeliveryMode == clients.Ping:
		return wire.Refused("ciba-token-missing", "", "client_notification_token")
	case len(token) > 1024 || token != "" && !notifyToken.MatchString(token):
		return wire.Refused(
			"ciba-token-long",
			strconv.Itoa(len(token))+" characters",
			"a bearer token of 1024 characters at most",
		)
	case form.Get("user_code") != "":
		return wire.Refused("ciba-user-code", "user_code", "none")
	}
	return nil
}

func rightMessage(m string, plain bool) bool {
	if plain {
		return plainMessage.MatchString(m)
	}
	n := len([]rune(m))
	return n >= 1 && n <= 50 && !strings.ContainsFunc(m, func(r rune) bool { return !unicode.IsPrint(r) })
}

func hints(form url.Values) (n int) {
	for _, h := range []string{"login_hint", "login_hint_token", "id_token_hint"} {
		if form.Get(h) != "" {
			n++
		}
	}
	return n
}

// requestedExpiry is in seconds, as a string or a number on the wire.
func requestedExpiry(v string) (time.Duration, *wire.Refusal) {
	if v == "" {
		return cibaLifetime, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return 0, wire.Refused("ciba-expiry", v, "seconds, at least 1")
	}
	return min(time.Duration(min(n, 3600))*time.Second, cibaMaxLifetime), nil
}
