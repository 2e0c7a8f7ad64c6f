package provider

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/ecps"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
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

// ciba starts a login that the client's server asks for, without a browser
// (CIBA Core §7).
func (s *Server) ciba(c echo.Context) error {
	r := c.Request()
	if bad := repeated(r); bad != nil {
		return s.oauthError(c, *bad, nil)
	}
	client, _, err := s.backChannel(c)
	if err != nil {
		s.journal.Add(c.Request().Context(), "", journal.KindCIBA, map[string]string{"certificate": presented(r)}, err)
		return s.oauthError(c, clientError(err), err)
	}
	id := journal.NewID()
	b, refusal, err := s.startBackchannel(r.Context(), client, r.PostForm, id)
	if refusal != nil {
		err = refusal.problem()
	}
	s.journal.Add(
		c.Request().Context(),
		id,
		journal.KindCIBA,
		map[string]string{
			"client_id":       client.ID,
			"login_hint":      r.PostForm.Get("login_hint"),
			"channel":         r.PostForm.Get("channel"),
			"binding_message": r.PostForm.Get("binding_message"),
		},
		err,
	)
	switch {
	case refusal != nil:
		return s.oauthError(c, refusal.Answer, err)
	case err != nil:
		return s.oauthError(c, answer("server-error"), err)
	}
	noStore(c)
	return c.JSON(http.StatusOK, struct {
		AuthReqID string `json:"auth_req_id"`
		ExpiresIn int    `json:"expires_in"`
		Interval  int    `json:"interval"`
	}{b.ID, int(b.ExpiresAt.Sub(s.clock.Now()).Round(time.Second).Seconds()), int(b.Interval.Seconds())})
}

// startBackchannel judges the request and asks the person.
func (s *Server) startBackchannel(
	ctx context.Context,
	client *clients.Client,
	form url.Values,
	loginID string,
) (*oidc.Backchannel, *refusal, error) {
	if r := s.judgeBackchannel(client, form); r != nil {
		return nil, r, nil
	}
	lifetime, r := requestedExpiry(form.Get("requested_expiry"))
	if r != nil {
		return nil, r, nil
	}
	b := &oidc.Backchannel{
		Client:     client.ID,
		LoginID:    loginID,
		NationalID: form.Get("login_hint"),
		AuthMode:   channels[form.Get("channel")].AuthMode(),
		Scope:      form.Get("scope"),
		Notify:     form.Get("client_notification_token"),
	}
	ask := ecps.Ask{NationalID: b.NationalID, Client: client.Label(), Message: form.Get("binding_message"),
		Means: channels[form.Get("channel")], Lifetime: lifetime, NoNumber: true}
	var unable error
	err := s.store.Update(ctx, func(tx store.Tx) (err error) {
		kept := *b
		if unable, err = s.askIn(tx, ask, &kept, client, form.Get("acr_values")); err != nil || unable != nil {
			return err
		}
		if err = s.oidc.StartBackchannelIn(ctx, tx, &kept); err == nil {
			err = s.promisePing(tx, &kept)
		}
		*b = kept
		return err
	})
	return s.begun(b, unable, err)
}

// begun tells a login that began from one that is refused and one that failed.
func (s *Server) begun(b *oidc.Backchannel, unable, err error) (*oidc.Backchannel, *refusal, error) {
	if err != nil {
		if p := problem.From(err); p.Kind == problem.Internal || p.Kind == problem.TooLarge {
			return nil, nil, err // the store's, not the person's
		}
		unable = err
	}
	switch {
	case problem.Is(unable, problem.ECPSTooMany):
		return nil, because(problem.CIBABusy, unable), nil
	case unable != nil:
		return nil, because(problem.CIBAUser, unable), nil
	}
	return b, nil, nil
}

// askIn asks the person, by phone or at the reader. unable is a refusal that is
// given after the commit.
func (s *Server) askIn(
	tx store.Tx,
	a ecps.Ask,
	b *oidc.Backchannel,
	c *clients.Client,
	acr string,
) (unable, err error) {
	person, err := s.people.ReadIn(tx, a.NationalID)
	if err == nil && a.Means == identities.MeansCard {
		err = s.hasCard(tx, person)
	}
	if err != nil {
		return nil, err
	}
	asked, unable, err := s.ecps.StartIn(tx, a)
	if err != nil || unable != nil {
		return unable, err
	}
	b.Request, b.ExpiresAt, b.ACR = asked.ID, asked.ExpiresAt, s.acr(c, person, acr, b.AuthMode)
	return nil, nil
}

// because is a refusal for a reason that was found elsewhere.
func because(code problem.Code, err error) *refusal {
	p := problem.From(err)
	return refused(code.With("expected", problem.Expected(p)).Got(strings.TrimSpace(p.Code + " " + p.Received)))
}

func (s *Server) hasCard(tx store.Tx, person *identities.Identity) error {
	serials, err := s.cards.SerialsIn(tx, person.NationalID)
	if err == nil && len(serials) == 0 {
		err = problem.CardNone.Case("usable").Got(person.NationalID)
	}
	return err
}

// plainMessage is Keycloak's rule for a binding_message.
var plainMessage = regexp.MustCompile(`^[a-zA-Z0-9\-._+/!?#]{1,50}$`)

// notifyToken is the syntax of a bearer token (RFC 6750 §2.1).
var notifyToken = regexp.MustCompile(`^[A-Za-z0-9\-._~+/]+=*$`)

// judgeBackchannel finds the first parameter that is refused, in Keycloak's
// order.
func (s *Server) judgeBackchannel(client *clients.Client, form url.Values) *refusal {
	message, token := form.Get("binding_message"), form.Get("client_notification_token")
	scopes := strings.Fields(form.Get("scope"))
	plain := s.settings.Policies(client.Policies, nil).BindingMessage == "plain"
	channel := form.Get("channel")
	if p := tooLongIn(form, "login_hint", "scope", "acr_values"); p != nil {
		return refused(problem.CIBATooLong.With("expected", p.Expected).Got(p.Received))
	}
	switch {
	case !client.AllowsGrant(clients.CIBA):
		return refused(problem.CIBAForbidden.Got(client.ID))
	case form.Has("request"):
		return refused(problem.CIBARequest.Of())
	case hints(form) > 1:
		return refused(problem.CIBAHints.With("hints", hints(form)))
	case form.Get("login_hint") == "":
		return refused(problem.CIBALoginHintMissing.Of())
	case !form.Has("scope"):
		return refused(problem.CIBAScopeMissing.Of())
	case len(scopes) == 0 || oidc.UnknownScope(scopes):
		return refused(problem.CIBAScope.Got(form.Get("scope")))
	case form.Has("binding_message") && !goodMessage(message, plain):
		return refused(problem.CIBABindingMessage.With("count", len([]rune(message))))
	case channels[channel] == "":
		return refused(problem.CIBAChannel.Got(channel))
	case token != "" && client.DeliveryMode != clients.Ping:
		return refused(problem.CIBATokenUnasked.Of())
	case token == "" && client.DeliveryMode == clients.Ping:
		return refused(problem.CIBATokenMissing.Of())
	case len(token) > 1024 || token != "" && !notifyToken.MatchString(token):
		return refused(problem.CIBATokenLong.With("count", len(token)))
	case form.Get("user_code") != "":
		return refused(problem.CIBAUserCode.Of())
	}
	return nil
}

func goodMessage(m string, plain bool) bool {
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
func requestedExpiry(v string) (time.Duration, *refusal) {
	if v == "" {
		return cibaLifetime, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return 0, refused(problem.CIBAExpiry.Got(v))
	}
	return min(time.Duration(min(n, 3600))*time.Second, cibaMaxLifetime), nil
}
