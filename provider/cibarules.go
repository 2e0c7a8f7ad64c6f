package provider

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/problem"
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
	message, channel := form.Get("binding_message"), form.Get("channel")
	scopes := strings.Fields(form.Get("scope"))
	if p := tooLongIn(form, "login_hint", "scope", "acr_values"); p != nil {
		return wire.Refused(problem.CIBATooLong.With("expected", p.Expected).Got(p.Received))
	}
	switch {
	case !client.AllowsGrant(clients.CIBA):
		return wire.Refused(problem.CIBAForbidden.Got(client.ID))
	case form.Has("request"):
		return wire.Refused(problem.CIBARequest.Of())
	case hints(form) > 1:
		return wire.Refused(problem.CIBAHints.With("hints", hints(form)))
	case form.Get("login_hint") == "":
		return wire.Refused(problem.CIBALoginHintMissing.Of())
	case !form.Has("scope"):
		return wire.Refused(problem.CIBAScopeMissing.Of())
	case len(scopes) == 0 || oidc.UnknownScope(scopes):
		return wire.Refused(problem.CIBAScope.Got(form.Get("scope")))
	case form.Has("binding_message") && !rightMessage(message, plain):
		return wire.Refused(problem.CIBABindingMessage.With("count", len([]rune(message))))
	case channels[channel] == "":
		return wire.Refused(problem.CIBAChannel.Got(channel))
	}
	return judgeNotification(client, form)
}

// judgeNotification judges how the client wants to be told (CIBA Core §7.1).
func judgeNotification(client *clients.Client, form url.Values) *wire.Refusal {
	token := form.Get("client_notification_token")
	switch {
	case token != "" && client.DeliveryMode != clients.Ping:
		return wire.Refused(problem.CIBATokenUnasked.Of())
	case token == "" && client.DeliveryMode == clients.Ping:
		return wire.Refused(problem.CIBATokenMissing.Of())
	case len(token) > 1024 || token != "" && !notifyToken.MatchString(token):
		return wire.Refused(problem.CIBATokenLong.With("count", len(token)))
	case form.Get("user_code") != "":
		return wire.Refused(problem.CIBAUserCode.Of())
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
		return 0, wire.Refused(problem.CIBAExpiry.Got(v))
	}
	return min(time.Duration(min(n, 3600))*time.Second, cibaMaxLifetime), nil
}
