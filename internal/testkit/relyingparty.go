package testkit

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// CallbackURL is where the demo client is called back.
const CallbackURL = "http://localhost:5555/callback"

// RelyingParty is a vendor's application on golang.org/x/oauth2 and
// coreos/go-oidc, which know nothing of the emulator.
type RelyingParty struct {
	Server   *Server
	Context  context.Context
	Provider *oidc.Provider
	OAuth    oauth2.Config
}

// NewRelyingParty is the demo client, which presents this certificate.
func NewRelyingParty(s *Server, cert *tls.Certificate) *RelyingParty {
	s.T.Helper()
	ctx := oidc.ClientContext(context.Background(), s.HTTP(cert))
	p, err := oidc.NewProvider(ctx, s.Issuer)
	if err != nil {
		s.T.Fatal(err)
	}
	endpoint := p.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	return &RelyingParty{
		s,
		ctx,
		p,
		oauth2.Config{
			ClientID:    s.DemoClient.ClientID,
			Endpoint:    endpoint,
			RedirectURL: CallbackURL,
			Scopes:      []string{"openid", "scope_all"},
		},
	}
}

// Login logs in through the door and returns the callback's parameters.
func (rp *RelyingParty) Login(who string, options ...oauth2.AuthCodeOption) url.Values {
	rp.Server.T.Helper()
	options = append(
		options,
		oauth2.SetAuthURLParam("login_hint", "auto:"+who),
		oauth2.SetAuthURLParam("acr_values", "eidas1"),
	)
	resp, err := rp.Server.Browser().Get(rp.OAuth.AuthCodeURL("the-state|with.odd signs", options...))
	if err != nil {
		rp.Server.T.Fatal(err)
	}
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		rp.Server.T.Fatalf("no callback: %v (%s)", err, resp.Status)
	}
	return back.Query()
}

// Tokens logs a person in and exchanges the code.
func (rp *RelyingParty) Tokens(who string, nonce string) *oauth2.Token {
	rp.Server.T.Helper()
	verifier := oauth2.GenerateVerifier()
	q := rp.Login(who, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))
	t, err := rp.OAuth.Exchange(rp.Context, q.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		rp.Server.T.Fatal(err)
	}
	return t
}

// UserInfo logs a person in and returns what the relying party receives.
func (rp *RelyingParty) UserInfo(who string) []byte {
	rp.Server.T.Helper()
	req, _ := http.NewRequest(http.MethodGet, rp.Server.Issuer+"/protocol/openid-connect/userinfo", nil)
	rp.Tokens(who, "").SetAuthHeader(req)
	resp, err := rp.Server.HTTP(nil).Do(req)
	if err != nil {
		rp.Server.T.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		rp.Server.T.Fatalf("%s %s %v", resp.Status, body, err)
	}
	return body
}

// BearerStatus is what UserInfo says to a token.
func (s *Server) BearerStatus(token string) int {
	s.T.Helper()
	req, _ := http.NewRequest(http.MethodGet, s.Issuer+"/protocol/openid-connect/userinfo", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := s.HTTP(nil).Do(req)
	if err != nil {
		s.T.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
