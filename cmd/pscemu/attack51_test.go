package main

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestAttack51SecretsUnderOddNamesAreMaskedEverywhere(t *testing.T) {
	var log bytes.Buffer
	s := bootLogging(t, t.TempDir(), &log, "--log-level", "debug")
	rp := testkit.NewRelyingParty(s.Server, s.DemoCertificate())
	tok := rp.Tokens(testkit.Doctor, "n")
	code := rp.Login(testkit.Nurse).Get("code")
	signature := func(jwt string) string { return jwt[strings.LastIndexByte(jwt, '.')+1:] }
	secrets := map[string]string{
		"access token":  signature(tok.AccessToken),
		"refresh token": signature(tok.RefreshToken),
		"code":          code,
		"client secret": s.DemoClient.ClientSecret,
		"opaque":        "opaque-thing-4711",
		"cookie":        "cookie-value-0815",
		"password":      "hunter2-in-the-url",
	}
	jwtAndMore := url.Values{
		"token ":        {tok.AccessToken},
		"Refresh_Token": {tok.RefreshToken},
		"refresh-token": {"opaque-thing-4711"},
		"ACCESS TOKEN":  {tok.AccessToken},
		"foo":           {s.DemoClient.ClientSecret},
		"bar":           {"see opaque-thing-4711"},
		"x":             {`{"a":{"Refresh_Token":"opaque-thing-4711","b":["` + tok.AccessToken + `"]}}`},
		"next": {
			"https://app.example/#access_token=" + tok.AccessToken + "&Code=" + code,
		},
		"grant_type":    {"authorization_code"},
		"client_id":     {"demo"},
		"client_secret": {s.DemoClient.ClientSecret},
		"redirect_uri":  {testkit.CallbackURL},
		"code":          {code},
	}
	var ids []string
	last := func() {
		var list struct{ Items []struct{ ID string } }
		s.API("GET", "/logins?limit=50", "", &list)
		for _, l := range list.Items {
			ids = append(ids, l.ID)
		}
	}
	send := func(method, at, body string, header map[string]string) {
		t.Helper()
		req, err := http.NewRequest(method, at, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body != "" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for name, value := range header {
			req.Header.Set(name, value)
		}
		resp, err := s.HTTP(s.DemoCertificate()).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	odd := map[string]string{
		"Cookie":              "JSESSION=cookie-value-0815; other=cookie-value-0815",
		"X-Auth-Token":        "opaque-thing-4711",
		"X-Whatever":          tok.AccessToken,
		"Referer":             "https://user:hunter2-in-the-url@app.example/?Token=" + tok.AccessToken,
		"Proxy-Authorization": "Digest opaque-thing-4711",
	}
	send(
		"POST",
		s.Issuer+"/protocol/openid-connect/token?Code="+url.QueryEscape(code)+"&y="+url.QueryEscape(tok.RefreshToken),
		jwtAndMore.Encode(),
		odd,
	)
	send(
		"GET",
		s.Issuer+"/protocol/openid-connect/userinfo?access_token="+tok.AccessToken,
		"",
		map[string]string{"Authorization": "DPoP " + tok.AccessToken, "X-Api-Key": "opaque-thing-4711"},
	)
	send(
		"POST",
		s.Issuer+"/protocol/openid-connect/revoke",
		url.Values{"Token": {tok.AccessToken}, "client_id": {"demo"}}.Encode(),
		map[string]string{
			"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("demo:"+s.DemoClient.ClientSecret)),
		},
	)
	send(
		"GET",
		s.BaseURL+"/auth?"+url.Values{
			"response_type": {"code"},
			"client_id":     {"demo"},
			"scope":         {"openid"},
			"redirect_uri":  {testkit.CallbackURL + "?Token%20=" + tok.AccessToken + "#id_token=" + tok.AccessToken},
			"login_hint":    {tok.AccessToken},
			"claims":        {`{"token":"opaque-thing-4711"}`},
		}.Encode(),
		"",
		odd,
	)
	send(
		"GET",
		s.BaseURL+"/auth?"+url.Values{
			"response_type": {"code"},
			"client_id":     {tok.AccessToken},
			"redirect_uri":  {testkit.CallbackURL},
		}.Encode(),
		"",
		nil,
	)
	last()
	if len(ids) < 5 {
		t.Fatalf("%d logins", len(ids))
	}
	shown := map[string]string{}
	for _, id := range ids {
		for _, at := range []string{
			s.APIURL + "/logins/" + id,
			s.APIURL + "/logins/" + id + "/har",
			s.ConsoleURL + "/logins/" + id,
			s.APIURL + "/logins/wait?login=" + id,
			s.ConsoleURL + "/logins",
		} {
			_, body := testkit.Visit{
				Method: "GET",
				At:     at,
				Header: map[string]string{"Authorization": "Bearer " + s.APIToken},
			}.Send(
				t,
			)
			shown[at] = body
		}
	}
	s.stop(os.Interrupt)
	shown["the log"] = log.String()
	seen := false
	for at, body := range shown {
		for name, secret := range secrets {
			if i := strings.Index(body, secret); i >= 0 {
				t.Errorf("%s shows the %s: …%.200s", at, name, body[max(0, i-100):])
			}
		}
		seen = seen || strings.Contains(body, "X-Whatever")
	}
	if !seen {
		t.Error("none shows the requests at all: the test looks at the wrong ones")
	}
}
