package clients_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/testkit"
)

// What TLS itself refuses never reaches an endpoint, and the server lives on.
func TestAttack9CertificatesRefusedAtTheHandshake(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	demo := s.DemoCertificate()
	leaf, err := x509.ParseCertificate(demo.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	notUTF8 := testkit.Signed(
		t,
		&x509.Certificate{
			RawSubject: bytes.Replace(leaf.RawSubject, []byte("demo"), []byte("d\xff\xfeo"), 1),
			NotBefore:  now.Add(-time.Hour),
			NotAfter:   now.Add(time.Hour),
		},
		nil,
		nil,
	)
	stranger := testkit.Signed(
		t,
		&x509.Certificate{RawSubject: leaf.RawSubject, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)},
		nil,
		nil,
	)
	for name, cert := range map[string]*tls.Certificate{
		"the leaf is not first": {
			Certificate: [][]byte{demo.Certificate[1], demo.Certificate[0]}, PrivateKey: demo.PrivateKey,
		},
		"right certificate with another key": {Certificate: demo.Certificate, PrivateKey: stranger.PrivateKey},
		"a name that is not UTF-8":           notUTF8,
	} {
		resp, err := s.HTTP(cert).
			PostForm(s.Issuer+"/protocol/openid-connect/token", url.Values{
				"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {"demo"},
			})
		if err == nil && resp.StatusCode != 401 {
			t.Errorf("%s: %s", name, resp.Status)
		}
		if err == nil {
			resp.Body.Close()
		}
	}
	if status, a := s.Post(
		"token",
		url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}},
	); a["error"] != "invalid_grant" {
		t.Errorf("afterwards: %d %v", status, a)
	}
}

func TestRevocationTakesEffectOnTheNextRequest(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	var issued struct{ Serial, Certificate, Key string }
	s.Must("POST", "/certificates", map[string]string{"client_id": "demo", "profile": "AUTH_CLI"}, &issued)
	cert, err := tls.X509KeyPair([]byte(issued.Certificate), []byte(issued.Key))
	if err != nil {
		t.Fatal(err)
	}
	client := s.HTTP(&cert)
	ask := func() string {
		resp, err := client.PostForm(
			s.Issuer+"/protocol/openid-connect/token",
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}},
		)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	if a := ask(); !strings.Contains(a, "invalid_grant") {
		t.Fatalf("before: %s", a)
	}
	s.Must("POST", "/certificates/"+issued.Serial+"/revoke", nil, nil)
	if a := ask(); !strings.Contains(a, "invalid_client") || !strings.Contains(a, "revoked") {
		t.Fatalf("after: %s", a)
	}
}

// A resumed TLS session brings its certificate along, and its revocation too.
func TestAttack9RevocationHoldsOnAResumedSession(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	cert := s.Issued("demo")
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	client := s.HTTP(cert)
	client.Transport.(*http.Transport).TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	ask := func() (string, bool) {
		resp, err := client.PostForm(
			s.Issuer+"/protocol/openid-connect/token",
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}},
		)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b), resp.TLS.DidResume
	}
	ask()
	if a, resumed := ask(); !resumed || !strings.Contains(a, "invalid_grant") {
		t.Fatalf("resumed %v: %s", resumed, a)
	}
	s.Must("POST", "/certificates/"+hex.EncodeToString(leaf.SerialNumber.Bytes())+"/revoke", nil, nil)
	if a, resumed := ask(); !resumed || !strings.Contains(a, "invalid_client") || !strings.Contains(a, "revoked") {
		t.Errorf("after revocation, resumed %v: %s", resumed, a)
	}
}

func TestSecretAndEitherAreSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		setting       string
		cert, secret  bool
		status        int
		err, comments string
	}{
		{"secret", false, true, 400, "invalid_grant", "authenticated"},
		{"secret", false, false, 401, "invalid_client", "no secret"},
		{"either", false, true, 400, "invalid_grant", "by secret"},
		{"either", true, false, 400, "invalid_grant", "by certificate"},
		{"either", false, false, 401, "invalid_client", "neither"},
	} {
		t.Run(c.setting+" "+c.comments, func(t *testing.T) {
			s := testkit.Start(t, "client-auth="+c.setting)
			form := url.Values{"grant_type": {"authorization_code"}, "client_id": {"demo"}, "code": {"x"}}
			if c.secret {
				form.Set("client_secret", s.DemoClient.ClientSecret)
			}
			var cert *tls.Certificate
			if c.cert {
				cert = s.DemoCertificate()
			}
			resp, err := s.HTTP(cert).PostForm(s.Issuer+"/protocol/openid-connect/token", form)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != c.status || !strings.Contains(string(b), c.err) {
				t.Fatalf("got %d %s", resp.StatusCode, b)
			}
		})
	}
}
