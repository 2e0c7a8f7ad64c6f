// Package site tells under which names and addresses the emulator answers: its
// own, those of the settings, and Pro Santé Connect's.
package site

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// RealmPath is the path of the realm below the base URL; the issuer is both.
const RealmPath = "/auth/realms/esante-wallet"

// Protocol is the path of the realm's endpoints.
const Protocol = RealmPath + "/protocol/openid-connect"

// Names are those that the emulator answers to.
type Names struct {
	BaseURL string   // B, without a slash at its end, Root included
	CardURL string   // of the card listener
	Root    string   // path that all addresses begin with, "" for none
	Hosts   []string // further names to answer as
}

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

// Site is the emulator under one name: where the login is, and the realm.
type Site struct {
	Wallet string // base URL of authorize and the login pages
	Auth   string // base URL of the realm
}

// Issuer is the site's issuer.
func (s Site) Issuer() string { return s.Auth + RealmPath }

// Realm is the address of one of the realm's endpoints.
func (s Site) Realm(path string) string { return s.Auth + Protocol + path }

// Fill writes the site's names into a document.
func (s Site) Fill(document string) []byte {
	return []byte(
		strings.NewReplacer("{I}", s.Issuer(), "{O}", s.Realm(""), "{B}", s.Wallet).
			Replace(strings.TrimSpace(document)),
	)
}

// Of finds the site that a Host header names. Unknown names, and those of
// loopback, are the configured base URL's.
func (n *Names) Of(host string) Site {
	name, port := strings.ToLower(host), ""
	if h, p, err := net.SplitHostPort(name); err == nil {
		name = h
		if p != "443" {
			port = ":" + p
		}
	}
	for _, d := range realDomains {
		if name == "wallet."+d || name == "auth."+d {
			return Site{"https://wallet." + d + port + n.Root, "https://auth." + d + port + n.Root}
		}
	}
	if slices.Contains(n.Hosts, name) {
		return Site{"https://" + name + port + n.Root, "https://" + name + port + n.Root}
	}
	return Site{n.BaseURL, n.BaseURL}
}

// Pin is the Strict-Transport-Security header for a request's host by the
// policy hsts, "" for none. A browser that hears it speaks TLS alone with that name for a year, on
// every port: on localhost that breaks each http://localhost callback of the
// machine, on a vendor's name their other services. The real hosts are served
// by TLS alone everywhere, and pinned by PSC itself, so that their pin harms
// nobody; it is what PSC answers.
func (n *Names) Pin(host, policy string) string {
	name := strings.ToLower(host)
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	switch {
	case policy == "off":
		return ""
	case slices.Contains(RealHosts(), name):
		return "max-age=31536000; includeSubDomains"
	case policy == "configured" && n.configured(name) && !ofThisMachine(name):
		return "max-age=31536000"
	}
	return ""
}

// configured tells whether the settings name this host.
func (n *Names) configured(name string) bool {
	return slices.Contains(n.Hosts, name) || name == HostOf(n.BaseURL)
}

// ofThisMachine tells of names that every machine has for itself, and of
// addresses, which browsers do not pin.
func ofThisMachine(name string) bool {
	name = strings.TrimSuffix(name, ".")
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || strings.HasSuffix(name, ".localdomain") ||
		net.ParseIP(strings.Trim(name, "[]")) != nil
}

// Here is the base URL under the name by which the browser came, when that is
// one of these hosts: a login stays under it, since its cookie does.
func (n *Names) Here(r *http.Request) string {
	host := strings.ToLower(r.Host)
	if n.ours(hostName(host)) {
		return "https://" + host + n.Root
	}
	return n.Of(host).Wallet
}

// CardOrigin is the card origin under that same name, so that the cookie of the
// login goes there too: a host's ports share its cookies. Behind every name of
// ours are the same listeners, so this holds for the real names too.
func (n *Names) CardOrigin(r *http.Request) string {
	u, err := url.Parse(n.CardURL)
	name := hostName(r.Host)
	if err != nil || !n.ours(name) {
		return n.CardURL
	}
	u.Host = net.JoinHostPort(name, u.Port())
	return u.String()
}

// ours tells a name that the emulator's certificate holds.
func (n *Names) ours(name string) bool {
	base, err := url.Parse(n.BaseURL)
	if err == nil && strings.EqualFold(base.Hostname(), name) {
		return true
	}
	return name == "localhost" || name == "127.0.0.1" || name == "::1" || slices.Contains(n.Hosts, name) ||
		slices.Contains(RealHosts(), name)
}

// hostName is a Host header's name in lower case, without port and brackets.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// HostOf is the host name of a base URL.
func HostOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
