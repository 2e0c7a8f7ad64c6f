// Package pscemutest starts an emulator inside `go test`, in memory and on free
// ports, with what a test needs: people, clients, logins, the clock, faults,
// and assertions on what the application did.
//
//	e := pscemutest.Start(t)
//	client := e.NewClient("http://localhost/callback")
//	person := e.NewPerson("10") // a doctor
//	back := e.LogIn(authorizeURL, person)
//	e.Verify(client.ID, "pkce", "nonce", "userinfo=1", "no-refusal")
package pscemutest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/emulator"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/provider/journal"
)

// Emulator is one that runs until its test ends. The fields of Ready say where
// it is and how the demo client authenticates.
type Emulator struct {
	emulator.Ready
	t      testing.TB
	people int
}

// free are the settings of every emulator here.
var free = map[string]string{
	"listen":         "127.0.0.1:0",
	"card-listen":    "127.0.0.1:0",
	"console-listen": "127.0.0.1:0",
	"memory":         "true",
}

// template is what every emulator begins with: keys, authorities and personas
// are made once a process, those too that others make at first use. Keys are shared, hosts and issuers are not.
var template = sync.OnceValues(func() (*store.Memory, error) {
	c := &clock.Adjustable{}
	m := store.NewMemory(c)
	s, err := start(m, c, nil)
	if err != nil {
		return nil, err
	}
	defer s.Close(context.Background())
	s.Warm(context.Background())
	return m.Clone(c), nil
})

func start(m *store.Memory, c *clock.Adjustable, settings map[string]string) (*emulator.Server, error) {
	all := map[string]string{}
	for _, from := range []map[string]string{free, settings} {
		for k, v := range from {
			all[k] = v
		}
	}
	loaded, err := config.Load(all, nil, "")
	if err != nil {
		return nil, err
	}
	offset, err := clock.ParseOffset(loaded.ClockOffset)
	if err != nil {
		return nil, err
	}
	if err := c.Start(offset); err != nil {
		return nil, err
	}
	return emulator.Start(context.Background(), emulator.Options{Settings: loaded, Version: "test", Store: m, Clock: c})
}

// Start runs an emulator until the test ends. Settings are NAME=VALUE, as in
// `pscemu config`: Start(t, "strict=true").
func Start(t testing.TB, settings ...string) *Emulator {
	t.Helper()
	from, err := template()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		values[name] = value
	}
	c := &clock.Adjustable{}
	s, err := start(from.Clone(c), c, values)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return &Emulator{Ready: s.Ready(), t: t}
}

// Roots trust the emulator's TLS certificate.
func (e *Emulator) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(e.CA))
	return pool
}

// HTTPClient trusts the emulator and presents this certificate, if any. It
// follows no redirects.
func (e *Emulator) HTTPClient(certificate ...tls.Certificate) *http.Client {
	return &http.Client{
		Timeout:       30 * time.Second,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: e.Roots(), Certificates: certificate}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Client is a registration with its certificate.
type Client struct {
	ID          string
	Secret      string
	RedirectURI string
	Certificate tls.Certificate
}

// Demo is the demo client, which any redirect URI on loopback may use.
func (e *Emulator) Demo() *Client {
	e.t.Helper()
	cert, err := tls.X509KeyPair([]byte(e.DemoClient.Certificate), []byte(e.DemoClient.Key))
	if err != nil {
		e.t.Fatal(err)
	}
	return &Client{e.DemoClient.ClientID, e.DemoClient.ClientSecret, e.DemoClient.RedirectURIs[0], cert}
}

// NewClient registers a client with these redirect URIs and issues its
// certificate of type ORG AUTH_CLI.
func (e *Emulator) NewClient(redirectURIs ...string) *Client {
	e.t.Helper()
	e.people++
	c := &Client{ID: fmt.Sprintf("client-%d", e.people), Secret: "secret", RedirectURI: redirectURIs[0]}
	e.Call(
		"POST",
		"/clients",
		map[string]any{"client_id": c.ID, "client_secret": c.Secret, "redirect_uris": redirectURIs},
		nil,
	)
	var issued struct{ Certificate, Key string }
	e.Call("POST", "/certificates", map[string]any{"client_id": c.ID, "profile": "AUTH_CLI"}, &issued)
	var err error
	if c.Certificate, err = tls.X509KeyPair([]byte(issued.Certificate), []byte(issued.Key)); err != nil {
		e.t.Fatal(err)
	}
	return c
}

// NewPerson makes somebody of this profession (a code of TRE_G15, such as 10
// for doctors, or CPE, CDE, CPA, CDA for staff), with e-CPS and card, and
// returns the national id.
func (e *Emulator) NewPerson(profession string) string {
	e.t.Helper()
	e.people++
	var made struct {
		Items []struct {
			NationalID string `json:"national_id"`
		}
	}
	e.Call(
		"POST",
		"/identities/generate",
		map[string]any{"count": 1, "seed": e.people, "from": e.people, "profession": profession},
		&made,
	)
	return made.Items[0].NationalID
}

// Behave sets how the person's phone answers from now on: approve, refuse,
// ignore, ask …
func (e *Emulator) Behave(person, action string) {
	e.t.Helper()
	e.Call("PUT", "/identities/"+url.PathEscape(person)+"/ecps/behaviour", map[string]string{"action": action}, nil)
}

// LogIn does the person's part for an authorize URL that the application made,
// with the e-CPS, and returns the callback URL to hand to the application.
func (e *Emulator) LogIn(authorizeURL, person string) string {
	e.t.Helper()
	return e.logIn(authorizeURL, person, "ecps")
}

// LogInByCard is LogIn with the person's card.
func (e *Emulator) LogInByCard(authorizeURL, person string) string {
	e.t.Helper()
	return e.logIn(authorizeURL, person, "card")
}

func (e *Emulator) logIn(authorizeURL, person, means string) string {
	e.t.Helper()
	var done struct {
		RedirectTo string `json:"redirect_to"`
	}
	e.Call(
		"POST",
		"/logins",
		map[string]string{"authorize_url": authorizeURL, "identity": person, "means": means},
		&done,
	)
	return done.RedirectTo
}

// Login is one passage from authorize to logout, as the journal tells it.
type Login struct {
	ID         string  `json:"id"`
	ClientID   string  `json:"client_id"`
	NationalID string  `json:"national_id"`
	Events     []Event `json:"events"`
}

// Event is a step of a login; Code says why it was refused, "" that it was not.
type Event struct {
	Kind   string            `json:"kind"`
	Code   string            `json:"code"`
	Reason string            `json:"reason"`
	Detail map[string]string `json:"detail"`
}

// Wait returns the newest login of the client with this event, and waits ten
// seconds for it.
func (e *Emulator) Wait(clientID, event string) *Login {
	e.t.Helper()
	var l Login
	e.Call("GET", "/logins/wait?"+url.Values{"client": {clientID}, "event": {event}}.Encode(), nil, &l)
	return &l
}

// Verify asserts of the client's newest login what `GET /api/v1/verify/expectations`
// lists: "pkce", "nonce", "userinfo=1", "no-refusal" … It waits two seconds for
// it to become true.
func (e *Emulator) Verify(clientID string, expect ...string) {
	e.t.Helper()
	var v struct {
		OK      bool             `json:"ok"`
		Results []journal.Result `json:"results"`
		Journal string           `json:"journal"`
	}
	e.Call("POST", "/verify", map[string]any{"client": clientID, "expect": expect}, &v)
	for _, r := range v.Results {
		if !r.OK {
			e.t.Errorf("%s: got %q; see %s", r.Expect, r.Got, v.Journal)
		}
	}
}

// Advance moves the clock on.
func (e *Emulator) Advance(d time.Duration) {
	e.t.Helper()
	e.Call("PUT", "/clock", map[string]string{"advance": d.String()}, nil)
}

// Freeze stops the clock at a time.
func (e *Emulator) Freeze(at time.Time) {
	e.t.Helper()
	e.Call("PUT", "/clock", map[string]any{"now": at, "frozen": true}, nil)
}

// Fault orders faults instead of those in force; none takes all away.
func (e *Emulator) Fault(list ...faults.Fault) {
	e.t.Helper()
	e.Call("PUT", "/faults", map[string]any{"items": append([]faults.Fault{}, list...)}, nil)
}

// Call calls the control API; out may be nil. A refusal fails the test.
func (e *Emulator) Call(method, path string, in, out any) {
	e.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		e.t.Fatal(err)
	}
	if in == nil {
		body = nil
	}
	req, err := http.NewRequest(method, e.APIURL+path, bytes.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+e.APIToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	if resp.StatusCode >= 400 {
		e.t.Fatalf("%s %s: %s", method, path, answer)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			e.t.Fatalf("%s %s: %v in %s", method, path, err, answer)
		}
	}
}
