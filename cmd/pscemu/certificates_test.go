package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pscemu/cards/pki"
	"pscemu/clock"
	"pscemu/console"
	"pscemu/store"
)

// faults makes one certificate of every wrong kind from the data folder's own
// authorities, while no server runs on it.
func faults(t *testing.T, data string) map[string]*tls.Certificate {
	t.Helper()
	c := &clock.Adjustable{}
	s, err := store.OpenBolt(filepath.Join(data, "pscemu.db"), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	p := pki.New(s, c, "http://127.0.0.1:1/pki/crl", nil)
	issue := func(o pki.Order) *tls.Certificate {
		cert, err := p.Issue(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		certPEM, keyPEM, err := p.PEM(ctx, cert)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			t.Fatal(err)
		}
		return &pair
	}
	subject, now := console.ClientSubject("demo"), time.Now()
	revoked := issue(pki.Order{Profile: "AUTH_CLI", Subject: subject})
	leaf, _ := x509.ParseCertificate(revoked.Certificate[0])
	if err := p.Revoke(ctx, leaf.SerialNumber.Text(16)); err != nil {
		t.Fatal(err)
	}
	good, another := issue(pki.Order{Profile: "AUTH_CLI", Subject: subject}), issue(pki.Order{Profile: "AUTH_CLI", Subject: subject})
	org, err := p.Authority(ctx, "el-org")
	if err != nil {
		t.Fatal(err)
	}
	category := pkix.Extension{Id: pki.ExtCategory, Value: []byte{asn1.TagOctetString, 1, pki.CategorySoftware}}
	raw := leaf.RawSubject
	base := x509.Certificate{RawSubject: raw, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, ExtraExtensions: []pkix.Extension{category}, Policies: leaf.Policies}
	sign := func(change func(*x509.Certificate), ca *x509.Certificate, key crypto.Signer) *tls.Certificate {
		tmpl := base
		change(&tmpl)
		return signed(t, &tmpl, ca, key)
	}
	keep := func(*x509.Certificate) {}
	stranger := signed(t, &x509.Certificate{RawSubject: org.Cert.RawSubject, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	strangerCert, _ := x509.ParseCertificate(stranger.Certificate[0])
	two := *good
	two.Certificate = [][]byte{good.Certificate[0], another.Certificate[0]}
	named := func(n pki.Name) *tls.Certificate { return issue(pki.Order{Profile: "AUTH_CLI", Subject: n}) }
	return map[string]*tls.Certificate{
		"":                                 good,
		"certificate-missing":              nil,
		"certificate-expired":              issue(pki.Order{Profile: "AUTH_CLI", Subject: subject, NotBefore: now.AddDate(-3, 0, 0), NotAfter: now.Add(-time.Hour)}),
		"certificate-not-yet-valid":        issue(pki.Order{Profile: "AUTH_CLI", Subject: subject, NotBefore: now.Add(time.Hour)}),
		"certificate-revoked":              revoked,
		"certificate-wrong-profile SSL":    issue(pki.Order{Profile: "SSL_SERV", Subject: subject}),
		"certificate-wrong-profile SIGN":   issue(pki.Order{Profile: "SIGN", Subject: subject}),
		"certificate-wrong-profile CONF":   issue(pki.Order{Profile: "CONF", Subject: subject}),
		"certificate-card":                 issue(pki.Order{Profile: "CARD_AUTH", Subject: pki.PSName("Médecin", "demo", "DOC", "KIT")}),
		"certificate-self-signed":          sign(keep, nil, nil),
		"certificate-unknown-authority":    sign(keep, strangerCert, stranger.PrivateKey.(crypto.Signer)),
		"certificate-other-client":         named(console.ClientSubject("another")),
		"certificate-other-client comma":   named(console.ClientSubject("demo,CN=evil")),
		"certificate-other-client plus":    named(console.ClientSubject("demo+CN=evil")),
		"certificate-two-leaves":           &two,
		"certificate-wrong-extended-usage": sign(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }, org.Cert, org.Key),
		"certificate-wrong-usage":          sign(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }, org.Cert, org.Key),
		"certificate-category":             sign(func(c *x509.Certificate) { c.ExtraExtensions = nil }, org.Cert, org.Key),
		"certificate-is-authority":         sign(func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, org.Cert, org.Key),
		"certificate-subject no OU":        named(pki.ORGName("Paris (75)", "X", "no structure", "demo")),
		"certificate-subject NUL":          named(pki.ORGName("Paris (75)", "X", "300000000029751", "demo\x00.evil")),
		"certificate-subject multi-valued": named(pki.StaffName("X", "Paris (75)", "300000000029751", "demo", "DOC", "KIT")),
	}
}

func signed(t *testing.T, tmpl, ca *x509.Certificate, caKey crypto.Signer) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if ca == nil {
		ca, caKey = tmpl, key
	}
	tmpl.SerialNumber = big.NewInt(time.Now().UnixNano())
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestOnlyACertificateOfTypeORGAuthCliOfThisClientIsAccepted(t *testing.T) {
	data := t.TempDir()
	bootIn(t, data).stop(syscall.SIGTERM)
	wrong := faults(t, data)
	s := bootIn(t, data)
	for name, cert := range wrong {
		code, _, _ := strings.Cut(name, " ")
		t.Run(strings.TrimSpace("certificate "+name), func(t *testing.T) {
			form := url.Values{"grant_type": {"authorization_code"}, "client_id": {"demo"}, "client_secret": {s.DemoClient.ClientSecret}, "code": {"a.b.c"}, "redirect_uri": {callbackURL}}
			resp, err := s.http(cert).PostForm(s.Issuer+"/protocol/openid-connect/token", form)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var a struct {
				Error       string `json:"error"`
				Description string `json:"error_description"`
			}
			body, _ := io.ReadAll(resp.Body)
			_ = json.Unmarshal(body, &a)
			if code == "" {
				if a.Error != "invalid_grant" {
					t.Fatalf("the good certificate got %s", body)
				}
				return
			}
			if resp.StatusCode != 401 || a.Error != "invalid_client" || !strings.Contains(a.Description, "expected: ") {
				t.Fatalf("got %d %s", resp.StatusCode, body)
			}
			var l struct{ Events []struct{ Code string } }
			var list struct {
				Items []struct{ Events []struct{ Code string } }
			}
			s.api("GET", "/logins?limit=1", "", &list)
			if l = list.Items[0]; len(l.Events) == 0 || l.Events[0].Code != code {
				t.Fatalf("the journal says %v, want %s", l, code)
			}
		})
	}
}

// What TLS itself refuses never reaches an endpoint, and the server lives on.
func TestAttack9CertificatesRefusedAtTheHandshake(t *testing.T) {
	s := boot(t)
	demo := s.demoCertificate()
	leaf, err := x509.ParseCertificate(demo.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	notUTF8 := signed(t, &x509.Certificate{RawSubject: bytes.Replace(leaf.RawSubject, []byte("demo"), []byte("d\xff\xfeo"), 1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}, nil, nil)
	stranger := signed(t, &x509.Certificate{RawSubject: leaf.RawSubject, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}, nil, nil)
	for name, cert := range map[string]*tls.Certificate{
		"the leaf is not first":              {Certificate: [][]byte{demo.Certificate[1], demo.Certificate[0]}, PrivateKey: demo.PrivateKey},
		"right certificate with another key": {Certificate: demo.Certificate, PrivateKey: stranger.PrivateKey},
		"a name that is not UTF-8":           notUTF8,
	} {
		resp, err := s.http(cert).PostForm(s.Issuer+"/protocol/openid-connect/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {"demo"}})
		if err == nil && resp.StatusCode != 401 {
			t.Errorf("%s: %s", name, resp.Status)
		}
		if err == nil {
			resp.Body.Close()
		}
	}
	if status, a := s.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}); a["error"] != "invalid_grant" {
		t.Errorf("afterwards: %d %v", status, a)
	}
}

func TestRevocationTakesEffectOnTheNextRequest(t *testing.T) {
	s := boot(t)
	dir := t.TempDir()
	var issued struct {
		Serial, Certificate_file, Key_file string //nolint:revive // keys of the command's JSON
	}
	if err := json.Unmarshal([]byte(s.cli("certificates", "issue", "--client", "demo", "--out", dir, "--output", "json")), &issued); err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(issued.Certificate_file, issued.Key_file)
	if err != nil {
		t.Fatal(err)
	}
	client := s.http(&cert)
	ask := func() string {
		resp, err := client.PostForm(s.Issuer+"/protocol/openid-connect/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}})
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
	s.cli("certificates", "revoke", issued.Serial)
	if a := ask(); !strings.Contains(a, "invalid_client") || !strings.Contains(a, "revoked") {
		t.Fatalf("after: %s", a)
	}
}

// A resumed TLS session brings its certificate along, and its revocation too.
func TestAttack9RevocationHoldsOnAResumedSession(t *testing.T) {
	s := boot(t)
	cert := s.issued("demo")
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	client := s.http(cert)
	client.Transport.(*http.Transport).TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	ask := func() (string, bool) {
		resp, err := client.PostForm(s.Issuer+"/protocol/openid-connect/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}})
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
	s.cli("certificates", "revoke", hex.EncodeToString(leaf.SerialNumber.Bytes()))
	if a, resumed := ask(); !resumed || !strings.Contains(a, "invalid_client") || !strings.Contains(a, "revoked") {
		t.Errorf("after revocation, resumed %v: %s", resumed, a)
	}
}

func TestOpenSSLVerifiesTheChain(t *testing.T) {
	s := boot(t)
	bundle, err := os.ReadFile(s.DemoClient.CertificateFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var files []string
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		name := filepath.Join(dir, string(rune('a'+len(files)))+".pem")
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, name)
	}
	out, err := exec.Command("openssl", "verify", "-purpose", "sslclient", "-x509_strict", "-CAfile", files[2], "-untrusted", files[1], files[0]).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := exec.Command("openssl", "x509", "-in", files[0], "-noout", "-subject", "-nameopt", "sep_comma_plus_space,sname,utf8").CombinedOutput()
	if err != nil || strings.TrimSpace(string(text)) != "subject=C=FR, ST=Paris (75), O=EDITEUR FICTIF SANTE, OU=300000000029751, CN=demo" {
		t.Fatalf("%v: %s", err, text)
	}
}

func TestSecretAndEitherAreSettings(t *testing.T) {
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
			s := boot(t, "--client-auth", c.setting)
			form := url.Values{"grant_type": {"authorization_code"}, "client_id": {"demo"}, "code": {"x"}}
			if c.secret {
				form.Set("client_secret", s.DemoClient.ClientSecret)
			}
			var cert *tls.Certificate
			if c.cert {
				cert = s.demoCertificate()
			}
			resp, err := s.http(cert).PostForm(s.Issuer+"/protocol/openid-connect/token", form)
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
