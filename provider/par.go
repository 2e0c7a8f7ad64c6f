package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	strictjson "github.com/go-jose/go-jose/v4/json"
	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/journal"
)

// pushed is an authorize request that came by the back channel.
type pushed struct {
	Client string     `json:"client_id"`
	Issuer string     `json:"iss"`
	Form   url.Values `json:"form"`
}

// Pushed requests live a minute and serve once.
const (
	pushedPrefix   = "urn:ietf:params:oauth:request_uri:"
	pushedLifetime = time.Minute
)

var pushedRequests = store.Collection[pushed]("par")

// par takes an authorize request from an authenticated client (RFC 9126).
func (s *Server) par(c echo.Context) error {
	r := c.Request()
	if refused := repeated(r); refused != nil {
		return s.oauthError(c, *refused, nil)
	}
	client, _, err := s.backChannel(c)
	if err != nil {
		s.journal.Add(c.Request().Context(), "", journal.KindPAR, nil, err)
		return s.oauthError(c, clientError(err), err)
	}
	form, refusal := s.pushable(r.Context(), client, r.PostForm, s.site(c))
	if refusal != nil {
		reason := refusal.problem()
		s.journal.Add(c.Request().Context(), "", journal.KindPAR, map[string]string{"client_id": client.ID}, reason)
		return s.oauthError(c, refusal.Answer, reason)
	}
	id := strings.ToLower(journal.NewID())
	if err := pushedRequests.Save(
		r.Context(),
		s.store,
		id,
		pushed{client.ID, s.site(c).Issuer(), form},
		pushedLifetime,
	); err != nil {
		return s.oauthError(c, answer("server-error"), err)
	}
	s.journal.Add(c.Request().Context(), "", journal.KindPAR, map[string]string{"client_id": client.ID}, nil)
	noStore(c)
	return c.JSON(http.StatusCreated, struct {
		RequestURI string `json:"request_uri"`
		ExpiresIn  int    `json:"expires_in"`
	}{pushedPrefix + id, int(pushedLifetime.Seconds())})
}

// pushable judges the request as authorize would, and returns it without what
// only the back channel may know.
func (s *Server) pushable(
	ctx context.Context,
	client *clients.Client,
	sent url.Values,
	at site,
) (url.Values, *refusal) {
	if sent.Has("request_uri") {
		return nil, refused(problem.PARRequestURI.Got(sent.Get("request_uri")))
	}
	form := url.Values{}
	for k, v := range sent {
		if k != "client_secret" && k != "client_assertion" && k != "client_assertion_type" {
			form[k] = v
		}
	}
	form.Set("client_id", client.ID)
	form, err := s.unpack(ctx, client, form, at.Issuer())
	if err != nil {
		return nil, refused(problem.PARObject.Got(problem.From(err).Error()))
	}
	if form, err = keptParameters(form); err != nil {
		p := problem.From(err)
		return nil, refused(problem.PARTooLong.With("expected", problem.Expected(p)).Got(p.Received))
	}
	if err := redirectProblem(client, form.Get("redirect_uri")); err != nil {
		return nil, refused(problem.PARRedirectURI.Got(form.Get("redirect_uri")))
	}
	r := s.judge(&asking{client, form, callbackOf(client.ID, form, at.Issuer())})
	switch {
	case r == nil:
		return form, nil
	case r.Key == "response-type-unknown":
		return nil, refused(problem.PARResponseType.With("expected", problem.Expected(r.reason)).Got(r.reason.Received))
	case r.Error == "invalid_scope":
		r.Error = "invalid_request" // as Keycloak's PAR endpoint does
	}
	r.Status = http.StatusBadRequest
	return nil, r
}

// unpack puts what the client pushed or signed in the place of what came
// through the browser. Request objects it cannot judge stay where they are.
func (s *Server) unpack(ctx context.Context, client *clients.Client, form url.Values, iss string) (url.Values, error) {
	if id, ok := strings.CutPrefix(form.Get("request_uri"), pushedPrefix); ok {
		return s.pulled(ctx, client, id, iss)
	}
	object := form.Get("request")
	if object == "" || client.JWKS == nil || unsigned(object) {
		return form, nil
	}
	claims, err := s.requestObject(client, object, iss)
	if err != nil {
		return nil, problem.RequestObjectInvalid.Got(err.Error())
	}
	out := url.Values{"client_id": {client.ID}}
	for k, v := range form {
		if k != "request" {
			out[k] = v
		}
	}
	for k, v := range claims {
		out[k] = v // the signed value wins (OIDC Core §6.3.3)
	}
	return out, nil
}

// pulled uses a pushed request up.
func (s *Server) pulled(ctx context.Context, client *clients.Client, id, iss string) (form url.Values, err error) {
	var verdict error
	err = s.store.Update(ctx, func(tx store.Tx) error {
		p, err := pushedRequests.Get(tx, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			verdict = problem.PARUnknown.Of()
			return nil
		case err != nil:
			return err
		case p.Client != client.ID || p.Issuer != iss:
			verdict = problem.PAROtherClient.Got(client.ID)
			return nil
		}
		form = p.Form
		return pushedRequests.Delete(tx, id)
	})
	return form, errors.Join(err, verdict)
}

// signatures are the algorithms of request objects: asymmetric ones only.
var signatures = []jose.SignatureAlgorithm{
	jose.RS256,
	jose.RS384,
	jose.RS512,
	jose.PS256,
	jose.PS384,
	jose.PS512,
	jose.ES256,
	jose.ES384,
	jose.ES512,
}

// unsigned tells an object with alg none, which no key can vouch for.
func unsigned(object string) bool { return strings.HasSuffix(object, ".") }

// requestObject verifies an object with the client's registered keys — never
// one that the header names or brings — and returns its parameters.
func (s *Server) requestObject(client *clients.Client, object, iss string) (url.Values, error) {
	if len(object) > 1<<14 {
		return nil, errors.New("longer than 16 KiB")
	}
	jws, err := jose.ParseSignedCompact(object, signatures)
	if err != nil {
		return nil, err
	}
	payload, err := verifiedBy(client.JWKS, jws)
	if err != nil {
		return nil, err
	}
	claims := map[string]any{}
	if err := strictjson.Unmarshal(payload, &claims); err != nil { // refuses duplicate members
		return nil, err
	}
	if err := s.objectInForce(client, claims, iss); err != nil {
		return nil, err
	}
	out := url.Values{}
	for name, value := range claims {
		switch v := value.(type) {
		case string:
			out.Set(name, v)
		case float64:
			out.Set(name, fmt.Sprint(int64(v)))
		case map[string]any:
			raw, _ := json.Marshal(v)
			out.Set(name, string(raw))
		}
	}
	for _, name := range []string{"iss", "aud", "exp", "nbf", "iat", "jti"} {
		out.Del(name)
	}
	return out, nil
}

func verifiedBy(set *jose.JSONWebKeySet, jws *jose.JSONWebSignature) ([]byte, error) {
	kid := jws.Signatures[0].Header.KeyID
	for _, k := range set.Keys {
		if kid == "" || k.KeyID == kid {
			if payload, err := jws.Verify(k.Key); err == nil {
				return payload, nil
			}
		}
	}
	return nil, errors.New("no registered key verifies the signature")
}

func (s *Server) objectInForce(client *clients.Client, claims map[string]any, iss string) error {
	now := float64(s.clock.Now().Unix())
	if id, ok := claims["client_id"]; ok && id != client.ID {
		return fmt.Errorf("client_id is %v", id)
	}
	if from, ok := claims["iss"]; ok && from != client.ID {
		return fmt.Errorf("iss is %v", from)
	}
	if aud, ok := claims["aud"]; ok && !holds(aud, iss) {
		return fmt.Errorf("aud is %v", aud)
	}
	if exp, ok := claims["exp"].(float64); ok && now >= exp {
		return errors.New("it has expired")
	}
	if nbf, ok := claims["nbf"].(float64); ok && now < nbf {
		return errors.New("it is not valid yet")
	}
	if claims["request"] != nil || claims["request_uri"] != nil {
		return errors.New("it holds another request")
	}
	return nil
}

func holds(aud any, iss string) bool {
	if list, ok := aud.([]any); ok {
		for _, a := range list {
			if a == iss {
				return true
			}
		}
		return false
	}
	return aud == iss
}
