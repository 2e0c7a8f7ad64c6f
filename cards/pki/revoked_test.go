package pki_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ocsp"
	"pscemu.invalid/pscemu/internal/testkit"
)

// serialOf is a certificate's serial, as commands take it.
func serialOf(t *testing.T, cert *tls.Certificate) string {
	t.Helper()
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(leaf.SerialNumber.Bytes())
}

// refusalOf is why the token endpoint refuses a client with this certificate,
// "" when it is the code that is refused.
func refusalOf(s *testkit.Server, client string, cert *tls.Certificate) string {
	s.T.Helper()
	_, answer, err := s.Realm(
		cert,
		"POST",
		"/token",
		url.Values{
			"grant_type":   {"authorization_code"},
			"client_id":    {client},
			"code":         {"none"},
			"redirect_uri": {testkit.CallbackURL},
		},
		"",
	)
	if err != nil {
		s.T.Fatal(err)
	}
	if answer["error"] == "invalid_grant" {
		return ""
	}
	var list struct {
		Items []struct {
			Events []struct{ Code string }
		}
	}
	s.API("GET", "/logins?limit=1&event=token", "", &list)
	for _, l := range list.Items {
		for _, e := range slices.Backward(l.Events) {
			if e.Code != "" {
				return e.Code
			}
		}
	}
	return fmt.Sprint(answer)
}

// ocspStatus is what OCSP says of a certificate.
func ocspStatus(s *testkit.Server, cert *tls.Certificate) int {
	s.T.Helper()
	leaf, _ := x509.ParseCertificate(cert.Certificate[0])
	issuer, err := x509.ParseCertificate(cert.Certificate[1])
	if err != nil {
		s.T.Fatal(err)
	}
	request, err := ocsp.CreateRequest(leaf, issuer, nil)
	if err != nil {
		s.T.Fatal(err)
	}
	resp, err := http.Post(s.ConsoleURL+"/pki/ocsp", "application/ocsp-request", bytes.NewReader(request))
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.T.Fatal(err)
	}
	answer, err := ocsp.ParseResponse(raw, issuer)
	if err != nil {
		s.T.Fatal(err)
	}
	return answer.Status
}

// listedRevoked tells whether the authority's list names a certificate.
func listedRevoked(s *testkit.Server, cert *tls.Certificate) bool {
	s.T.Helper()
	resp, err := http.Get(s.ConsoleURL + "/pki/crl/el-org.crl")
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	list, err := x509.ParseRevocationList(raw)
	if err != nil {
		s.T.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(cert.Certificate[0])
	return slices.ContainsFunc(list.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool {
		return e.SerialNumber.Cmp(leaf.SerialNumber) == 0
	})
}

func TestAttack44WhatWasRevokedStaysRevoked(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]string{"file": "false", "memory": "true"} {
		t.Run(name, func(t *testing.T) {
			s := testkit.StartIn(t, t.TempDir(), "memory="+mode)
			testkit.SettledBackup(t, s.Ready)
			good, bad := s.DemoCertificate(), s.Issued("demo")
			if got := refusalOf(s, "demo", bad); got != "" {
				t.Fatalf("before: %s", got)
			}
			backup, state := testkit.Fetched(t, s.Ready, "/backup"), testkit.Fetched(t, s.Ready, "/state") // in which it is good
			s.Must("POST", "/certificates/"+serialOf(t, bad)+"/revoke", nil, nil)
			after := testkit.Fetched(t, s.Ready, "/backup")
			for _, step := range []struct {
				what, method, path string
				body               []byte
				record             bool // of the certificate is there
			}{
				{"the revocation", "GET", "/clock", nil, true},
				{"a reset", "DELETE", "/state", nil, true},
				{"an older backup", "PUT", "/backup", backup, true},
				{"an older state", "PUT", "/state", state, true},
				{"a newer backup", "PUT", "/backup", after, true},
				{"another reset", "DELETE", "/state", nil, true},
				{"an older state again", "PUT", "/state", state, true},
			} {
				if status, code := testkit.Send(t, s.Ready, step.method, step.path, step.body); status >= 300 {
					t.Fatalf("%s: %d %s", step.what, status, code)
				}
				if got := refusalOf(s, "demo", bad); got != "certificate-revoked" {
					t.Errorf("after %s it is %q", step.what, got)
				}
				if got := ocspStatus(s, bad); got != ocsp.Revoked {
					t.Errorf("after %s OCSP says %d", step.what, got)
				}
				if !listedRevoked(s, bad) || listedRevoked(s, good) {
					t.Errorf("after %s the list is wrong", step.what)
				}
				var c struct{ State string }
				if s.API("GET", "/certificates/"+serialOf(t, bad), "", &c); c.State != "revoked" {
					t.Errorf("after %s it is shown as %s", step.what, c.State)
				}
				if got := refusalOf(s, "demo", good); got != "" {
					t.Errorf("after %s the good one is refused: %s", step.what, got)
				}
			}
			testkit.NewRelyingParty(s, good).Tokens(testkit.Doctor, "")
		})
	}
}

// A client's certificate goes with the client at a reset, and is none that the
// emulator knows then, though its authority signed it.
func TestAttack44ACertificateThatIsNotKnownIsRefused(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	testkit.SettledBackup(t, s.Ready)
	add := func() { s.AddClient("other", testkit.CallbackURL) }
	add()
	cert, revoked, demo := s.Issued("other"), s.Issued("other"), s.Issued("demo")
	s.Must("POST", "/certificates/"+serialOf(t, revoked)+"/revoke", nil, nil)
	card := s.CardCertificate(s.CardOf(testkit.Nurse).Serial)
	state := testkit.Fetched(t, s.Ready, "/state")
	if got := refusalOf(s, "other", cert); got != "" {
		t.Fatal(got)
	}
	if status := s.API("DELETE", "/state", "", nil); status != 204 {
		t.Fatal(status)
	}
	add()
	if got := refusalOf(s, "other", cert); got != "certificate-not-known" {
		t.Errorf("after a reset: %q", got)
	}
	if got := ocspStatus(s, cert); got != ocsp.Unknown {
		t.Errorf("OCSP says %d", got)
	}
	if got := refusalOf(s, "other", revoked); got != "certificate-revoked" {
		t.Errorf("the revoked one: %q", got)
	}
	if got := ocspStatus(s, revoked); got != ocsp.Revoked {
		t.Errorf("OCSP says %d of the revoked one", got)
	}
	if got := testkit.CardLogin(t, s, card); !strings.Contains(got, "certificate-not-known") {
		t.Errorf("a card from before the reset: %.300s", got)
	}
	if got := refusalOf(s, "other", s.Issued("other")); got != "" {
		t.Errorf("a new one: %q", got)
	}
	if got := refusalOf(s, "demo", demo); got != "" {
		t.Errorf("one of the demo client's: %q", got)
	}
	if got := testkit.CardLogin(
		t,
		s,
		s.CardCertificate(s.CardOf(testkit.Nurse).Serial),
	); !strings.HasPrefix(got, testkit.CallbackURL) {
		t.Errorf("a card of now: %.300s", got)
	}
	if status, code := testkit.Send(t, s.Ready, "PUT", "/state", state); status != 204 {
		t.Fatal(status, code)
	}
	if got := refusalOf(s, "other", cert); got != "" {
		t.Errorf("in the state that holds it: %q", got)
	}
}

// Another folder's backup brings its own authorities: what this one issued is
// none of theirs.
func TestAttack44AnotherFoldersBackupBringsItsAuthorities(t *testing.T) {
	t.Parallel()
	a, b := testkit.StartIn(t, t.TempDir()), testkit.StartFresh(t, t.TempDir())
	testkit.SettledBackup(t, a.Ready)
	other := testkit.SettledBackup(t, b.Ready)
	mine, theirs := a.DemoCertificate(), b.DemoCertificate()
	own := testkit.Fetched(t, a.Ready, "/backup")
	if status, code := testkit.Send(t, a.Ready, "PUT", "/backup", other); status != 200 {
		t.Fatal(status, code)
	}
	if got := refusalOf(a, "demo", mine); got != "certificate-unknown-authority" {
		t.Errorf("its own: %q", got)
	}
	testkit.NewRelyingParty(a, theirs).Tokens(testkit.Nurse, "")
	testkit.NewRelyingParty(a, a.DemoCertificate()).Tokens(testkit.Nurse, "") // the files were written anew
	if got := demoLogin(a); !strings.Contains(got, "899790022349") {
		t.Errorf("the console's demonstration: %.300s", got)
	}
	if status, code := testkit.Send(t, a.Ready, "PUT", "/backup", own); status != 200 {
		t.Fatal(status, code)
	}
	testkit.NewRelyingParty(a, mine).Tokens(testkit.Nurse, "")
}

// Revocations while contents come and go: none that was confirmed is lost.
func TestAttack44RevocationsDuringRestoresAreNotLost(t *testing.T) {
	t.Parallel()
	p := testkit.StartIn(t, t.TempDir())
	testkit.SettledBackup(t, p.Ready)
	const all = 24
	var serials []string
	for range all {
		var made struct{ Serial string }
		p.Must("POST", "/certificates", map[string]any{"client_id": "demo"}, &made)
		serials = append(serials, made.Serial)
	}
	backup, state := testkit.Fetched(t, p.Ready, "/backup"), testkit.Fetched(t, p.Ready, "/state")
	ctx, stop := context.WithCancel(context.Background())
	var others, revoking sync.WaitGroup
	others.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			switch n % 3 {
			case 0:
				testkit.Send(t, p.Ready, "PUT", "/backup", backup)
			case 1:
				testkit.Send(t, p.Ready, "PUT", "/state", state)
			default:
				testkit.Send(t, p.Ready, "DELETE", "/state", nil)
			}
		}
	})
	for _, serial := range serials {
		revoking.Go(func() {
			if status, answer := p.Call("POST", "/certificates/"+serial+"/revoke", nil); status >= 300 {
				t.Errorf("revoke: %d %s", status, answer)
			}
		})
	}
	revoking.Wait()
	stop()
	others.Wait()
	for _, serial := range serials {
		var c struct{ State string }
		if p.Must("GET", "/certificates/"+serial, nil, &c); c.State != "revoked" {
			t.Errorf("%s is %s", serial, c.State)
		}
	}
}

// demoLogin logs the nurse in at the console's demonstration, and returns the
// page that shows what it received.
func demoLogin(s *testkit.Server) string {
	s.T.Helper()
	c := s.Browser()
	c.CheckRedirect = nil
	stop := *c
	stop.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := stop.Get(s.ConsoleURL + "/demo/start")
	if err != nil {
		s.T.Fatal(err)
	}
	resp.Body.Close()
	if resp, err = c.Get(
		resp.Header.Get("Location") + "&login_hint=" + url.QueryEscape("auto:"+testkit.Nurse),
	); err != nil {
		s.T.Fatal(err)
	}
	return testkit.Text(s.T, resp)
}
