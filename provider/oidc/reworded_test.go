package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ory/fosite"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/clients"
	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/provider/wire"
)

// otherWords is a fosite whose errors say something else.
type otherWords struct{ fosite.TokenEndpointHandler }

func (o otherWords) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	return reworded(o.TokenEndpointHandler.HandleTokenEndpointRequest(ctx, r))
}

func (o otherWords) PopulateTokenEndpointResponse(
	ctx context.Context,
	r fosite.AccessRequester,
	w fosite.AccessResponder,
) error {
	return reworded(o.TokenEndpointHandler.PopulateTokenEndpointResponse(ctx, r, w))
}

// reworded keeps the type, the code and the cause of an error.
func reworded(err error) error {
	var e *fosite.RFC6749Error
	if !errors.As(err, &e) {
		return err
	}
	other := *e
	other.HintField = "The authorization code has already been used. Please retry the request." // of another case
	other.DescriptionField, other.DebugField = "Something else.", "Nothing."
	return &other
}

// grantBench is a token service with one person and two clients.
type grantBench struct {
	*Provider
	clock  *clock.Adjustable
	client *clients.Client
	person *identities.Identity
}

// newGrantBench makes one whose fosite is changed by within.
func newGrantBench(t *testing.T, within func(handler) handler) *grantBench {
	t.Helper()
	ctx, c := t.Context(), &clock.Adjustable{}
	s := store.NewMemory(c)
	loaded, err := config.Load(nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	live := config.NewLive(loaded)
	b := &grantBench{clock: c, client: &clients.Client{ID: "app", RedirectURIs: []string{"https://app.example/cb"}},
		person: &identities.Personas()[0].Identity}
	registry, people := clients.New(s, live), identities.New(s)
	authenticate := func(r *http.Request, form url.Values) (*clients.Client, error) {
		return registry.Get(r.Context(), form.Get("client_id"))
	}
	cfg := &Config{Issuer: "https://i", Clock: c, Settings: live, People: people, Faults: &faults.Set{}}
	b.Provider, err = New(ctx, cfg, s, registry, authenticate)
	err = errors.Join(err, people.Put(ctx, b.person), registry.Put(ctx, b.client),
		registry.Put(ctx, &clients.Client{ID: "other", RedirectURIs: b.client.RedirectURIs}))
	if err != nil {
		t.Fatal(err)
	}
	b.compose(authenticate, within)
	return b
}

const (
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	proof    = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// code logs the person in; the client sends a challenge, "" for none.
func (b *grantBench) code(t *testing.T, challenge string) string {
	t.Helper()
	form := url.Values{"client_id": {"app"}, "redirect_uri": {b.client.RedirectURIs[0]}, "scope": {"openid scope_all"},
		"response_type": {"code"}, "nonce": {"n"}}
	if challenge != "" {
		form.Set("code_challenge", challenge)
		form.Set("code_challenge_method", "S256")
	}
	who := Authentication{LoginID: "l", Person: b.person, AuthMode: identities.AuthModeMobile, Time: b.clock.Now()}
	g, err := b.Finish(t.Context(), b.client, form, who, "eidas1", nil)
	if err != nil {
		t.Fatal(err)
	}
	return g.Code
}

// ask sends a token request; each pair is a name and a value.
func (b *grantBench) ask(grant string, pairs ...string) (*TokenResponse, error) {
	form := url.Values{"grant_type": {grant}, "client_id": {"app"}}
	if grant == clients.AuthorizationCode {
		form.Set("redirect_uri", b.client.RedirectURIs[0])
	}
	for n := 0; n < len(pairs); n += 2 {
		form.Set(pairs[n], pairs[n+1])
	}
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	out, _, err := b.Token(r)
	return out, err
}

// refresh logs in and exchanges the code: it returns the refresh token.
func (b *grantBench) refresh(t *testing.T) string {
	t.Helper()
	out, err := b.ask(clients.AuthorizationCode, "code", b.code(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	return out.RefreshToken
}

// refusals are what the token endpoint refuses: how it comes to that, our
// reason, and the answer that Keycloak gives.
var refusals = []struct {
	name      string
	try       func(t *testing.T, b *grantBench) error
	situation Situation
	reason    string
	answer    string // error and error_description
}{
	{"an unknown code", func(_ *testing.T, b *grantBench) error {
		_, err := b.ask(clients.AuthorizationCode, "code", "unknown")
		return err
	}, CodeUnknown, "no such code, or it is long gone", "invalid_grant Code not valid"},
	{"a code twice", func(t *testing.T, b *grantBench) error {
		code := b.code(t, "")
		if _, err := b.ask(clients.AuthorizationCode, "code", code); err != nil {
			t.Fatal(err)
		}
		_, err := b.ask(clients.AuthorizationCode, "code", code)
		return err
	}, CodeUsed, "the code was used before; the tokens issued from it are revoked now", "invalid_grant Code not valid"},
	{"another client's code", func(t *testing.T, b *grantBench) error {
		_, err := b.ask(clients.AuthorizationCode, "code", b.code(t, ""), "client_id", "other")
		return err
	}, OtherClient, "the code was issued to another client",
		"invalid_grant Auth error: Found different client_id in clientSession"},
	{"another redirect_uri", func(t *testing.T, b *grantBench) error {
		_, err := b.ask(clients.AuthorizationCode, "code", b.code(t, ""), "redirect_uri", "https://app.example/other")
		return err
	}, OtherRedirect, "the redirect_uri differs from the authorize request's", "invalid_grant Incorrect redirect_uri"},
	{"no verifier", func(t *testing.T, b *grantBench) error {
		_, err := b.ask(clients.AuthorizationCode, "code", b.code(t, proof))
		return err
	}, VerifierMissing, "the authorize request held a code_challenge, but no code_verifier came",
		"invalid_grant PKCE code verifier not specified"},
	{"a short verifier", func(t *testing.T, b *grantBench) error {
		_, err := b.ask(clients.AuthorizationCode, "code", b.code(t, proof), "code_verifier", "short")
		return err
	}, VerifierMalformed, "the code_verifier is shorter than 43 characters",
		"invalid_grant PKCE verification failed: Invalid code verifier"},
	{"a long verifier", func(t *testing.T, b *grantBench) error {
		_, err := b.ask(clients.AuthorizationCode, "code", b.code(t, proof), "code_verifier", strings.Repeat("x", 129))
		return err
	}, VerifierMalformed, "the code_verifier is longer than 128 characters",
		"invalid_grant PKCE verification failed: Invalid code verifier"},
	{"a verifier with a space", func(t *testing.T, b *grantBench) error {
		_, err := b.ask(clients.AuthorizationCode, "code", b.code(t, proof), "code_verifier", verifier+" ")
		return err
	}, VerifierMalformed, "the code_verifier holds a character that is not allowed",
		"invalid_grant PKCE verification failed: Invalid code verifier"},
	{"another verifier", func(t *testing.T, b *grantBench) error {
		_, err := b.ask(clients.AuthorizationCode, "code", b.code(t, proof), "code_verifier", strings.Repeat("x", 43))
		return err
	}, VerifierWrong, "the code_verifier does not match the code_challenge",
		"invalid_grant PKCE verification failed: Code mismatch"},
	{"a verifier without a challenge", func(t *testing.T, b *grantBench) error {
		_, err := b.ask(clients.AuthorizationCode, "code", b.code(t, ""), "code_verifier", verifier)
		return err
	}, VerifierUnasked, "a code_verifier came, but the authorize request held no code_challenge",
		"invalid_grant PKCE code verifier specified but challenge not present in authorization"},
	{"a garbage refresh token", func(_ *testing.T, b *grantBench) error {
		_, err := b.ask(clients.RefreshToken, "refresh_token", "garbage")
		return err
	}, RefreshInvalid, "this is no refresh token made here, it has expired, or its session has ended",
		"invalid_grant Invalid refresh token"},
	{"another client's refresh token", func(t *testing.T, b *grantBench) error {
		_, err := b.ask(clients.RefreshToken, "refresh_token", b.refresh(t), "client_id", "other")
		return err
	}, RefreshInvalid, "the refresh token was issued to another client", "invalid_grant Invalid refresh token"},
	{"an expired refresh token", func(t *testing.T, b *grantBench) error {
		token := b.refresh(t)
		if err := b.clock.Advance(365 * 24 * time.Hour); err != nil {
			t.Fatal(err)
		}
		_, err := b.ask(clients.RefreshToken, "refresh_token", token)
		return err
	}, RefreshInvalid, "this is no refresh token made here, it has expired, or its session has ended",
		"invalid_grant Invalid refresh token"},
	{"a refresh token that was rotated away", func(t *testing.T, b *grantBench) error {
		token := b.refresh(t)
		if _, err := b.ask(clients.RefreshToken, "refresh_token", token); err != nil {
			t.Fatal(err)
		}
		_, err := b.ask(clients.RefreshToken, "refresh_token", token)
		return err
	}, RefreshReused, "this refresh token was rotated away before; its whole family is revoked now",
		"invalid_grant Session doesn't have required client"},
}

func TestRefusalsOfFositeAreKnownByTypeWhateverTheirWords(t *testing.T) {
	for name, within := range map[string]func(handler) handler{
		"fosite's words": func(h handler) handler { return h },
		"other words":    func(h handler) handler { return otherWords{h} },
	} {
		t.Run(name, func(t *testing.T) {
			b := newGrantBench(t, within)
			for _, c := range refusals {
				err := c.try(t, b)
				var refusal *Refusal
				if !errors.As(err, &refusal) {
					t.Errorf("%s: %v", c.name, err)
					continue
				}
				a := wire.Of(string(refusal.Situation))
				if refusal.Situation != c.situation || refusal.Problem.Reason != c.reason || a.Error+" "+a.Text != c.answer {
					t.Errorf("%s: %s, %q, %s %s", c.name, refusal.Situation, refusal.Problem.Reason, a.Error, a.Text)
				}
			}
		})
	}
}
