package provider

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"pscemu.invalid/pscemu/provider/oidc"
)

// realDomains are Pro Santé Connect's own: the sandbox's, its old name, and
// production. Each has a host wallet. for the login and auth. for the realm.
var realDomains = []string{"bas.psc.esante.gouv.fr", "bas.esw.esante.gouv.fr", "esw.esante.gouv.fr"}

// RealHosts are the names that clients hard-code. With hosts-file entries to
// loopback they reach the emulator instead.
func RealHosts() []string {
	var out []string
	for _, d := range realDomains {
		out = append(out, "wallet."+d, "auth."+d)
	}
	return out
}

// site is the emulator under one name: where the login is, and the realm.
type site struct {
	Wallet string // base URL of authorize and the login pages
	Auth   string // base URL of the realm
}

// Issuer is the site's issuer.
func (s site) Issuer() string { return s.Auth + RealmPath }

// realm is the address of one of the realm's endpoints.
func (s site) realm(path string) string { return s.Issuer() + "/protocol/openid-connect" + path }

// siteOf finds the site that a Host header names. Unknown names, and those of
// loopback, are the configured base URL's.
func (s *Server) siteOf(host string) site {
	name, port := strings.ToLower(host), ""
	if h, p, err := net.SplitHostPort(name); err == nil {
		name = h
		if p != "443" {
			port = ":" + p
		}
	}
	for _, d := range realDomains {
		if name == "wallet."+d || name == "auth."+d {
			return site{"https://wallet." + d + port + s.config.Root, "https://auth." + d + port + s.config.Root}
		}
	}
	if slices.Contains(s.config.Hosts, name) {
		return site{"https://" + name + port + s.config.Root, "https://" + name + port + s.config.Root}
	}
	return site{s.config.BaseURL, s.config.BaseURL}
}

// pin is the Strict-Transport-Security header for a request's host, "" for
// none. A browser that hears it speaks TLS alone with that name for a year, on
// every port: on localhost that breaks each http://localhost callback of the
// machine, on a vendor's name their other services. The real hosts are served
// by TLS alone everywhere, and pinned by PSC itself, so that their pin harms
// nobody; it is what PSC answers.
func (s *Server) pin(host string) string {
	name := strings.ToLower(host)
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	switch policy := s.settings.Policies(nil, nil).HSTS; {
	case policy == "off":
		return ""
	case slices.Contains(RealHosts(), name):
		return "max-age=31536000; includeSubDomains"
	case policy == "configured" && s.configured(name) && !ofThisMachine(name):
		return "max-age=31536000"
	}
	return ""
}

// configured tells whether the settings name this host.
func (s *Server) configured(name string) bool {
	return slices.Contains(s.config.Hosts, name) || name == hostname(s.config.BaseURL)
}

// ofThisMachine tells of names that every machine has for itself, and of
// addresses, which browsers do not pin.
func ofThisMachine(name string) bool {
	name = strings.TrimSuffix(name, ".")
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || strings.HasSuffix(name, ".localdomain") ||
		net.ParseIP(strings.Trim(name, "[]")) != nil
}

func (s *Server) site(c echo.Context) site { return s.siteOf(c.Request().Host) }

// here is the base URL under the name by which the browser came, when that is
// one of these hosts: a login stays under it, since its cookie does.
func (s *Server) here(c echo.Context) string {
	host := strings.ToLower(c.Request().Host)
	if s.ours(hostName(host)) {
		return "https://" + host + s.config.Root
	}
	return s.site(c).Wallet
}

// cardURL is the card origin under that same name, so that the cookie of the
// login goes there too: a host's ports share its cookies. Behind every name of
// ours are the same listeners, so this holds for the real names too.
func (s *Server) cardURL(c echo.Context) string {
	u, err := url.Parse(s.config.CardURL)
	name := hostName(c.Request().Host)
	if err != nil || !s.ours(name) {
		return s.config.CardURL
	}
	u.Host = net.JoinHostPort(name, u.Port())
	return u.String()
}

// ours tells a name that the emulator's certificate holds.
func (s *Server) ours(name string) bool {
	base, err := url.Parse(s.config.BaseURL)
	if err == nil && strings.EqualFold(base.Hostname(), name) {
		return true
	}
	return name == "localhost" || name == "127.0.0.1" || name == "::1" || slices.Contains(s.config.Hosts, name) ||
		slices.Contains(RealHosts(), name)
}

// hostName is a Host header's name in lower case, without port and brackets.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// underItsName tells the token service which issuer a request was made to.
func (s *Server) underItsName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(oidc.WithIssuer(r.Context(), s.siteOf(r.Host).Issuer())))
	})
}
