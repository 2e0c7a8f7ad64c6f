// Package doctor finds what keeps a first login from working before anybody
// tries: host names, trust, clock, redirect URIs, proxies, certificates. Each
// finding comes with its remedy.
package doctor

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/problem"
	"pscemu.invalid/pscemu/provider/clients"
)

// Grade is how bad a finding is.
type Grade string

// The grades.
const (
	Good    Grade = "good"
	Warning Grade = "warning"
	Bad     Grade = "bad"
)

// Finding is one thing that was looked at.
type Finding struct {
	What   string `json:"what"`
	Grade  Grade  `json:"grade"`
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"`
}

// Pair is a client certificate with its key.
type Pair struct {
	Name        string
	Certificate tls.Certificate
}

// Patient is what is examined.
type Patient struct {
	Base, Issuer string // of the emulator
	Roots        *x509.CertPool
	Clock        clock.State
	Clients      Clients
	Certificates []Pair
	App          string // URL that begins a login, "" to leave the application out
}

// Clients are the registrations, however many.
type Clients interface {
	Each(ctx context.Context, fn func(*clients.Client) error) error
	Get(ctx context.Context, id string) (*clients.Client, error)
}

// examiner looks at one thing; it may find nothing to say.
type examiner func(ctx context.Context, p *Patient) []Finding

// Examine looks at everything.
func Examine(ctx context.Context, p *Patient) []Finding {
	out := []Finding{}
	for _, look := range []examiner{
		hostNames, trust, discovery, clockSkew, environment, redirectURIs, certificates, application,
	} {
		out = append(out, look(ctx, p)...)
	}
	return out
}

func good(what, found string) []Finding { return []Finding{{what, Good, found, ""}} }
func warn(what, found, remedy string) []Finding {
	return []Finding{{what, Warning, found, remedy}}
}
func bad(what, found, remedy string) []Finding { return []Finding{{what, Bad, found, remedy}} }

// hostNames looks whether the emulator's name leads to it, by IPv4 and IPv6.
func hostNames(ctx context.Context, p *Patient) []Finding {
	const what = "host name"
	u, err := url.Parse(p.Base)
	if err != nil {
		return bad(what, err.Error(), "set --public-url")
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, u.Hostname())
	if err != nil {
		return bad(
			what,
			u.Hostname()+" leads nowhere: "+err.Error(),
			"add it to the hosts file: pscemu hosts prints the lines",
		)
	}
	var dead, live []string
	for _, ip := range ips {
		c, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(
			ctx,
			"tcp",
			net.JoinHostPort(ip.String(), portOf(u)),
		)
		if err != nil {
			dead = append(dead, ip.String())
			continue
		}
		_ = c.Close()
		live = append(live, ip.String())
	}
	switch {
	case len(live) == 0:
		return bad(
			what,
			fmt.Sprintf("%s leads to %s, where nobody answers", u.Hostname(), strings.Join(dead, ", ")),
			"start the emulator on that address (--listen), or correct the hosts file",
		)
	case len(dead) > 0:
		return warn(
			what,
			fmt.Sprintf(
				"%s leads to %s, but the emulator answers at %s only: some clients try the first alone, or wait",
				u.Hostname(),
				strings.Join(append(live, dead...), " and "),
				strings.Join(live, ", "),
			),
			"let your client prefer "+family(live[0])+", or use the address itself in --public-url",
		)
	}
	return good(what, u.Hostname()+" leads to "+strings.Join(live, ", "))
}

func family(ip string) string {
	if strings.Contains(ip, ":") {
		return "IPv6"
	}
	return "IPv4"
}

func portOf(u *url.URL) string {
	if u.Port() != "" {
		return u.Port()
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

func (p *Patient) client(jar http.CookieJar) *http.Client {
	return &http.Client{
		Timeout:       10 * time.Second,
		Jar:           jar,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.Roots}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// trust looks at the emulator's TLS certificate as a client of this machine
// would, without and with its authority.
func trust(ctx context.Context, p *Patient) []Finding {
	const what = "trust"
	u, err := url.Parse(p.Base)
	if err != nil {
		return nil
	}
	shake := func(roots *x509.CertPool) error {
		d := tls.Dialer{
			NetDialer: &net.Dialer{Timeout: 3 * time.Second},
			Config:    &tls.Config{RootCAs: roots, ServerName: u.Hostname()},
		}
		c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), portOf(u)))
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	var name x509.HostnameError
	switch err := shake(p.Roots); {
	case errors.As(err, &name):
		return bad(what, "the certificate is not for "+u.Hostname(), "start with --public-url or --hosts "+u.Hostname())
	case err != nil:
		return bad(
			what,
			err.Error(),
			"a proxy that opens TLS between client and emulator loses the client certificate: take it out of the way",
		)
	case shake(nil) != nil:
		return warn(
			what,
			"this machine does not trust the emulator's authority by itself",
			"give server-ca.pem of the data folder to your HTTP client (NODE_EXTRA_CA_CERTS, REQUESTS_CA_BUNDLE, "+
				"a Java trust store, SSL_CERT_FILE), or install it while you test",
		)
	}
	return good(what, "the emulator's authority is trusted on this machine")
}

func discovery(ctx context.Context, p *Patient) []Finding {
	const what = "discovery"
	at := p.Issuer + "/.well-known/openid-configuration"
	resp, err := p.get(ctx, p.client(nil), at)
	if err != nil {
		return bad(what, err.Error(), "is the emulator running?")
	}
	defer resp.Body.Close()
	var d struct{ Issuer string }
	if err := json.NewDecoder(resp.Body).Decode(&d); err != nil || d.Issuer != p.Issuer {
		return bad(
			what,
			fmt.Sprintf("issuer %q where %q is expected", d.Issuer, p.Issuer),
			"use the issuer exactly as discovery writes it",
		)
	}
	return good(what, d.Issuer)
}

func (p *Patient) get(ctx context.Context, c *http.Client, at string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	return c.Do(req)
}

// clockSkew compares the emulator's clock with the machine's, which is the
// application's too.
func clockSkew(_ context.Context, p *Patient) []Finding {
	const what = "clock"
	skew := time.Until(p.Clock.Now).Round(time.Second)
	if p.Clock.Frozen {
		return warn(
			what,
			"the emulator's clock stands still at "+p.Clock.Now.Format(time.RFC3339),
			"DELETE /api/v1/clock lets it run",
		)
	}
	if skew.Abs() > time.Minute {
		return warn(
			what,
			"the emulator's clock is off by "+skew.String()+": applications refuse its tokens as expired or not yet valid",
			"DELETE /api/v1/clock follows the machine's",
		)
	}
	return good(what, "the clocks agree")
}

// environment looks for proxy settings that send calls elsewhere.
func environment(_ context.Context, p *Patient) []Finding {
	const what = "proxy"
	u, err := url.Parse(p.Base)
	if err != nil {
		return nil
	}
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		if v := os.Getenv(name); v != "" {
			without := os.Getenv("NO_PROXY") + "," + os.Getenv("no_proxy")
			if !slices.Contains(strings.Split(without, ","), u.Hostname()) && u.Hostname() != "localhost" {
				return warn(
					what,
					name+" sends calls to "+v+", which knows neither this host nor your client certificate",
					"add "+u.Hostname()+" to NO_PROXY",
				)
			}
		}
	}
	return good(what, "no proxy stands between")
}

// maxURIs is how many redirect URIs are named; the others are counted.
const maxURIs = 100

func redirectURIs(ctx context.Context, p *Patient) []Finding {
	const what, remedy = "redirect URIs", "https, or loopback while developing"
	var out []Finding
	all, plain := 0, 0
	err := p.Clients.Each(ctx, func(c *clients.Client) error {
		all++
		for _, r := range c.RedirectURIs {
			if !plainHTTP(r) {
				continue
			}
			if plain++; plain <= maxURIs {
				out = append(out, warn(what, c.ID+": "+r+" is not https; PSC registers https only", remedy)...)
			}
		}
		return nil
	})
	switch {
	case err != nil:
		out = append(out, warn(what, fmt.Sprintf("only %d clients were looked at: %v", all, err),
			"try again when there is less to do")...)
	case plain > maxURIs:
		out = append(out, warn(what, fmt.Sprintf("%d more are not https", plain-maxURIs), remedy)...)
	case out == nil:
		return good(what, fmt.Sprintf("%d clients", all))
	}
	return out
}

// plainHTTP tells whether a URI is http to another machine.
func plainHTTP(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.Hostname() == "localhost" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return ip == nil || !ip.IsLoopback()
}

// certificates looks whether each certificate goes with its key and is in its
// time on the emulator's clock.
func certificates(_ context.Context, p *Patient) []Finding {
	const what = "client certificate"
	var out []Finding
	for _, pair := range p.Certificates {
		leaf, err := x509.ParseCertificate(pair.Certificate.Certificate[0])
		if err != nil {
			out = append(out, bad(what, pair.Name+": "+err.Error(), "pscemu certificates issue --client "+pair.Name)...)
			continue
		}
		key, ok := pair.Certificate.PrivateKey.(crypto.Signer)
		public, comparing := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		switch now := p.Clock.Now; {
		case !ok || !comparing || !public.Equal(key.Public()):
			out = append(
				out,
				bad(
					what,
					pair.Name+": certificate and key do not belong together",
					"use the two files that were issued together",
				)...)
		case now.Before(leaf.NotBefore) || now.After(leaf.NotAfter):
			out = append(
				out,
				bad(
					what,
					fmt.Sprintf(
						"%s: valid from %s to %s",
						pair.Name,
						leaf.NotBefore.Format(time.DateOnly),
						leaf.NotAfter.Format(time.DateOnly),
					),
					"pscemu certificates issue --client "+pair.Name,
				)...)
		default:
			out = append(
				out,
				good(what, pair.Name+": CN="+leaf.Subject.CommonName+", until "+leaf.NotAfter.Format(time.DateOnly))...)
		}
	}
	return out
}

const maxRedirects = 10

// application follows the application's login until it sends the browser to
// the emulator, and judges what it asks for.
func application(ctx context.Context, p *Patient) []Finding {
	const what = "application"
	if p.App == "" {
		return nil
	}
	jar, _ := cookiejar.New(nil)
	c, at := p.client(jar), p.App
	for range maxRedirects {
		resp, err := p.get(ctx, c, at)
		if err != nil {
			return bad(what, err.Error(), "start the application, and name the URL that begins a login")
		}
		resp.Body.Close()
		next, err := resp.Location()
		if err != nil {
			return bad(
				what,
				fmt.Sprintf("%s answers %s and sends the browser nowhere", at, resp.Status),
				"name the URL that begins a login; where a script does it: pscemu check --browser",
			)
		}
		cookies := jar.Cookies(resp.Request.URL)
		if next.Query().Has("client_id") {
			return p.asked(ctx, next, cookies)
		}
		at = next.String()
	}
	return bad(what, "more than ten redirects", "look at the application's settings of its own address behind a proxy")
}

// asked judges the authorize URL.
func (p *Patient) asked(ctx context.Context, u *url.URL, cookies []*http.Cookie) []Finding {
	var out []Finding
	q := u.Query()
	if !strings.HasPrefix(u.String(), p.Base+"/") {
		out = append(
			out,
			bad(
				"authorize URL",
				u.Scheme+"://"+u.Host+u.Path+" is not this emulator's",
				"set the application's issuer to "+p.Issuer,
			)...)
	}
	client, err := p.Clients.Get(ctx, q.Get("client_id"))
	if err != nil {
		return append(
			out,
			bad(
				"client_id",
				fmt.Sprintf("%q is not registered", q.Get("client_id")),
				"pscemu clients add "+q.Get("client_id")+" --redirect-uri "+q.Get("redirect_uri"),
			)...)
	}
	out = append(out, good("client_id", q.Get("client_id"))...)
	if uri := q.Get("redirect_uri"); client.AllowsRedirect(uri) {
		out = append(out, good("redirect_uri", uri)...)
	} else {
		found := uri + " is not registered"
		if near, by := client.NearestRedirect(uri); by != "" {
			found += "; it differs from " + near + " by " + by.In(problem.English)
		}
		out = append(
			out,
			bad(
				"redirect_uri",
				found,
				"register it exactly as sent; behind a proxy let the application know its outer address "+
					"(X-Forwarded-Proto, X-Forwarded-Host)",
			)...)
	}
	if r, err := url.Parse(q.Get("redirect_uri")); err == nil {
		if app, err := url.Parse(p.App); err == nil && r.Host != app.Host {
			out = append(
				out,
				warn(
					"cookies",
					fmt.Sprintf(
						"the login begins at %s and returns to %s: the session cookie of one is not sent to the other",
						app.Host,
						r.Host,
					),
					"use one host name throughout; localhost and 127.0.0.1 are two",
				)...)
		}
	}
	if len(cookies) == 0 {
		out = append(
			out,
			warn(
				"cookies",
				"the application set no cookie before the login, so state can be bound to nothing",
				"keep state, nonce and PKCE verifier in the browser's session",
			)...)
	} else {
		out = append(out, good("cookies", fmt.Sprintf("%d set before the login", len(cookies)))...)
	}
	for _, name := range []string{"state", "nonce", "acr_values", "code_challenge"} {
		if q.Get(name) == "" {
			out = append(out, warn(name, "not sent", "PSC asks for it: see pscemu check")...)
		}
	}
	return out
}
