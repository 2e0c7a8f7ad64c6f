package clients_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/testkit"
)

// authenticates tells why a certificate does not authenticate a client, "" when
// it does: then the refresh token is what is wrong.
func authenticates(s *testkit.Server, client string, cert *tls.Certificate) string {
	s.T.Helper()
	resp, err := s.HTTP(cert).PostForm(s.Issuer+"/protocol/openid-connect/token",
		url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {client}})
	if err != nil {
		s.T.Fatal(err)
	}
	answer := testkit.Text(s.T, resp)
	switch why := resp.Header.Get("Pscemu-Why"); {
	case strings.Contains(answer, "invalid_grant"):
		return ""
	case strings.Contains(answer, "invalid_client"):
		u, err := url.Parse(why)
		if err != nil || u.Path == "" {
			s.T.Fatalf("no reason in %q: %s", why, answer)
		}
		return u.Path[strings.LastIndex(u.Path, "/")+1:]
	}
	return answer
}

// ordered is a certificate that a structure's administrator ordered at the desk.
func ordered(d testkit.Desk, by, service string) (serial string, cert *tls.Certificate) {
	d.T.Helper()
	var issued struct{ Serial, Certificate, Key string }
	d.API(
		"POST",
		"/orders/certificates",
		fmt.Sprintf(`{"by":%q,"structure":%q,"service":%q}`, by, testkit.VendorSIRET, service),
		&issued,
	)
	pair, err := tls.X509KeyPair([]byte(issued.Certificate), []byte(issued.Key))
	if err != nil {
		d.T.Fatal(err)
	}
	return issued.Serial, &pair
}

// foreignOrg makes a certificate of an authority that is a trust anchor.
func foreignOrg(t *testing.T, subject []byte) (anchors string, cert *tls.Certificate) {
	t.Helper()
	from := testkit.Now()
	root := testkit.Signed(
		t,
		&x509.Certificate{
			Subject:   pkix.Name{CommonName: "TEST AC FOREIGN"},
			NotBefore: from.Add(-time.Hour),
			NotAfter: from.Add(
				time.Hour,
			),
			IsCA:                  true,
			BasicConstraintsValid: true,
			KeyUsage:              x509.KeyUsageCertSign,
		},
		nil,
		nil,
	)
	ca, err := x509.ParseCertificate(root.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	anchors = filepath.Join(t.TempDir(), "anchors.pem")
	if err := os.WriteFile(anchors, pki.EncodePEM("CERTIFICATE", ca.Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	category := pkix.Extension{Id: pki.ExtCategory, Value: []byte{asn1.TagOctetString, 1, pki.CategorySoftware}}
	return anchors, testkit.Signed(
		t,
		&x509.Certificate{RawSubject: subject, NotBefore: from.Add(-time.Hour), NotAfter: from.Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			ExtraExtensions: []pkix.Extension{category}},
		ca,
		root.PrivateKey.(crypto.Signer),
	)
}

// boundTo is what a client is bound to, as the API shows it.
func boundTo(s *testkit.Server, client string) string {
	s.T.Helper()
	var c struct {
		BoundTo string `json:"bound_to"`
	}
	s.API("GET", "/clients/"+client, "", &c)
	return c.BoundTo
}

// A certificate of another structure, or of a foreign authority, with the
// client_id as CN does not authenticate the client until somebody binds it.
func TestAttack47ACertificateOfAnotherStructureWithTheClientsNameDoesNotAuthenticateIt(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	d := testkit.Desk{Server: s}
	_, agent := d.Vendor()
	s.AddClient("app", testkit.CallbackURL)
	own := s.Issued("app")
	serial, other := ordered(d, agent.NationalID, "app")

	if got := authenticates(s, "app", own); got != "" {
		t.Errorf("its own certificate: %s", got)
	}
	if got := authenticates(s, "app", other); got != "certificate-other-structure" {
		t.Errorf("another structure's certificate: %q", got)
	}
	_, demo := ordered(d, agent.NationalID, "demo")
	if got := authenticates(s, "demo", demo); got != "certificate-other-structure" {
		t.Errorf("another structure's certificate for demo: %q", got)
	}
	if got := authenticates(s, "app", s.DemoCertificate()); got != "certificate-other-client" {
		t.Errorf("another client's certificate: %q", got)
	}
	if got := boundTo(s, "app"); !strings.Contains(got, "OU=300000000029751") {
		t.Errorf("it shows that it is bound to %q", got)
	}

	// Its holder uses it, so that binding it anew asks first.
	var refused testkit.Refusal
	if status := s.API(
		"POST",
		"/certificates/"+serial+"/bind",
		`{"client_id":"app"}`,
		&refused,
	); status != 409 ||
		refused.Code != "client-bound" {
		t.Fatalf("bound without a question: %d %+v", status, refused)
	}
	if got := authenticates(s, "app", own); got != "" {
		t.Errorf("refused, and yet it is bound: %s", got)
	}
	var bound struct {
		To  string `json:"bound_to"`
		Was string `json:"was_bound_to"`
	}
	if status := s.API(
		"POST",
		"/certificates/"+serial+"/bind",
		`{"client_id":"app","replace":true}`,
		&bound,
	); status >= 300 ||
		!strings.Contains(bound.To, "OU=3"+testkit.VendorSIRET) ||
		!strings.Contains(bound.Was, "OU=300000000029751") {
		t.Fatalf("bound: %d %+v", status, bound)
	}
	if got := authenticates(s, "app", other); got != "" {
		t.Errorf("bound, and yet: %s", got)
	}
	if got := authenticates(s, "app", own); got != "certificate-other-structure" {
		t.Errorf("the former certificate: %q", got)
	}
	if got := boundTo(s, "app"); got != bound.To {
		t.Errorf("it shows that it is bound to %q", got)
	}
	if out := string(testkit.Fetched(t, s.Ready, "/clients/app")); !strings.Contains(out, "OU=3"+testkit.VendorSIRET) {
		t.Errorf("clients show says %s", out)
	}
	// To the same subject it is bound without a question, in whatever spelling.
	if got := s.CodeOf("POST", "/certificates/"+serial+"/bind", `{"client_id":"app"}`); got != "" {
		t.Errorf("bound to what it is bound to: %s", got)
	}
	// A client that nobody uses yet is bound at once.
	s.AddClient("fresh", testkit.CallbackURL)
	s.Must("POST", "/certificates/"+serial+"/bind", map[string]string{"client_id": "fresh"}, nil)
	if got := authenticates(s, "fresh", other); got != "" {
		t.Errorf("a client bound at once: %s", got)
	}
}

func TestAttack47AForeignAuthoritysCertificateNeedsItsSubjectRegistered(t *testing.T) {
	t.Parallel()
	leaf := func(s *testkit.Server) *x509.Certificate {
		c, err := x509.ParseCertificate(s.DemoCertificate().Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	data := t.TempDir()
	first := testkit.StartIn(t, data)
	anchors, cert := foreignOrg(t, leaf(first).RawSubject) // the very same subject
	first.Stop()
	s := testkit.StartIn(t, data, "trust-anchors="+anchors)
	if got := authenticates(s, "demo", cert); got != "certificate-other-structure" {
		t.Fatalf("unregistered: %q", got)
	}
	if got := authenticates(s, "demo", s.DemoCertificate()); got != "" {
		t.Fatalf("its own: %s", got)
	}
	s.Must("PATCH", "/clients/demo", map[string]string{"tls_client_auth_subject_dn": boundTo(s, "demo")}, nil)
	if got := authenticates(s, "demo", cert); got != "" {
		t.Errorf("registered: %s", got)
	}
}

// Registered in any spelling of RFC 4514, in either order.
func TestAttack47ASubjectIsRegisteredInAnySpelling(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for id, dn := range map[string]string{
		"dn1": `CN=demo,OU=300000000029751,O=EDITEUR FICTIF SANTE,ST=Paris (75),C=FR`,
		"dn2": `C = FR, ST = Paris (75), O = EDITEUR FICTIF SANTE, OU = 300000000029751, CN = demo`,
		"dn3": `cn=\64emo,ou=300000000029751,2.5.4.10="EDITEUR FICTIF SANTE",s=Paris (75),c=FR`,
	} {
		body, _ := json.Marshal(
			map[string]any{"client_id": id, "redirect_uris": []string{testkit.CallbackURL}, "tls_client_auth_subject_dn": dn},
		)
		if status := s.API("POST", "/clients", string(body), nil); status != 201 {
			t.Fatalf("%s: %d", id, status)
		}
		if got := authenticates(s, id, s.DemoCertificate()); got != "" {
			t.Errorf("%s: %s", dn, got)
		}
		if got := authenticates(s, id, s.Issued(id)); got != "certificate-other-structure" {
			t.Errorf("%s: the certificate made for it: %q", id, got)
		}
	}
	for _, dn := range []string{"demo", "CN", "CN=demo,", `CN="demo`} {
		body, _ := json.Marshal(
			map[string]any{
				"client_id":                  "bad",
				"redirect_uris":              []string{testkit.CallbackURL},
				"tls_client_auth_subject_dn": dn,
			},
		)
		if got := s.CodeOf("POST", "/clients", string(body)); got != "subject-dn-invalid" {
			t.Errorf("%q: %q", dn, got)
		}
	}
}

// A visitor of the desk does not take a client over unasked; nor does one get
// a certificate with the subject of the emulator's own.
func TestAttack47TheDeskAsksBeforeItBindsAClientAnew(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	d := testkit.Desk{Server: s}
	head, agent := d.Vendor()
	serial, cert := ordered(d, agent.NationalID, "demo")
	visitor := atDesk(s, agent)
	if status, page := visitor(
		"/desk/bind",
		url.Values{"serial": {serial}, "client": {"demo"}},
	); status != 409 && status != 422 ||
		!strings.Contains(page, "client-bound") && !strings.Contains(page, "OU=300000000029751") ||
		!strings.Contains(page, "bind-anyway") {
		t.Fatalf("%d %.2000s", status, page)
	}
	if got := authenticates(s, "demo", cert); got == "" {
		t.Fatal("it is bound, unasked")
	}
	if status, page := visitor(
		"/desk/bind",
		url.Values{"serial": {serial}, "client": {"demo"}, "replace": {"true"}},
	); status != 303 {
		t.Fatalf("confirmed: %d %.600s", status, page)
	}
	if got := authenticates(s, "demo", cert); got != "" {
		t.Errorf("bound after the question: %s", got)
	}
	// The client's own page asks too, and takes it back.
	page := func(form url.Values) (int, string) {
		resp, err := s.ConsoleBrowser().PostForm(s.ConsoleURL+"/clients/demo/bind", form)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, testkit.Text(t, resp)
	}
	if status, html := page(
		url.Values{"subject_dn": {""}},
	); status != 422 ||
		!strings.Contains(html, "OU=3"+testkit.VendorSIRET) {
		t.Fatalf("the page did not ask: %d", status)
	}
	if status, _ := page(url.Values{"subject_dn": {""}, "was": {boundTo(s, "demo")}}); status != 303 {
		t.Fatalf("the page: %d", status)
	}
	if got := authenticates(s, "demo", s.DemoCertificate()); got != "" {
		t.Errorf("taken back: %s", got)
	}
	// The structure of the emulator's own certificates is nobody's.
	const reserved = "00000000029751"
	d.Order("F101", "industriel", "", testkit.HeadOf.With(testkit.Fields{"siret": reserved}))
	d.Order(
		"F413",
		"industriel",
		head.NationalID,
		testkit.Fields{"siret": reserved, "administrateurs": agent.NationalID, "types": "AUTH_CLI", "cgu": "oui"},
	)
	body := fmt.Sprintf(`{"by":%q,"structure":%q,"service":"demo"}`, agent.NationalID, reserved)
	if got := s.CodeOf("POST", "/orders/certificates", body); got == "" {
		t.Error("a structure got a certificate with the emulator's own subject")
	}
}

// atDesk logs a holder in at the desk, and posts its forms.
func atDesk(s *testkit.Server, c testkit.Card) func(path string, form url.Values) (int, string) {
	s.T.Helper()
	browser := s.DeskBrowser(c)
	return func(path string, form url.Values) (int, string) {
		s.T.Helper()
		resp, err := browser.PostForm(s.ConsoleURL+path, form)
		if err != nil {
			s.T.Fatal(err)
		}
		return resp.StatusCode, testkit.Text(s.T, resp)
	}
}
