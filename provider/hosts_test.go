package provider_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"pscemu.invalid/pscemu/internal/testkit"
)

// underHosts is a client machine whose hosts file leads every name here.
func underHosts(s *testkit.Server, c *http.Client) *http.Client {
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Listen)
	}
	return c
}

const realIssuer = "https://auth.bas.psc.esante.gouv.fr/auth/realms/esante-wallet"

func TestAClientWithTheRealHostNamesHardCodedLogsInUnmodified(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "hosts=psc.test")
	for issuer, authorize := range map[string]string{
		realIssuer: "https://wallet.bas.psc.esante.gouv.fr/auth",
		"https://auth.esw.esante.gouv.fr/auth/realms/esante-wallet": "https://wallet.esw.esante.gouv.fr/auth",
		"https://auth.bas.esw.esante.gouv.fr:8443/auth/realms/esante-wallet": "" +
			"https://wallet.bas.esw.esante.gouv.fr:8443/auth",
		"https://psc.test/auth/realms/esante-wallet": "https://psc.test/auth",
	} {
		t.Run(issuer, func(t *testing.T) {
			ctx := oidc.ClientContext(context.Background(), underHosts(s, s.HTTP(s.DemoCertificate())))
			p, err := oidc.NewProvider(ctx, issuer)
			if err != nil {
				t.Fatal(err)
			}
			if p.Endpoint().AuthURL != authorize || p.Endpoint().TokenURL != issuer+"/protocol/openid-connect/token" {
				t.Errorf("endpoints %+v", p.Endpoint())
			}
			conf := oauth2.Config{
				ClientID:    "demo",
				RedirectURL: testkit.CallbackURL,
				Scopes:      []string{"openid", "scope_all"},
				Endpoint:    p.Endpoint(),
			}
			conf.Endpoint.AuthStyle = oauth2.AuthStyleInParams
			resp, err := underHosts(s, s.HTTP(nil)).
				Get(conf.AuthCodeURL("st", oauth2.SetAuthURLParam("login_hint", "auto:"+testkit.Nurse)))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			back, err := resp.Location()
			if err != nil || back.Query().Get("iss") != issuer {
				t.Fatalf("callback %v %v", back, err)
			}
			tok, err := conf.Exchange(ctx, back.Query().Get("code"))
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := tok.Extra("id_token").(string)
			if _, err := p.Verifier(&oidc.Config{ClientID: "demo", Now: testkit.Now}).Verify(ctx, raw); err != nil {
				t.Fatal(err)
			}
			if info, err := p.UserInfo(
				ctx,
				oauth2.StaticTokenSource(tok),
			); err != nil ||
				!strings.HasSuffix(info.Subject, testkit.Nurse) {
				t.Fatalf("UserInfo %v %v", info, err)
			}
		})
	}
}

// The whole way by the pages of the wallet host: redirects never leave it.
func TestTheLoginPagesStayOnTheRealWalletHost(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	c := underHosts(s, s.Browser())
	c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Hostname() == "localhost" && r.URL.Port() == "5555" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	resp, err := c.Get(
		"https://wallet.bas.psc.esante.gouv.fr/auth?" + url.Values{
			"response_type": {"code"},
			"client_id":     {"demo"},
			"redirect_uri":  {testkit.CallbackURL},
			"scope":         {"openid"},
		}.Encode(),
	)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if u := resp.Request.URL; u.Host != "wallet.bas.psc.esante.gouv.fr" || !strings.HasPrefix(u.Path, "/login/") {
		t.Fatalf("login page at %s", u)
	}
	resp, err = c.PostForm(resp.Request.URL.String()+"/test", url.Values{"identity": {testkit.Nurse}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil || back.Query().Get("iss") != realIssuer {
		t.Errorf("callback %v %v", back, err)
	}
	resp, err = c.Get(realIssuer + "/protocol/openid-connect/logout")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page, _ := io.ReadAll(
		resp.Body,
	); resp.Request.URL.Host != "wallet.bas.psc.esante.gouv.fr" ||
		!strings.Contains(string(page), "confirm-logout") {
		t.Errorf("logout without hint: %s", resp.Request.URL)
	}
}

func TestAttack6TwoIssuersNeverAcceptEachOthersCodesOrTokens(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rp := testkit.NewRelyingParty(s, s.DemoCertificate())
	c := underHosts(s, s.HTTP(s.DemoCertificate()))
	ask := func(endpoint string, form url.Values) (out map[string]any) {
		resp, err := c.PostForm(realIssuer+"/protocol/openid-connect/"+endpoint, form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	code := rp.Login(testkit.Nurse).Get("code")
	if a := ask(
		"token",
		url.Values{
			"grant_type":   {"authorization_code"},
			"client_id":    {"demo"},
			"code":         {code},
			"redirect_uri": {testkit.CallbackURL},
		},
	); a["error"] != "invalid_grant" {
		t.Errorf("code of the other issuer: %v", a)
	}
	tok := rp.Tokens(testkit.Nurse, "")
	if a := ask(
		"token",
		url.Values{"grant_type": {"refresh_token"}, "client_id": {"demo"}, "refresh_token": {tok.RefreshToken}},
	); a["error"] != "invalid_grant" {
		t.Errorf("refresh token of the other issuer: %v", a)
	}
	if a := ask(
		"token/introspect",
		url.Values{"client_id": {"demo"}, "token": {tok.AccessToken}},
	); a["active"] != false {
		t.Errorf("introspection of the other issuer's token: %v", a)
	}
	if a := ask("userinfo", url.Values{"access_token": {tok.AccessToken}}); a["error"] != "invalid_token" {
		t.Errorf("UserInfo with the other issuer's token: %v", a)
	}
	if a := s.Introspect(tok.AccessToken); a["active"] != true {
		t.Errorf("its own issuer refuses it now: %v", a)
	}
}
