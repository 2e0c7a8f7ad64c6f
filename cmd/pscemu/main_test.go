package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pscemu-test")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "pscemu")
	build := exec.Command("go", "build", "-ldflags", "-X pscemu/store.nesting=panic", "-o", binary, ".")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// now is the time of the emulators that a test starts: PSCEMU_CLOCK_OFFSET, which
// they read too, moves it by years.
func now() time.Time {
	offset, _ := time.ParseDuration(os.Getenv("PSCEMU_CLOCK_OFFSET"))
	return time.Now().Add(offset)
}

// server is one running emulator.
type server struct {
	Ready
	t    *testing.T
	data string
	cmd  *exec.Cmd
	done chan error
}

// boot starts the program on free ports and waits for its line of readiness.
func boot(t *testing.T, args ...string) *server { return bootIn(t, t.TempDir(), args...) }

func bootIn(t *testing.T, data string, args ...string) *server {
	t.Helper()
	return bootLogging(t, data, os.Stderr, args...)
}

// bootLogging also says where the log goes.
func bootLogging(t *testing.T, data string, log io.Writer, args ...string) *server {
	t.Helper()
	all := append(
		[]string{
			"serve",
			"--data",
			data,
			"--output",
			"json",
			"--listen",
			"127.0.0.1:0",
			"--card-listen",
			"127.0.0.1:0",
			"--console-listen",
			"127.0.0.1:0",
		},
		args...)
	cmd := exec.Command(binary, all...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, data: data, cmd: cmd, done: make(chan error, 1)}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("no line of readiness: %v", err)
	}
	if err := json.Unmarshal(line, &s.Ready); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- cmd.Wait() }()
	t.Cleanup(func() { s.stop(syscall.SIGKILL) })
	return s
}

func (s *server) stop(sig os.Signal) {
	if s.cmd.Process == nil || s.done == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig)
	<-s.done
	s.done = nil
}

// cli runs a command against the server and returns its standard output.
func (s *server) cli(args ...string) string {
	s.t.Helper()
	out, err := exec.Command(binary, append(args, "--data", s.data)...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		s.t.Fatalf("pscemu %s: %v: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	return string(out)
}

// api calls the control API.
func (s *server) api(method, path, body string, out any) int {
	s.t.Helper()
	req, err := http.NewRequest(method, s.APIURL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.APIToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if out != nil && len(data) > 0 {
		if err := json.Unmarshal(data, out); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, data)
		}
	}
	return resp.StatusCode
}

func (s *server) roots() *x509.CertPool {
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		s.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

// http is a client that presents this certificate whatever the server asks for.
func (s *server) http(cert *tls.Certificate) *http.Client {
	cfg := &tls.Config{RootCAs: s.roots(), Time: now}
	if cert != nil {
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	return &http.Client{
		Timeout:       20 * time.Second,
		Transport:     &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (s *server) demoCertificate() *tls.Certificate {
	cert, err := tls.LoadX509KeyPair(s.DemoClient.CertificateFile, s.DemoClient.KeyFile)
	if err != nil {
		s.t.Fatal(err)
	}
	return &cert
}

// browser follows redirects with cookies, until one leaves the emulator.
func (s *server) browser() *http.Client {
	jar, _ := cookiejar.New(nil)
	c := s.http(nil)
	c.Jar = jar
	c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), s.BaseURL) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return c
}

const callbackURL = "http://localhost:5555/callback"

// relyingParty is a vendor's application on golang.org/x/oauth2 and
// coreos/go-oidc, which know nothing of the emulator.
type relyingParty struct {
	s        *server
	ctx      context.Context
	provider *oidc.Provider
	oauth    oauth2.Config
}

func newRelyingParty(s *server, cert *tls.Certificate) *relyingParty {
	s.t.Helper()
	ctx := oidc.ClientContext(context.Background(), s.http(cert))
	p, err := oidc.NewProvider(ctx, s.Issuer)
	if err != nil {
		s.t.Fatal(err)
	}
	endpoint := p.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	return &relyingParty{
		s,
		ctx,
		p,
		oauth2.Config{
			ClientID:    s.DemoClient.ClientID,
			Endpoint:    endpoint,
			RedirectURL: callbackURL,
			Scopes:      []string{"openid", "scope_all"},
		},
	}
}

// login logs in through the door and returns the callback's parameters.
func (rp *relyingParty) login(who string, options ...oauth2.AuthCodeOption) url.Values {
	rp.s.t.Helper()
	options = append(
		options,
		oauth2.SetAuthURLParam("login_hint", "auto:"+who),
		oauth2.SetAuthURLParam("acr_values", "eidas1"),
	)
	resp, err := rp.s.browser().Get(rp.oauth.AuthCodeURL("the-state|with.odd signs", options...))
	if err != nil {
		rp.s.t.Fatal(err)
	}
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		rp.s.t.Fatalf("no callback: %v (%s)", err, resp.Status)
	}
	return back.Query()
}

func (rp *relyingParty) tokens(who string, nonce string) *oauth2.Token {
	rp.s.t.Helper()
	verifier := oauth2.GenerateVerifier()
	q := rp.login(who, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))
	t, err := rp.oauth.Exchange(rp.ctx, q.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		rp.s.t.Fatal(err)
	}
	return t
}

// userInfo logs a person in and returns what the relying party receives.
func (rp *relyingParty) userInfo(who string) []byte {
	rp.s.t.Helper()
	req, _ := http.NewRequest(http.MethodGet, rp.s.Issuer+"/protocol/openid-connect/userinfo", nil)
	rp.tokens(who, "").SetAuthHeader(req)
	resp, err := rp.s.http(nil).Do(req)
	if err != nil {
		rp.s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		rp.s.t.Fatalf("%s %s %v", resp.Status, body, err)
	}
	return body
}

const (
	doctor = "899790011177"
	nurse  = "899790022349"
	staff  = "500000000029751/CPET00001"
)

// issued makes one more certificate for the client.
func (s *server) issued(client string) *tls.Certificate {
	s.t.Helper()
	var files struct {
		Certificate string `json:"certificate_file"`
		Key         string `json:"key_file"`
	}
	if err := json.Unmarshal(
		[]byte(s.cli("certificates", "issue", "--client", client, "--out", s.t.TempDir(), "--output", "json")),
		&files,
	); err != nil {
		s.t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	return &cert
}

// replace changes a file's text, which must be there.
func replace(t *testing.T, file, from, to string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(b), from) {
		t.Fatalf("%s holds no %s: %v", file, from, err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// text is an answer's body.
func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// bearerStatus is what UserInfo says to a token.
func (s *server) bearerStatus(token string) int {
	s.t.Helper()
	req, _ := http.NewRequest(http.MethodGet, s.Issuer+"/protocol/openid-connect/userinfo", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := s.http(nil).Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func decode(r io.Reader, into any) error { return json.NewDecoder(r).Decode(into) }

// eventually waits for a condition, ten seconds at most.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// fails runs a command that is to fail, and returns all it says and its exit code.
func (s *server) fails(args ...string) (string, int) {
	s.t.Helper()
	cmd := exec.Command(binary, append(args, "--data", s.data)...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		s.t.Fatalf("pscemu %s: done, expected a failure: %s", strings.Join(args, " "), out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
