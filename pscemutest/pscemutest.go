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
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/emulator"
	"pscemu.invalid/pscemu/internal/api"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
	"pscemu.invalid/pscemu/provider/faults"
)

// Emulator is one that runs until its test ends. The fields of Ready say where
// it is and how the demo client authenticates.
type Emulator struct {
	emulator.Ready
	t      testing.TB
	api    *api.ClientWithResponses
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
	e := &Emulator{Ready: s.Ready(), t: t}
	if e.api, err = api.Open(e.APIURL, e.APIToken, "", nil); err != nil {
		t.Fatal(err)
	}
	return e
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
	e.done(e.api.CreateClientWithResponse(context.Background(), api.RegisteredClientInput{
		ClientId: c.ID, ClientSecret: c.Secret, RedirectUris: redirectURIs}))
	issued, err := e.api.IssueCertificateWithResponse(context.Background(),
		api.CertificateRequest{ClientId: c.ID, Profile: "AUTH_CLI"})
	e.done(issued, err)
	c.Certificate, err = tls.X509KeyPair([]byte(issued.JSON201.Certificate), []byte(issued.JSON201.Key))
	if err != nil {
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
	made, err := e.api.GenerateIdentitiesWithResponse(context.Background(), api.GenerationInput{
		Count: 1, Seed: int64(e.people), From: e.people, Profession: profession})
	e.done(made, err)
	return made.JSON201.Items[0].NationalId
}

// Behave sets how the person's phone answers from now on: approve, refuse,
// ignore, ask …
func (e *Emulator) Behave(person, action string) {
	e.t.Helper()
	e.done(e.api.SetBehaviourWithResponse(context.Background(), person, api.BehaviourOrderInput{Action: action}))
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
	done, err := e.api.PerformLoginWithResponse(context.Background(), api.Performance{
		AuthorizeUrl: authorizeURL, Identity: person, Means: api.Means(means)})
	e.done(done, err)
	return done.JSON201.RedirectTo
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
	found, err := e.api.WaitForLoginWithResponse(context.Background(),
		&api.WaitForLoginParams{Client: clientID, Event: event})
	e.done(found, err)
	var l Login
	if err := json.Unmarshal(found.Body, &l); err != nil {
		e.t.Fatal(err)
	}
	return &l
}

// Verify asserts of the client's newest login what `GET /api/v1/verify/expectations`
// lists: "pkce", "nonce", "userinfo=1", "no-refusal" … It waits two seconds for
// it to become true.
func (e *Emulator) Verify(clientID string, expect ...string) {
	e.t.Helper()
	said, err := e.api.VerifyLoginWithResponse(context.Background(), api.Assertion{Client: clientID, Expect: expect})
	e.done(said, err)
	for _, r := range said.JSON201.Results {
		if !r.Ok {
			e.t.Errorf("%s: got %q; see %s", r.Expect, r.Got, said.JSON201.Journal)
		}
	}
}

// Advance moves the clock on.
func (e *Emulator) Advance(d time.Duration) {
	e.t.Helper()
	by := d.String()
	e.done(e.api.SetClockWithResponse(context.Background(), api.ClockChange{Advance: &by}))
}

// Freeze stops the clock at a time.
func (e *Emulator) Freeze(at time.Time) {
	e.t.Helper()
	now, frozen := at.Format(time.RFC3339Nano), true
	e.done(e.api.SetClockWithResponse(context.Background(), api.ClockChange{Now: &now, Frozen: &frozen}))
}

// Fault orders faults instead of those in force; none takes all away.
func (e *Emulator) Fault(list ...faults.Fault) {
	e.t.Helper()
	order := api.FaultOrder{}
	for _, f := range list {
		order.Items = append(order.Items, api.FaultInput{Kind: string(f.Kind), Endpoint: string(f.Endpoint),
			ClientId: f.Client, Identity: f.Identity, Times: f.Times, Delay: f.Delay, Status: f.Status})
	}
	e.done(e.api.PutFaultsWithResponse(context.Background(), order))
}

// done fails the test when an operation was refused.
func (e *Emulator) done(answer api.Answer, err error) {
	e.t.Helper()
	if err := api.Refused(answer, err); err != nil {
		e.t.Fatal(err)
	}
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
	answer, err := api.Send(context.Background(), e.api, method, path, body)
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, path, err)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			e.t.Fatalf("%s %s: %v in %s", method, path, err, answer)
		}
	}
}
