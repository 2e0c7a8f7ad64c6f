package provider_test

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/testkit"
)

func TestOneSessionServesSilentlyUntilAskedOtherwise(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	c := s.Browser()
	ask := func(extra string) (where string, back url.Values) {
		resp, err := c.Get(
			s.BaseURL + "/auth?response_type=code&client_id=demo&scope=openid&redirect_uri=" + url.QueryEscape(
				testkit.CallbackURL,
			) + extra,
		)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if to, err := resp.Location(); err == nil {
			return "callback", to.Query()
		}
		return "page", nil
	}
	authTime := func(code string) float64 {
		_, a := s.Post(
			"token",
			url.Values{
				"grant_type":   {"authorization_code"},
				"client_id":    {"demo"},
				"code":         {code},
				"redirect_uri": {testkit.CallbackURL},
			},
		)
		_, payload := testkit.JWTParts(t, a["id_token"].(string))
		var claims map[string]any
		if err := json.Unmarshal([]byte(payload), &claims); err != nil {
			t.Fatal(err)
		}
		return claims["auth_time"].(float64)
	}
	if _, back := ask("&prompt=none"); back.Get("error") != "login_required" {
		t.Fatalf("no session yet: %v", back)
	}
	_, back := ask("&login_hint=auto:" + testkit.Nurse)
	first, sid := authTime(back.Get("code")), back.Get("session_state")
	s.API("PUT", "/clock", `{"offset":"1m"}`, nil)
	if _, back = ask("&prompt=none"); back.Get("session_state") != sid || authTime(back.Get("code")) != first {
		t.Errorf("silent login: %v", back)
	}
	if where, _ := ask("&max_age=10000"); where != "callback" {
		t.Error("max_age=10000 forced a login")
	}
	if where, _ := ask("&max_age=1"); where != "page" {
		t.Error("max_age=1 did not force a login")
	}
	if where, _ := ask("&prompt=login"); where != "page" {
		t.Error("prompt=login did not force a login")
	}
	s.API("PUT", "/clock", `{"offset":"5h"}`, nil)
	if where, _ := ask(""); where != "page" {
		t.Error("the session outlived its four hours")
	}
}

func TestEveryToleranceOfAClientInTheField(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	cert := s.DemoCertificate()
	code := func(params string) string {
		resp, err := s.HTTP(nil).
			Get(s.BaseURL + "/auth?response_type=code&client_id=demo&login_hint=auto:" + testkit.Nurse +
				"&redirect_uri=" + url.QueryEscape(testkit.CallbackURL) + params)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		to, err := resp.Location()
		if err != nil {
			t.Fatal(err)
		}
		return to.Query().Get("code")
	}
	token := func(path, code string, change func(*http.Request, url.Values)) (int, string) {
		form := url.Values{
			"grant_type":   {"authorization_code"},
			"client_id":    {"demo"},
			"code":         {code},
			"redirect_uri": {testkit.CallbackURL},
		}
		header := http.Header{}
		probe := &http.Request{Header: header}
		change(probe, form)
		req, _ := http.NewRequest(http.MethodPost, s.BaseURL+path, strings.NewReader(form.Encode()))
		req.Header = header
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := s.HTTP(cert).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	const tokenPath = "/auth/realms/esante-wallet/protocol/openid-connect/token"
	none := func(*http.Request, url.Values) {}
	basic := func(secret string) func(*http.Request, url.Values) {
		return func(r *http.Request, f url.Values) {
			r.SetBasicAuth("demo", s.DemoClient.ClientSecret)
			f.Set("client_secret", secret)
		}
	}
	for name, c := range map[string]struct {
		authorize, path string
		change          func(*http.Request, url.Values)
		status          int
	}{
		"no state, no nonce, scope_all alone": {"&scope=scope_all", tokenPath, none, 200},
		"openid email profile":                {"&scope=openid+email+profile", tokenPath, none, 200},
		"unknown parameters":                  {"&scope=openid&acr=eidas1&extra=foobar", tokenPath, none, 200},
		"double slash": {
			"&scope=openid", strings.Replace(tokenPath, "/token", "//token", 1), none, 200,
		},
		"scope at the token endpoint": {
			"&scope=openid", tokenPath, func(_ *http.Request, f url.Values) { f.Set("scope", "openid scope_all") }, 200,
		},
		"stray client_id header": {
			"&scope=openid", tokenPath, func(r *http.Request, _ url.Values) { r.Header.Set("client_id", "demo") }, 200,
		},
		"Basic and body agreeing":    {"&scope=openid", tokenPath, basic(s.DemoClient.ClientSecret), 200},
		"Basic and body disagreeing": {"&scope=openid", tokenPath, basic("other"), 401},
		"forged forwarded certificate, no harm": {
			"&scope=openid", tokenPath, func(r *http.Request, _ url.Values) { r.Header.Set("X-SSL-Client-Cert", "forged") },
			200,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if status, body := token(c.path, code(c.authorize), c.change); status != c.status {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	resp, err := s.HTTP(nil).
		PostForm(s.BaseURL+"/auth", url.Values{
			"response_type": {"code"}, "client_id": {"demo"}, "scope": {"openid"}, "redirect_uri": {testkit.CallbackURL},
			"login_hint": {"auto:" + testkit.Nurse},
		})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if !strings.Contains(resp.Header.Get("Location"), "code=") {
		t.Errorf("authorize by POST: %s", resp.Status)
	}
}

func TestAnAcrPolicyDecides(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string][2]string{
		"requested": {"eidas1", "eidas1"}, "eidas3": {"eidas3", "eidas3"},
		"card=eidas2,mobile=eidas1": {"eidas1", "eidas2"},
	} {
		s := testkit.Start(t, "acr="+policy)
		for i, means := range []string{"ecps", "card"} {
			q := testkit.NewRelyingParty(s, s.DemoCertificate()).Login(testkit.Nurse + ";means=" + means)
			_, tokens := s.Post("token", url.Values{
				"grant_type":   {"authorization_code"},
				"client_id":    {"demo"},
				"code":         {q.Get("code")},
				"redirect_uri": {testkit.CallbackURL},
			})
			_, out := testkit.JWTParts(t, tokens["id_token"].(string))
			if !strings.Contains(out, `"acr":"`+want[i]+`"`) {
				t.Errorf("%s, %s: %s", policy, means, out)
			}
		}
	}
}

func TestAPhoneThatDoesNotAnswerInTimeEndsOnAClearPage(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	c := s.Browser()
	resp, err := c.Get(
		s.BaseURL + "/auth?response_type=code&client_id=demo&scope=openid&redirect_uri=" +
			url.QueryEscape(testkit.CallbackURL),
	)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	page := resp.Request.URL.String()
	if resp, err = c.PostForm(page+"/ecps", url.Values{"login": {testkit.Asked}}); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	s.API("PUT", "/clock", `{"offset":"2m1s"}`, nil)
	if resp, err = c.Get(page + "/state"); err != nil {
		t.Fatal(err)
	}
	state, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp, err = c.Get(page + "/continue"); err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.Contains(string(state), "expired") || !strings.Contains(string(body), "répondu à temps") ||
		!strings.Contains(string(body), `data-testid="retry"`) {
		t.Errorf("%s\n%s", state, body)
	}
}

func TestWhatTheAPIShowsOfAPersonCanBeSentBack(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	path := "/identities/" + url.PathEscape(testkit.Staff)
	var person map[string]any
	if status := s.API(
		"GET",
		path,
		"",
		&person,
	); status != 200 || person["behaviour"] != "approve" ||
		person["name"] != "Maëlle L'HÉRITIER" {
		t.Fatalf("%d %v", status, person)
	}
	s.API(
		"PUT",
		"/identities/"+url.PathEscape(testkit.Staff)+"/ecps/behaviour",
		`{"action":"refuse","after":"3s"}`,
		nil,
	)
	s.API("GET", path, "", &person)
	person["notes"] = "changed"
	raw, _ := json.Marshal(person)
	var after map[string]any
	if status := s.API(
		"PUT",
		path,
		string(raw),
		&after,
	); status != 200 || after["notes"] != "changed" ||
		after["behaviour"] != "refuse 3s" {
		t.Errorf("%d %v", status, after)
	}
	if status := s.API("PUT", path, `{"national_id":"`+testkit.Staff+`","family_nam":"X"}`, nil); status != 400 {
		t.Errorf("an unknown key was taken: %d", status)
	}
}

// TestACardOfAConfiguredTrustAnchor makes a foreign authority, whose card the
// emulator has never seen.
func TestACardOfAConfiguredTrustAnchor(t *testing.T) {
	t.Parallel()
	now := time.Now()
	root := testkit.Signed(
		t,
		&x509.Certificate{
			Subject:               pkix.Name{CommonName: "TEST AC FOREIGN"},
			NotBefore:             now.Add(-time.Hour),
			NotAfter:              now.Add(time.Hour),
			IsCA:                  true,
			BasicConstraintsValid: true,
			KeyUsage:              x509.KeyUsageCertSign,
		},
		nil,
		nil,
	)
	ca, _ := x509.ParseCertificate(root.Certificate[0])
	card := testkit.Signed(
		t,
		&x509.Certificate{
			NotBefore:   now.Add(-time.Hour),
			NotAfter:    now.Add(time.Hour),
			KeyUsage:    x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			Subject: pkix.Name{
				Country: []string{"FR"},
				ExtraNames: []pkix.AttributeTypeAndValue{
					{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "899700218896"},
					{Type: asn1.ObjectIdentifier{2, 5, 4, 4}, Value: "DOC0021889"},
					{Type: asn1.ObjectIdentifier{2, 5, 4, 42}, Value: "KIT"},
				},
			},
			ExtraExtensions: []pkix.Extension{
				{Id: pki.ExtCategory, Value: []byte{asn1.TagOctetString, 1, pki.CategoryCard}},
				{Id: pki.ExtProduct, Value: []byte{asn1.TagOctetString, 2, '0', '0'}},
				{Id: pki.ExtProfession, Value: []byte{asn1.TagOctetString, 2, '1', '0'}},
			},
		},
		ca,
		root.PrivateKey.(crypto.Signer),
	)
	anchors := filepath.Join(t.TempDir(), "anchors.pem")
	if err := os.WriteFile(anchors, pki.EncodePEM("CERTIFICATE", ca.Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	if end := testkit.CardLogin(t, testkit.Start(t), card); !strings.Contains(end, "certificate-unknown-authority") {
		t.Errorf("without the anchor: %s", end)
	}
	s := testkit.Start(t, "trust-anchors="+anchors)
	if end := testkit.CardLogin(t, s, card); !strings.Contains(end, "code=") {
		t.Fatalf("with the anchor: %s", end)
	}
	var claims map[string]any
	s.API("GET", "/identities/899700218896/claims", "", &claims)
	if claims["family_name"] != "DOC0021889" || claims["SubjectRole"].([]any)[0] != "10^1.2.250.1.213.1.1.5.5" {
		t.Errorf("the derived account: %v", claims)
	}
	var cards struct {
		Items []struct {
			Type    string
			Foreign bool
		}
	}
	if s.API(
		"GET",
		"/cards?national_id=899700218896",
		"",
		&cards,
	); len(cards.Items) != 1 || !cards.Items[0].Foreign ||
		cards.Items[0].Type != "CPS" {
		t.Errorf("the card: %v", cards)
	}
}
