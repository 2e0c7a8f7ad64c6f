package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"pscemu.invalid/pscemu/internal/testkit"
)

// A card carries two certificates with the same subject: one logs in, the other
// signs, and neither does the other's work.
func TestACardSignsWithItsSecondCertificate(t *testing.T) {
	s := boot(t)
	dir := t.TempDir()
	serial := s.CardOf(testkit.Nurse).Serial
	file := func(name string) string { return filepath.Join(dir, name) }
	openssl := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("openssl", args...).CombinedOutput()
		if err != nil {
			t.Errorf("openssl %v: %s", args, out)
		}
		return string(out)
	}
	subjects := map[string]string{}
	for use, flags := range map[string][]string{"auth": nil, "sign": {"--sign"}} {
		s.cli(append([]string{"cards", "export", serial, "--p12", file(use + ".p12")}, flags...)...)
		openssl("pkcs12", "-in", file(use+".p12"), "-passin", "pass:pscemu", "-nodes", "-out", file(use+".pem"))
		subjects[use] = openssl("x509", "-in", file(use+".pem"), "-noout", "-subject")
	}
	if subjects["auth"] != subjects["sign"] || !strings.Contains(subjects["sign"], testkit.Nurse) {
		t.Errorf("the subjects: %v", subjects)
	}
	if text := openssl(
		"x509",
		"-in",
		file("sign.pem"),
		"-noout",
		"-text",
	); !strings.Contains(text, "Non Repudiation") ||
		strings.Contains(text, "TLS Web Client") {
		t.Errorf("the signature certificate: %s", text)
	}
	if err := os.WriteFile(file("ordonnance.txt"), []byte("Ordonnance 42"), 0o600); err != nil {
		t.Fatal(err)
	}
	openssl(
		"cms",
		"-sign",
		"-in",
		file("ordonnance.txt"),
		"-signer",
		file("sign.pem"),
		"-out",
		file("signed.cms"),
		"-outform",
		"DER",
		"-nodetach",
		"-binary",
	)
	if got := openssl(
		"cms",
		"-verify",
		"-in",
		file("signed.cms"),
		"-inform",
		"DER",
		"-CAfile",
		file("sign.pem"),
		"-purpose",
		"any",
	); !strings.Contains(
		got,
		"Ordonnance 42",
	) {
		t.Errorf("the signature: %s", got)
	}
	if got := s.CodeOf("GET", "/cards/"+serial+"/certificate?use=cook", ""); got != "use-unknown" {
		t.Errorf("another use: %s", got)
	}
}

func TestBrowserACardsFaceReaderAndOpposition(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	serial := s.CardOf(testkit.Nurse).Serial
	var id string
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/cards/"+serial),
		visible("card-face"),
		chromedp.TextContent(hook("card-id"), &id, chromedp.ByQuery),
		shot("card-face"),
		press("card-insert"),
		visible("card-pull"),
	)
	if id != testkit.Nurse {
		t.Errorf("the face shows %q above the name", id)
	}
	do(
		t,
		ctx,
		toLoginPage(s),
		visible("login-page"),
		press("tab-card"),
		visible("card-choice"),
		chromedp.SendKeys("#pin", "1234", chromedp.ByQuery),
		press("submit-card"),
		visible("demo-logged-in"),
	)
	do(
		t,
		ctx,
		chromedp.Navigate(s.ConsoleURL+"/cards/"+serial),
		press("card-pull"),
		visible("card-insert"),
		press("card-oppose"),
		visible("card-state"),
	)
	if got := textOf(t, ctx, "card-state"); got != "opposed" {
		t.Errorf("the card is %s", got)
	}
	do(t, ctx, chromedp.Navigate(s.ConsoleURL+"/cards"), press("order-kit"), visible("people-find"), shot("kit"))
	var found struct{ Items []any }
	if s.API("GET", "/identities?q=integration", "", &found); len(found.Items) != 5 {
		t.Errorf("the kit's people: %v", found)
	}
}

// SoftHSM holds the card as a reader would; OpenSSL logs in with it, once the
// code porteur opened it.
func TestACardAsASoftHSMTokenLogsInWithOpenSSL(t *testing.T) {
	s := boot(t)
	dir := t.TempDir()
	card := s.CardOf(testkit.Doctor)
	var made struct {
		Token, Module, Config string
		KeyURI                string `json:"key_uri"`
	}
	if err := json.Unmarshal([]byte(s.cli("cards", "export", card.Serial, "--softhsm", dir)), &made); err != nil {
		t.Fatal(err)
	}
	tool := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(name, args...)
		c.Env = append(os.Environ(), "SOFTHSM2_CONF="+made.Config, "PKCS11_MODULE_PATH="+made.Module)
		return c
	}
	out, err := tool(
		"pkcs11-tool",
		"--module",
		made.Module,
		"--token-label",
		made.Token,
		"--login",
		"--pin",
		card.PIN,
		"--list-objects",
	).CombinedOutput()
	for _, want := range []string{
		"Certificat d'Authentification CPS",
		"Certificat de Signature CPS",
		"CPS_ID_CARD",
		"CPS_NAME_PS",
		"CPS_INFO_PS",
		"CPS_ACTIVITY_01_PS",
		"CPS_ACTIVITY_08_PS",
	} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: no %s in %s", err, want, out)
		}
	}
	public, _ := tool(
		"pkcs11-tool",
		"--module",
		made.Module,
		"--token-label",
		made.Token,
		"--list-objects",
	).CombinedOutput()
	if strings.Contains(string(public), "CPS_ACTIVITY_01_PS") || !strings.Contains(string(public), "CPS_ID_CARD") {
		t.Errorf("without the code: %s", public)
	}
	if out, err := tool(
		"pkcs11-tool",
		"--module",
		made.Module,
		"--token-label",
		made.Token,
		"--login",
		"--pin",
		"9999",
		"--list-objects",
	).CombinedOutput(); err == nil {
		t.Errorf("a wrong code opens the token: %s", out)
	}
	// NSS, which browsers find their tokens with, opens it with the code porteur.
	db, code := "sql:"+t.TempDir(), filepath.Join(dir, "code")
	if err := os.WriteFile(code, []byte(card.PIN), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range [][]string{
		{"certutil", "-N", "-d", db, "--empty-password"},
		{"modutil", "-force", "-add", "CPS", "-libfile", made.Module, "-dbdir", db},
	} {
		if out, err := tool(step[0], step[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", step, out)
		}
	}
	if out, err := tool(
		"certutil",
		"-K",
		"-d",
		db,
		"-h",
		made.Token,
		"-f",
		code,
	).CombinedOutput(); err != nil ||
		!strings.Contains(string(out), "Certificat d'Authentification CPS") {
		t.Errorf("NSS: %v %s", err, out)
	}
	// The browser's way to the card origin, with OpenSSL in the browser's place.
	browser, page, _ := s.AtCard()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := browser.Get(page + "/card-browser")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	pem := filepath.Join(dir, "card.pem")
	cert := s.CardPEM(card.Serial)
	if err := os.WriteFile(pem, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	c := tool(
		"openssl",
		"s_client",
		"-quiet",
		"-connect",
		to.Host,
		"-CAfile",
		s.CAFile,
		"-cert",
		pem,
		"-engine",
		"pkcs11",
		"-keyform",
		"engine",
		"-key",
		made.KeyURI+";pin-value="+card.PIN,
	)
	c.Stdin = strings.NewReader(
		"GET " + to.RequestURI() + " HTTP/1.1\r\nHost: " + to.Host + "\r\nCookie: " + cookies(
			browser,
			to,
		) + "\r\nConnection: close\r\n\r\n",
	)
	answer, err := c.CombinedOutput()
	_, location, found := strings.Cut(string(answer), "Location: ")
	if err != nil && !found || !found {
		t.Fatalf("%v: %s", err, answer)
	}
	location, _, _ = strings.Cut(location, "\r\n")
	resp, err = browser.Get(location)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if back := resp.Header.Get("Location"); !strings.HasPrefix(
		back,
		testkit.CallbackURL,
	) || !strings.Contains(back, "code=") {
		t.Errorf("%s %s", resp.Status, back)
	}
}

// cookies are what a browser sends to an address.
func cookies(browser *http.Client, to *url.URL) string {
	var all []string
	for _, c := range browser.Jar.Cookies(to) {
		all = append(all, c.Name+"="+c.Value)
	}
	return strings.Join(all, "; ")
}

const javaClient = `import java.io.*; import java.net.*; import java.net.http.*; import java.security.*;
import java.security.cert.*; import javax.net.ssl.*;
public class Client { public static void main(String[] a) throws Exception {
  KeyStore store = KeyStore.getInstance("PKCS12"); store.load(new FileInputStream(a[0]), "pscemu".toCharArray());
  KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm()); 
  keys.init(store, "pscemu".toCharArray());
  KeyStore roots = KeyStore.getInstance(KeyStore.getDefaultType()); roots.load(null);
  roots.setCertificateEntry("ca",
    CertificateFactory.getInstance("X.509")
    .generateCertificate(new FileInputStream(a[1])));
  TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
  trust.init(roots);
  SSLContext tls = SSLContext.getInstance("TLS"); tls.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
  HttpRequest r = HttpRequest.newBuilder(URI.create(a[2]))
    .header("Content-Type", "application/x-www-form-urlencoded")
    .POST(HttpRequest.BodyPublishers.ofString("grant_type=refresh_token&client_id=demo&refresh_token=x")).build();
  System.out.println(HttpClient.newBuilder().sslContext(tls).build()
    .send(r, HttpResponse.BodyHandlers.ofString()).body()); } }`

// The p12 as Java reads it, modern and legacy; curl with PEM and with p12.
func TestJavaAndCurlPresentTheP12(t *testing.T) {
	s := boot(t)
	dir := t.TempDir()
	source := filepath.Join(dir, "Client.java")
	if err := os.WriteFile(source, []byte(javaClient), 0o600); err != nil {
		t.Fatal(err)
	}
	var issued struct {
		Serial  string
		P12File string `json:"p12_file"`
	}
	if err := json.Unmarshal([]byte(s.cli("certificates", "issue", "--out", dir)), &issued); err != nil {
		t.Fatal(err)
	}
	legacy := filepath.Join(dir, "legacy.p12")
	req, _ := http.NewRequest(http.MethodGet, s.APIURL+"/certificates/"+issued.Serial+"/p12?legacy=true", nil)
	req.Header.Set("Authorization", "Bearer "+s.APIToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err := os.WriteFile(legacy, b, 0o600); err != nil {
		t.Fatal(err)
	}
	token := s.Issuer + "/protocol/openid-connect/token"
	for name, c := range map[string]*exec.Cmd{
		"Java":         exec.Command("java", source, issued.P12File, s.CAFile, token),
		"Java, legacy": exec.Command("java", source, legacy, s.CAFile, token),
		"curl with the p12": exec.Command(
			"curl",
			"-s",
			"--cacert",
			s.CAFile,
			"--cert-type",
			"P12",
			"--cert",
			issued.P12File+":pscemu",
			"-d",
			"grant_type=refresh_token&client_id=demo&refresh_token=x",
			token,
		),
	} {
		// invalid_grant: the client was accepted, its refresh token was not.
		if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "invalid_grant") {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}

// What is signed with a card is verified: by whom, of which text, with which
// certificate; a lost card's signature no longer is.
func TestBrowserSignAndVerifyWithACard(t *testing.T) {
	s := boot(t)
	ctx := chrome(t, s, "")
	serial := s.CardOf(testkit.Nurse).Serial
	write := []chromedp.Action{
		chromedp.SetValue(hook("sign-pin"), "1234", chromedp.ByQuery),
		chromedp.SetValue(hook("sign-text"), "Ordonnance 42", chromedp.ByQuery),
	}
	do(
		t,
		ctx,
		append(
			append([]chromedp.Action{chromedp.Navigate(s.ConsoleURL + "/sign?card=" + serial)}, write...),
			press("sign-submit"),
			visible("signed-by"),
			shot("sign"),
		)...)
	if got := textOf(t, ctx, "signed-by"); !strings.Contains(got, testkit.Nurse) {
		t.Errorf("signed by %s", got)
	}
	do(t, ctx, append(write, click("sign-alter"), press("sign-submit"), visible("error"))...)
	if got := textOf(t, ctx, "error"); !strings.Contains(got, "signature-wrong") {
		t.Errorf("an altered text: %s", got)
	}
	var signed struct {
		Text, Signature, Certificate string
		Code                         string
	}
	s.API("POST", "/cards/"+serial+"/sign", `{"pin":"1234","text":"x"}`, &signed)
	verify := func() string {
		body, _ := json.Marshal(
			map[string]string{"text": signed.Text, "signature": signed.Signature, "certificate": signed.Certificate},
		)
		return s.CodeOf("POST", "/cards/verify", string(body))
	}
	if got := verify(); got != "" {
		t.Error(got)
	}
	if got := s.CodeOf("POST", "/cards/"+serial+"/sign", `{"pin":"0000","text":"x"}`); got != "pin-wrong" {
		t.Error(got)
	}
	s.Must("POST", "/cards/"+serial+"/oppose", nil, nil)
	if got := verify(); got != "certificate-revoked" {
		t.Errorf("after the opposition: %s", got)
	}
}
