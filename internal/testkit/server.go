package testkit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/emulator"
	"pscemu.invalid/pscemu/pscemutest"
)

// offset is how far the emulators' clock is from the machine's; a suite that
// runs in other years sets it.
const offset = "PSCEMU_CLOCK_OFFSET"

// Server is a running emulator as a test sees it: its announcement, and the test
// that fails when a call does.
type Server struct {
	emulator.Ready
	T testing.TB

	// Data is the folder of an emulator that StartIn started.
	Data string

	stop func()
}

// Start runs an emulator in memory until the test ends. Settings are NAME=VALUE.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	return For(t, pscemutest.Start(t, inYears(settings)...).Ready)
}

// StartIn runs an emulator on a data folder, until it is stopped or the test
// ends. Without settings of addresses its ports are free ones. An empty folder
// begins as a copy of one that holds keys, authorities and personas.
func StartIn(t testing.TB, data string, settings ...string) *Server {
	t.Helper()
	files, err := furnished()
	if err != nil {
		t.Fatal(err)
	}
	if there, err := os.ReadDir(data); err != nil || len(there) > 0 {
		return StartFresh(t, data, settings...)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(data, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return StartFresh(t, data, settings...)
}

// furnished are the files of a data folder whose keys and authorities are made.
var furnished = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "pscemu-testkit")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	s, err := start(dir)
	if err != nil {
		return nil, err
	}
	s.Warm(context.Background())
	s.Close(context.Background())
	files := map[string][]byte{}
	all, err := os.ReadDir(dir)
	for _, f := range all {
		if !f.Type().IsRegular() {
			continue
		}
		if files[f.Name()], err = os.ReadFile(filepath.Join(dir, f.Name())); err != nil {
			return nil, err
		}
	}
	return files, err
})

// StartFresh is StartIn with keys and authorities of the emulator's own, where
// the folder holds none.
func StartFresh(t testing.TB, data string, settings ...string) *Server {
	t.Helper()
	running, err := start(data, settings...)
	if err != nil {
		t.Fatal(err)
	}
	s := For(t, running.Ready())
	s.Data = data
	s.stop = func() { running.Close(context.Background()) }
	t.Cleanup(s.Stop)
	return s
}

func start(data string, settings ...string) (*emulator.Server, error) {
	all := map[string]string{
		"data":           data,
		"listen":         "127.0.0.1:0",
		"card-listen":    "127.0.0.1:0",
		"console-listen": "127.0.0.1:0",
	}
	for _, s := range inYears(settings) {
		name, value, _ := strings.Cut(s, "=")
		all[name] = value
	}
	loaded, err := config.Load(all, nil, "")
	if err != nil {
		return nil, err
	}
	return emulator.Start(context.Background(), emulator.Options{Settings: loaded, Version: "test"})
}

// For is an emulator that runs already.
func For(t testing.TB, r emulator.Ready) *Server { return &Server{Ready: r, T: t} }

// Stop ends an emulator that StartIn started.
func (s *Server) Stop() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

func inYears(settings []string) []string {
	if by := os.Getenv(offset); by != "" {
		return append([]string{"clock-offset=" + by}, settings...)
	}
	return settings
}

// Now is the time of the emulators that a test starts.
func Now() time.Time {
	by, _ := time.ParseDuration(os.Getenv(offset))
	return time.Now().Add(by)
}

// Space makes an isolated emulator in the server, to use as one of its own.
func (s *Server) Space(name string) *Server {
	s.T.Helper()
	var made struct {
		Name string
		emulator.Ready
	}
	if status := s.API("POST", "/spaces", `{"name":"`+name+`"}`, &made); status != 201 {
		s.T.Fatalf("making a space: %d", status)
	}
	return For(s.T, made.Ready)
}

// API calls the control API and reads its answer into out, unless that is nil.
func (s *Server) API(method, path, body string, out any) int {
	s.T.Helper()
	req, err := http.NewRequest(method, s.APIURL+path, strings.NewReader(body))
	if err != nil {
		s.T.Fatal(err)
	}
	status, data, err := s.call(req)
	if err != nil {
		s.T.Fatal(err)
	}
	if out != nil && len(data) > 0 {
		if err := json.Unmarshal(data, out); err != nil {
			s.T.Fatalf("%s %s: %v in %s", method, path, err, data)
		}
	}
	return status
}

// Call is a call of the control API that many may make at once: its status and
// its answer.
func (s *Server) Call(method, path string, body any) (int, []byte) {
	s.T.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		s.T.Fatal(err)
	}
	req, err := http.NewRequest(method, s.APIURL+path, strings.NewReader(string(raw)))
	if err != nil {
		s.T.Fatal(err)
	}
	status, answer, err := s.call(req)
	if err != nil {
		s.T.Error(err)
	}
	return status, answer
}

// Must is a call that succeeds.
func (s *Server) Must(method, path string, body, into any) {
	s.T.Helper()
	status, answer := s.Call(method, path, body)
	if status >= 300 || status == 0 {
		s.T.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			s.T.Fatalf("%s %s: %v in %s", method, path, err, answer)
		}
	}
}

// apiClient keeps connections for calls that are made at once.
var apiClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 50}}

func (s *Server) call(req *http.Request) (int, []byte, error) {
	req.Header.Set("Authorization", "Bearer "+s.APIToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := apiClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, data, err
}

// Roots trust the emulator's TLS certificate.
func (s *Server) Roots() *x509.CertPool {
	pem := []byte(s.CA)
	if s.CA == "" {
		var err error
		if pem, err = os.ReadFile(s.CAFile); err != nil {
			s.T.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

// HTTP is a client that presents this certificate whatever the server asks for.
// It follows no redirects.
func (s *Server) HTTP(cert *tls.Certificate) *http.Client {
	cfg := &tls.Config{RootCAs: s.Roots(), Time: Now}
	if cert != nil {
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	return &http.Client{
		Timeout:       20 * time.Second,
		Transport:     &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Browser follows redirects with cookies, until one leaves the emulator.
func (s *Server) Browser() *http.Client {
	jar, _ := cookiejar.New(nil)
	c := s.HTTP(nil)
	c.Jar = jar
	c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), s.BaseURL) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return c
}

// DemoCertificate is the demo client's.
func (s *Server) DemoCertificate() *tls.Certificate {
	s.T.Helper()
	d := s.DemoClient
	cert, err := tls.X509KeyPair([]byte(d.Certificate), []byte(d.Key))
	if d.CertificateFile != "" {
		cert, err = tls.LoadX509KeyPair(d.CertificateFile, d.KeyFile)
	}
	if err != nil {
		s.T.Fatal(err)
	}
	return &cert
}

// Issued makes one more certificate for the client.
func (s *Server) Issued(client string) *tls.Certificate {
	s.T.Helper()
	var made struct{ Certificate, Key string }
	s.Must("POST", "/certificates", map[string]any{"client_id": client, "profile": "AUTH_CLI"}, &made)
	cert, err := tls.X509KeyPair([]byte(made.Certificate), []byte(made.Key))
	if err != nil {
		s.T.Fatal(err)
	}
	return &cert
}

// AddClient registers a client that is not there yet.
func (s *Server) AddClient(id string, redirectURIs ...string) {
	s.T.Helper()
	s.Must("POST", "/clients", map[string]any{"client_id": id, "redirect_uris": redirectURIs}, nil)
}

// AddExactClient registers the client "exact", whose redirect URIs are matched
// exactly.
func (s *Server) AddExactClient() {
	s.T.Helper()
	s.AddClient("exact", "https://app.example/cb?x=1", "https://app.example/plain")
}

// CardCertificate is a card with its key, as a browser holds it.
func (s *Server) CardCertificate(serial string) *tls.Certificate {
	s.T.Helper()
	raw := Fetched(s.T, s.Ready, "/cards/"+url.PathEscape(serial)+"/p12")
	key, own, chain, err := pkcs12.DecodeChain(raw, "pscemu")
	if err != nil {
		s.T.Fatal(err)
	}
	cert := &tls.Certificate{Certificate: [][]byte{own.Raw}, PrivateKey: key, Leaf: own}
	for _, c := range chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return cert
}

// Attempt calls the control API of a server that may be killed meanwhile: 0 then.
func (s *Server) Attempt(method, path, body string, out any) int {
	req, err := http.NewRequest(method, s.APIURL+path, strings.NewReader(body))
	if err != nil {
		return 0
	}
	status, data, err := s.call(req)
	if err != nil || out != nil && json.Unmarshal(data, out) != nil {
		return 0
	}
	return status
}

// WholeStore looks at everything that is kept.
func (s *Server) WholeStore() {
	s.T.Helper()
	CheckWholeStore(s.T, Fetched(s.T, s.Ready, "/state"))
}
