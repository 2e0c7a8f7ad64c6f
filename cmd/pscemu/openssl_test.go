package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ocsp"
	"pscemu.invalid/pscemu/internal/testkit"
)

// oddity is a row of what `pscemu certificates broken` writes.
type oddity struct {
	Name, Odd, Must, Code      string
	Certificate_file, Key_file string //nolint:revive // keys of the command's JSON
}

// Attack 9: each row of the matrix gets its verdict, and the reason.
func TestOnlyACertificateOfTypeORGAuthCliOfThisClientIsAccepted(t *testing.T) {
	s := boot(t)
	dir := t.TempDir()
	var matrix struct{ Items []oddity }
	if err := json.Unmarshal([]byte(s.cli("certificates", "broken", dir, "--output", "json")), &matrix); err != nil {
		t.Fatal(err)
	}
	rows, refused := append(
		slices.Clone(matrix.Items),
		oddity{Name: "none at all", Must: "refuse", Code: "certificate-missing", Odd: "-"},
	), 0
	for _, row := range rows {
		t.Run(row.Name, func(t *testing.T) {
			var cert *tls.Certificate
			if row.Certificate_file != "" {
				pair, err := tls.LoadX509KeyPair(row.Certificate_file, row.Key_file)
				if err != nil {
					t.Fatal(err)
				}
				cert = &pair
			}
			form := url.Values{
				"grant_type":    {"authorization_code"},
				"client_id":     {"demo"},
				"client_secret": {s.DemoClient.ClientSecret},
				"code":          {"a.b.c"},
				"redirect_uri":  {testkit.CallbackURL},
			}
			resp, err := s.HTTP(cert).PostForm(s.Issuer+"/protocol/openid-connect/token", form)
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
			if row.Must == "accept" {
				if a.Error != "invalid_grant" {
					t.Fatalf("%s must be accepted: %s", row.Odd, body)
				}
				return
			}
			refused++
			if resp.StatusCode != 401 || a.Error != "invalid_client" || !strings.Contains(a.Description, "expected: ") {
				t.Fatalf("got %d %s", resp.StatusCode, body)
			}
			var list struct {
				Items []struct{ Events []struct{ Code string } }
			}
			s.API("GET", "/logins?limit=1", "", &list)
			if l := list.Items[0]; len(l.Events) == 0 || l.Events[0].Code != row.Code {
				t.Fatalf("%s: the journal says %v, want %s", row.Odd, l, row.Code)
			}
		})
	}
	if len(rows) < 41 || refused < 40 {
		t.Errorf("%d rows, %d refused", len(rows), refused)
	}
	if raw, err := os.ReadFile(
		filepath.Join(dir, "index.json"),
	); err != nil ||
		!strings.Contains(string(raw), "clientAuth") {
		t.Errorf("the index: %v", err)
	}
}

// OpenSSL asks OCSP and reads the lists, full and delta, that a certificate
// names; both follow a revocation at once.
func TestOpenSSLAsksOCSPAndReadsTheRevocationLists(t *testing.T) {
	s := boot(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	run := func(args ...string) string {
		t.Helper()
		out, _ := exec.Command("openssl", args...).CombinedOutput()
		return string(out)
	}
	get := func(url, name string) {
		t.Helper()
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		if err := os.WriteFile(file(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert := s.Issued("demo")
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for n, der := range cert.Certificate {
		if err := os.WriteFile(
			file(string(rune('a'+n))+".pem"),
			pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
			0o600,
		); err != nil {
			t.Fatal(err)
		}
	}
	text := run(
		"x509",
		"-in",
		file("a.pem"),
		"-noout",
		"-ocsp_uri",
		"-ext",
		"crlDistributionPoints,authorityInfoAccess,freshestCRL",
	)
	for _, want := range []string{
		s.ConsoleURL + "/pki/ocsp",
		s.ConsoleURL + "/pki/crl/el-org.crl",
		s.ConsoleURL + "/pki/delta/el-org.crl",
		s.ConsoleURL + "/pki/ca/el-org.crt",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the certificate does not name %s:\n%s", want, text)
		}
	}
	get(leaf.IssuingCertificateURL[0], "ca.der")
	if out := run(
		"x509",
		"-inform",
		"DER",
		"-in",
		file("ca.der"),
		"-noout",
		"-subject",
	); !strings.Contains(
		out,
		"ELEMENTAIRE ORGANISATIONS",
	) {
		t.Errorf("the issuing authority: %s", out)
	}
	// The chain file holds the root last.
	ask := func() string {
		return run(
			"ocsp",
			"-issuer",
			file("b.pem"),
			"-cert",
			file("a.pem"),
			"-url",
			leaf.OCSPServer[0],
			"-CAfile",
			file("c.pem"),
			"-no_nonce",
		)
	}
	lists := func() string {
		get(leaf.CRLDistributionPoints[0], "full.der")
		get(strings.Replace(leaf.CRLDistributionPoints[0], "/crl/", "/delta/", 1), "delta.der")
		out := run(
			"verify",
			"-crl_check",
			"-CAfile",
			file("c.pem"),
			"-untrusted",
			file("b.pem"),
			"-CRLfile",
			file("full.der"),
			file("a.pem"),
		)
		return out + run("crl", "-inform", "DER", "-in", file("delta.der"), "-noout", "-text")
	}
	if got := ask(); !strings.Contains(got, "Response verify OK") || !strings.Contains(got, ": good") {
		t.Errorf("OCSP before: %s", got)
	}
	if got := lists(); !strings.Contains(got, "a.pem: OK") || !strings.Contains(got, "Delta CRL Indicator: critical") ||
		!strings.Contains(got, "No Revoked Certificates") {
		t.Errorf("the lists before: %s", got)
	}
	s.Must("POST", "/certificates/"+hex.EncodeToString(leaf.SerialNumber.Bytes())+"/revoke", nil, nil)
	if got := ask(); !strings.Contains(got, ": revoked") {
		t.Errorf("OCSP after: %s", got)
	}
	if got := lists(); !strings.Contains(got, "certificate revoked") ||
		strings.Contains(got, "No Revoked Certificates") {
		t.Errorf("the lists after: %s", got)
	}
	for name, body := range map[string]string{"garbage": "x", "nothing": ""} {
		resp, err := http.Post(leaf.OCSPServer[0], "application/ocsp-request", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || !bytes.Equal(b, ocsp.MalformedRequestErrorResponse) {
			t.Errorf("%s: %s %x", name, resp.Status, b)
		}
	}
	request, _ := ocsp.CreateRequest(leaf, leaf, nil) // no authority made here
	resp, err := http.Get(leaf.OCSPServer[0] + "/" + url.PathEscape(base64.StdEncoding.EncodeToString(request)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); !bytes.Equal(b, ocsp.UnauthorizedErrorResponse) {
		t.Errorf("an unknown authority by GET: %x", b)
	}
}

func TestACertificateFromARequestAndInEveryForm(t *testing.T) {
	s := boot(t)
	dir := t.TempDir()
	key, csr := filepath.Join(dir, "my.key"), filepath.Join(dir, "my.csr")
	if out, err := exec.Command(
		"openssl",
		"req",
		"-new",
		"-newkey",
		"rsa:2048",
		"-nodes",
		"-keyout",
		key,
		"-out",
		csr,
		"-subj",
		"/CN=whatever",
	).
		CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	var issued map[string]string
	if err := json.Unmarshal([]byte(s.cli("certificates", "issue", "--csr", csr, "--out", dir)), &issued); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(issued["certificate_file"], key)
	if err != nil || issued["key_file"] != "" {
		t.Fatalf("%v %v", err, issued)
	}
	if resp, err := s.HTTP(&pair).
		PostForm(s.Issuer+"/protocol/openid-connect/token", url.Values{
			"grant_type":    {"refresh_token"},
			"refresh_token": {"x"},
			"client_id":     {"demo"},
		}); err != nil ||
		resp.StatusCode != 400 {
		t.Errorf("the requested certificate: %v %v", resp, err)
	}
	for name, c := range map[string]struct{ body, code string }{
		"no request": {`{"client_id":"demo","csr":"x"}`, "csr-invalid"},
		"a broken one": {
			`{"client_id":"demo","csr":"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"}`,
			"csr-invalid",
		},
		"no such key":     {`{"client_id":"demo","key":"dsa"}`, "key-type-unknown"},
		"no such kind":    {`{"client_id":"demo","profile":"X"}`, "profile-unknown"},
		"nobody":          {`{"client_id":"nobody"}`, "client-unknown"},
		"a key made here": {`{"client_id":"demo","key":"ecdsa"}`, ""},
	} {
		if got := s.CodeOf("POST", "/certificates", c.body); got != c.code {
			t.Errorf("%s: %q, want %q", name, got, c.code)
		}
	}
	weak := filepath.Join(dir, "weak.csr")
	if out, err := exec.Command(
		"openssl",
		"req",
		"-new",
		"-newkey",
		"rsa:1024",
		"-nodes",
		"-keyout",
		filepath.Join(dir, "w.key"),
		"-out",
		weak,
		"-subj",
		"/CN=x",
	).
		CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	if out, err := exec.Command(binary, "certificates", "issue", "--csr", weak, "--data", s.data).
		CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "csr-invalid") {
		t.Errorf("a weak request: %s", out)
	}
	own := s.cli("certificates", "issue", "--out", dir)
	_ = json.Unmarshal([]byte(own), &issued)
	raw := func(path string) []byte {
		req, _ := http.NewRequest(http.MethodGet, s.APIURL+"/certificates/"+issued["serial"]+path, nil)
		req.Header.Set("Authorization", "Bearer "+s.APIToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return b
	}
	if _, err := x509.ParseCertificate(raw("/der")); err != nil {
		t.Error(err)
	}
	if b, _ := pem.Decode(
		raw("/pem"),
	); b == nil || bytes.Count(raw("/chain"), []byte("BEGIN CERTIFICATE")) != 3 ||
		!bytes.Contains(raw("/key"), []byte("PRIVATE KEY")) {
		t.Error("PEM, chain or key")
	}
	for name, path := range map[string]string{
		"AES-256-CBC":                      "/p12",
		"pbeWithSHA1And3-KeyTripleDES-CBC": "/p12?legacy=true&password=pscemu",
	} {
		p12 := filepath.Join(dir, "x.p12")
		if err := os.WriteFile(p12, raw(path), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("openssl", "pkcs12", "-legacy", "-in", p12, "-info", "-passin", "pass:pscemu", "-nodes").
			CombinedOutput(); err != nil ||
			!strings.Contains(string(out), name) {
			t.Errorf("%s: %v %.400s", path, err, out)
		}
	}
	if out := s.cli(
		"certificates",
		"list",
		"--search",
		"CN=demo",
		"--client",
		"demo",
		"--state",
		"valid",
	); !strings.Contains(
		out,
		issued["serial"],
	) {
		t.Errorf("not found: %s", out)
	}
	if out := s.cli("certificates", "list", "--search", "nothing like it"); strings.Contains(out, issued["serial"]) {
		t.Errorf("found: %s", out)
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
	out, err := exec.Command(
		"openssl",
		"verify",
		"-purpose",
		"sslclient",
		"-x509_strict",
		"-CAfile",
		files[2],
		"-untrusted",
		files[1],
		files[0],
	).
		CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := exec.Command(
		"openssl",
		"x509",
		"-in",
		files[0],
		"-noout",
		"-subject",
		"-nameopt",
		"sep_comma_plus_space,sname,utf8",
	).
		CombinedOutput()
	if err != nil ||
		strings.TrimSpace(
			string(text),
		) != "subject=C=FR, ST=Paris (75), O=EDITEUR FICTIF SANTE, OU=300000000029751, CN=demo" {
		t.Fatalf("%v: %s", err, text)
	}
}
