package oidc

import (
	"context"
	"errors"
	"regexp"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"

	"pscemu.invalid/pscemu/internal/problem"
)

// fosite gives one error for several causes, and tells them apart by words that
// are its own to change. So each of its handlers is wrapped here: what it refuses
// is known by the type of the error and by the handler it comes from, and the
// cause is judged by the facts that fosite judged, in its order.

// handler is what fosite's handlers of a grant are.
type handler = fosite.TokenEndpointHandler

// grantFactories make the handlers of the token endpoint. Each of fosite's own
// passes through within before it is wrapped.
func (p *Provider) grantFactories(within func(handler) handler) []compose.Factory {
	wrap := func(made compose.Factory, as func(handler, fosite.AuthorizeEndpointHandler) any) compose.Factory {
		return func(c fosite.Configurator, storage, strategy any) any {
			h := made(c, storage, strategy)
			inFront, _ := h.(fosite.AuthorizeEndpointHandler)
			return as(within(h.(handler)), inFront)
		}
	}
	own := func(h any) compose.Factory { return func(fosite.Configurator, any, any) any { return h } }
	return []compose.Factory{
		wrap(compose.OAuth2AuthorizeExplicitFactory, func(h handler, inFront fosite.AuthorizeEndpointHandler) any {
			return &codeGrant{h, inFront, p.storage}
		}),
		wrap(compose.OAuth2RefreshTokenGrantFactory, func(h handler, _ fosite.AuthorizeEndpointHandler) any {
			return &refreshGrant{h, p.storage, p.strategy}
		}),
		wrap(compose.OAuth2PKCEFactory, func(h handler, inFront fosite.AuthorizeEndpointHandler) any {
			return &pkceProof{h, inFront, p.storage}
		}),
		own(&cibaGrant{p}),
		own(&response{p.strategy}),
	}
}

// refusedByFosite tells a refusal of fosite's from a failure, from an error of
// ours that passed through it, and from a grant that is another handler's.
func refusedByFosite(err error) bool {
	var ours *problem.Error
	var e *fosite.RFC6749Error
	return !errors.As(err, &ours) && errors.As(err, &e) &&
		e.ErrorField != fosite.ErrServerError.ErrorField && e.ErrorField != fosite.ErrUnknownRequest.ErrorField
}

// explained has fosite judge a request, and gives the cause of what it refuses.
func explained(
	ctx context.Context,
	r fosite.AccessRequester,
	by handler,
	cause func(context.Context, fosite.AccessRequester) *Refusal,
) error {
	err := by.HandleTokenEndpointRequest(ctx, r)
	if refusedByFosite(err) {
		return cause(ctx, r)
	}
	return err
}

// codeGrant is fosite's handler of the grant authorization_code, explained.
type codeGrant struct {
	handler
	fosite.AuthorizeEndpointHandler
	storage *storage
}

// HandleTokenEndpointRequest judges the code.
func (g *codeGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	return explained(ctx, r, g.handler, g.cause)
}

// PopulateTokenEndpointResponse uses the code up. Of two requests at once the
// store stops the second.
func (g *codeGrant) PopulateTokenEndpointResponse(
	ctx context.Context,
	r fosite.AccessRequester,
	w fosite.AccessResponder,
) error {
	err := g.handler.PopulateTokenEndpointResponse(ctx, r, w)
	switch {
	case errors.Is(err, fosite.ErrInvalidatedAuthorizeCode):
		return codeUsed()
	case refusedByFosite(err):
		return codeUnknown()
	}
	return err
}

func (g *codeGrant) cause(ctx context.Context, r fosite.AccessRequester) *Refusal {
	form := r.GetRequestForm()
	kept, err := g.storage.GetAuthorizeCodeSession(ctx, form.Get("code"), nil)
	switch {
	case errors.Is(err, fosite.ErrInvalidatedAuthorizeCode):
		return codeUsed()
	case err != nil:
		return codeUnknown()
	case kept.GetClient().GetID() != r.GetClient().GetID():
		return refuse(problem.CodeOtherClient.Of())
	case kept.GetRequestForm().Get("redirect_uri") != form.Get("redirect_uri"):
		return refuse(problem.RedirectURIOther.Of())
	}
	return codeUnknown()
}

func codeUnknown() *Refusal {
	return refuse(problem.CodeUnknown.Case("gone"))
}

func codeUsed() *Refusal {
	return refuse(problem.CodeUsed.Of())
}

// pkceProof is fosite's handler of PKCE (RFC 7636 §4.6), explained.
type pkceProof struct {
	handler
	fosite.AuthorizeEndpointHandler
	storage *storage
}

// HandleTokenEndpointRequest judges the code_verifier.
func (g *pkceProof) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	return explained(ctx, r, g.handler, g.cause)
}

// outsideVerifier is what a code_verifier must not hold (RFC 7636 §4.1).
var outsideVerifier = regexp.MustCompile(`[^A-Za-z0-9\-._~]`)

func (g *pkceProof) cause(ctx context.Context, r fosite.AccessRequester) *Refusal {
	form := r.GetRequestForm()
	verifier := form.Get("code_verifier")
	_, err := g.storage.GetPKCERequestSession(ctx, form.Get("code"), nil)
	switch {
	case errors.Is(err, fosite.ErrNotFound):
		return refuse(problem.PKCEVerifierUnasked.Of())
	case verifier == "":
		return refuse(problem.PKCEVerifierMissing.Of())
	case len(verifier) < 43:
		return refuse(problem.PKCEVerifierMalformed.Of())
	case len(verifier) > 128:
		return refuse(problem.PKCEVerifierMalformed.Case("long"))
	case outsideVerifier.MatchString(verifier):
		return refuse(problem.PKCEVerifierMalformed.Case("character"))
	}
	return refuse(problem.PKCEVerifierWrong.Of())
}

// refreshGrant is fosite's handler of the grant refresh_token, explained.
type refreshGrant struct {
	handler
	storage  *storage
	strategy *strategy
}

// HandleTokenEndpointRequest judges the refresh token.
func (g *refreshGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	err := g.handler.HandleTokenEndpointRequest(ctx, r)
	switch {
	case !refusedByFosite(err):
		return err
	case errors.Is(err, fosite.ErrInactiveToken):
		return refuse(problem.RefreshReused.Of())
	}
	return g.cause(ctx, r)
}

// PopulateTokenEndpointResponse rotates the refresh token. What is refused now was
// good a moment ago.
func (g *refreshGrant) PopulateTokenEndpointResponse(
	ctx context.Context,
	r fosite.AccessRequester,
	w fosite.AccessResponder,
) error {
	err := g.handler.PopulateTokenEndpointResponse(ctx, r, w)
	if refusedByFosite(err) {
		return refuse(problem.RefreshReused.Of())
	}
	return err
}

func (g *refreshGrant) cause(ctx context.Context, r fosite.AccessRequester) *Refusal {
	refresh := r.GetRequestForm().Get("refresh_token")
	kept, err := g.storage.GetRefreshTokenSession(ctx, g.strategy.RefreshTokenSignature(ctx, refresh), nil)
	if err == nil && g.strategy.ValidateRefreshToken(ctx, kept, refresh) == nil &&
		kept.GetClient().GetID() != r.GetClient().GetID() {
		return refuse(problem.RefreshInvalid.Of())
	}
	return refuse(problem.RefreshInvalid.Case("other"))
}
