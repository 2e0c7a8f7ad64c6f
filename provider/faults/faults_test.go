package faults_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"pscemu.invalid/pscemu/internal/testkit"
	"pscemu.invalid/pscemu/provider/faults"
)

// attempt is what a client saw of one login.
type attempt struct {
	callback   url.Values
	status     int // of the token call
	broken     error
	tokens     map[string]any
	idToken    string
	verified   error // what a good library says of the id token
	claims     map[string]any
	header     map[string]any
	info       map[string]any
	infoBroken error
	took       time.Duration
}

// try logs the nurse in while a fault is in force, by hand, so that nothing a
// library hides is missed.
func try(s *testkit.Server, cert *tls.Certificate) (a attempt) {
	s.T.Helper()
	began := time.Now()
	rp := testkit.NewRelyingParty(s, cert)
	a.callback = rp.Login(testkit.Nurse, oauth2.SetAuthURLParam("nonce", "the-nonce"))
	a.status, a.tokens, a.broken = s.Realm(
		cert,
		"POST",
		"/token",
		url.Values{
			"grant_type":   {"authorization_code"},
			"client_id":    {"demo"},
			"code":         {a.callback.Get("code")},
			"redirect_uri": {testkit.CallbackURL},
		},
		"",
	)
	a.idToken, _ = a.tokens["id_token"].(string)
	verifier := rp.Provider.Verifier(&oidc.Config{ClientID: "demo", Now: testkit.Now})
	token, err := verifier.Verify(rp.Context, a.idToken)
	if a.verified = err; err == nil && token.Nonce != "the-nonce" {
		a.verified = errors.New("nonce")
	}
	if parts := strings.Split(a.idToken, "."); len(parts) == 3 {
		a.header, a.claims = part(parts[0]), part(parts[1])
	}
	access, _ := a.tokens["access_token"].(string)
	if access != "" {
		_, a.info, a.infoBroken = s.Realm(cert, "GET", "/userinfo", nil, access)
	}
	a.took = time.Since(began)
	return a
}

func part(encoded string) (out map[string]any) {
	raw, _ := base64.RawURLEncoding.DecodeString(encoded)
	_ = json.Unmarshal(raw, &out)
	return out
}

// sees tells, for each fault, that the client received just that.
var sees = map[string]func(a attempt) bool{
	"slow":      func(a attempt) bool { return a.took > 300*time.Millisecond && a.status == 200 },
	"status":    func(a attempt) bool { return a.status == 503 },
	"malformed": func(a attempt) bool { return a.status == 200 && a.broken != nil },
	"cut":       func(a attempt) bool { return a.broken != nil },

	"state-wrong":   func(a attempt) bool { return a.callback.Get("state") == "not-the-state-that-was-sent" },
	"state-missing": func(a attempt) bool { return !a.callback.Has("state") && a.callback.Has("code") },
	"iss-wrong":     func(a attempt) bool { return strings.Contains(a.callback.Get("iss"), "evil") },
	"iss-missing":   func(a attempt) bool { return !a.callback.Has("iss") && a.callback.Has("code") },
	"code-missing":  func(a attempt) bool { return !a.callback.Has("code") && !a.callback.Has("error") },
	"code-wrong":    func(a attempt) bool { return a.status == 400 },
	"callback-error": func(a attempt) bool {
		return a.callback.Get("error") == "access_denied" && !a.callback.Has("code")
	},
	"callback-server-error": func(a attempt) bool { return strings.Contains(a.callback.Get("error_description"), "<img") },

	"iss-in-token-wrong": func(a attempt) bool {
		return strings.Contains(fmt.Sprint(a.claims["iss"]), "evil") && a.verified != nil
	},
	"aud-wrong": func(a attempt) bool { return a.claims["aud"] == "another-client" && a.verified != nil },
	"aud-many":  func(a attempt) bool { return fmt.Sprint(a.claims["aud"]) == "[demo another-client]" },
	"azp-wrong": func(a attempt) bool {
		return a.claims["azp"] == "another-client" && a.claims["aud"] == "demo"
	},
	"nonce-wrong":            func(a attempt) bool { return a.claims["nonce"] != "the-nonce" && a.verified != nil },
	"nonce-missing-in-token": func(a attempt) bool { _, there := a.claims["nonce"]; return !there && a.verified != nil },
	"signature-wrong":        func(a attempt) bool { return a.claims["aud"] == "demo" && a.verified != nil },
	"payload-tampered": func(a attempt) bool {
		return a.claims["SubjectNameID"] == "990000000000" && a.verified != nil
	},
	"key-foreign": func(a attempt) bool { return a.header["kid"] != nil && a.verified != nil },
	"kid-unknown": func(a attempt) bool {
		return a.header["kid"] == "a-key-nobody-published" && a.verified != nil
	},
	"alg-none":      func(a attempt) bool { return a.header["alg"] == "none" && a.verified != nil },
	"alg-hs256":     func(a attempt) bool { return a.header["alg"] == "HS256" && a.verified != nil },
	"key-in-header": func(a attempt) bool { return a.header["jwk"] != nil && a.verified != nil },
	"expired": func(a attempt) bool {
		return a.claims["exp"].(float64) < float64(time.Now().Unix()) && a.verified != nil
	},
	"exp-missing":     func(a attempt) bool { return a.claims["exp"] == nil && a.claims["sub"] != nil },
	"not-yet-valid":   func(a attempt) bool { return a.claims["nbf"].(float64) > float64(time.Now().Unix()+600) },
	"issued-long-ago": func(a attempt) bool { return a.claims["iat"].(float64) < float64(time.Now().Unix()-80000) },
	"sub-missing":     func(a attempt) bool { return a.claims["sub"] == nil && a.claims["exp"] != nil },
	"at-hash-wrong":   func(a attempt) bool { return a.claims["at_hash"] == "AAAAAAAAAAAAAAAAAAAAAA" },
	"acr-changed":     func(a attempt) bool { return a.claims["acr"] == "eidas0" },
	"auth-time-old": func(a attempt) bool {
		return a.claims["auth_time"].(float64) < float64(time.Now().Unix()-30000)
	},
	"id-token-garbage":   func(a attempt) bool { return a.idToken == "this is no token" },
	"id-token-encrypted": func(a attempt) bool { return strings.Count(a.idToken, ".") == 4 },
	"id-token-old":       func(a attempt) bool { return a.claims["nonce"] == "an-earlier-nonce" && a.verified != nil },

	"access-token-missing": func(a attempt) bool {
		return a.status == 200 && a.tokens["access_token"] == nil && a.idToken != ""
	},
	"id-token-missing": func(a attempt) bool {
		return a.status == 200 && a.tokens["id_token"] == nil && a.info != nil
	},
	"token-type-missing":       func(a attempt) bool { return a.tokens["token_type"] == nil && a.idToken != "" },
	"expires-in-missing":       func(a attempt) bool { return a.tokens["expires_in"] == nil && a.idToken != "" },
	"refresh-token-missing":    func(a attempt) bool { return a.tokens["refresh_token"] == nil && a.idToken != "" },
	"response-members-unknown": func(a attempt) bool { return a.tokens["x_unknown"] != nil && a.idToken != "" },

	"other-person": func(a attempt) bool {
		return a.info["SubjectNameID"] == "990000000000" && a.info["sub"] != a.claims["sub"]
	},
	"sub-missing-in-userinfo": func(a attempt) bool { return a.info["sub"] == nil && a.info["family_name"] != nil },
	"claims-missing": func(a attempt) bool {
		return a.info["SubjectRole"] == nil && a.info["sub"] == a.claims["sub"]
	},
	"types-wrong":    func(a attempt) bool { _, is := a.info["SubjectRole"].(string); return is },
	"claims-html":    func(a attempt) bool { return strings.Contains(fmt.Sprint(a.info["given_name"]), "<img") },
	"claims-long":    func(a attempt) bool { return len(fmt.Sprint(a.info["given_name"])) == 4000 },
	"claims-unicode": func(a attempt) bool { return strings.Contains(fmt.Sprint(a.info["given_name"]), "👩") },
	"rotated":        func(a attempt) bool { return a.verified == nil && a.header["kid"] != nil },
}

func TestAClientSeesEachFault(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	cert := s.DemoCertificate()
	before := try(s, cert)
	if before.verified != nil || before.status != 200 || before.infoBroken != nil {
		t.Fatalf("without a fault: %+v", before)
	}
	for _, kind := range faults.Table {
		t.Run(string(kind.Name), func(t *testing.T) {
			fault := faults.Fault{Kind: kind.Name, Identity: testkit.Nurse}
			if kind.Stage == faults.HTTP {
				fault.Endpoint, fault.Delay = faults.AtToken, map[faults.Kind]string{faults.KindSlow: "350ms"}[kind.Name]
			}
			s.API("PUT", "/faults", testkit.Encoded(t, map[string]any{"items": []faults.Fault{fault}}), nil)
			if kind.Name == faults.KindIDTokenOld { // it replays an earlier one
				s.API("PUT", "/faults", `{"items":[{"kind":"slow","endpoint":"par"}]}`, nil)
				rp := testkit.NewRelyingParty(s, cert)
				if _, err := rp.OAuth.Exchange(
					context.WithoutCancel(rp.Context),
					rp.Login(testkit.Nurse, oauth2.SetAuthURLParam("nonce", "an-earlier-nonce")).Get("code"),
				); err != nil {
					t.Fatal(err)
				}
				s.API("PUT", "/faults", testkit.Encoded(t, map[string]any{"items": []faults.Fault{fault}}), nil)
			}
			check := sees[string(kind.Name)]
			if check == nil {
				t.Fatal("no test knows what a client sees of it")
			}
			a := try(s, cert)
			if !check(a) {
				t.Errorf("the client saw %+v", a)
			}
			var left struct{ Items []faults.Fault }
			s.API("GET", "/faults", "", &left)
			if len(left.Items) != 1 || left.Items[0].Struck != 1 {
				t.Errorf("it struck %+v", left.Items)
			}
			// Another person's login is as it should be.
			if kind.Stage != faults.HTTP && kind.Name != faults.KindRotated {
				s.API(
					"PUT",
					"/faults",
					testkit.Encoded(t, map[string]any{"items": []faults.Fault{{Kind: kind.Name, Identity: testkit.Doctor}}}),
					nil,
				)
				if a := try(s, cert); a.verified != nil || a.infoBroken != nil {
					t.Errorf("a fault of another: %+v", a)
				}
			}
			s.API("DELETE", "/faults", "", nil)
		})
	}
}

// Faults that were ordered before the door was closed strike no more.
func TestAClosedDoorKeepsFaultsFromStriking(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.API("PUT", "/faults", `{"items":[{"kind":"nonce-wrong"},{"kind":"status","endpoint":"token"}]}`, nil)
	s.API("PATCH", "/doors", `{"faults":false}`, nil)
	if a := try(s, s.DemoCertificate()); a.verified != nil || a.status != 200 {
		t.Errorf("a fault struck: %+v", a)
	}
	s.API("PATCH", "/doors", `{"faults":true}`, nil)
	if a := try(s, s.DemoCertificate()); a.status != 503 {
		t.Errorf("the door is open again: %+v", a)
	}
}

func TestHTTPFaultsStrikeEveryEndpoint(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	paths := map[string]string{
		"discovery":     s.Discovery,
		"jwks":          s.Issuer + "/protocol/openid-connect/certs",
		"authorize":     s.BaseURL + "/auth",
		"token":         s.Issuer + "/protocol/openid-connect/token",
		"userinfo":      s.Issuer + "/protocol/openid-connect/userinfo",
		"introspection": s.Issuer + "/protocol/openid-connect/token/introspect",
		"revocation":    s.Issuer + "/protocol/openid-connect/revoke",
		"logout":        s.Issuer + "/protocol/openid-connect/logout",
		"ciba":          s.Issuer + "/protocol/openid-connect/ext/ciba/auth",
		"par":           s.Issuer + "/protocol/openid-connect/ext/par/request",
	}
	for _, endpoint := range faults.Endpoints {
		s.API("PUT", "/faults", `{"items":[{"kind":"status","endpoint":"`+string(endpoint)+`","status":418,"times":1}]}`, nil)
		for n, want := range []bool{true, false} { // once, as ordered
			ask := func() (*http.Response, error) {
				return s.HTTP(nil).PostForm(paths[string(endpoint)], url.Values{"x": {"y"}})
			}
			if endpoint == faults.AtDiscovery || endpoint == faults.AtJWKS {
				ask = func() (*http.Response, error) { return s.HTTP(nil).Get(paths[string(endpoint)]) }
			}
			resp, err := ask()
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if (resp.StatusCode == 418) != want {
				t.Errorf("%s, call %d: %d", endpoint, n+1, resp.StatusCode)
			}
		}
	}
	for body, want := range map[string]string{
		`{"items":[{"kind":"slowly"}]}`:                      "fault-unknown",
		`{"items":[{"kind":"slow","endpoint":"tokens"}]}`:    "fault-endpoint",
		`{"items":[{"kind":"alg-none","endpoint":"token"}]}`: "fault-endpoint",
		`{"items":[{"kind":"slow","delay":"long"}]}`:         "fault-delay",
		`{"items":[{"kind":"status","status":200}]}`:         "fault-status",
		`{"items":[{"kind":"slow","times":-1}]}`:             "fault-times",
	} {
		if got := s.CodeOf("PUT", "/faults", body); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}
