package console

import (
	"net/http"
	"strings"
)

// reach is who may ask for a route.
type reach int

const (
	bySession reach = iota // whoever opened the console, from its own pages
	byAnybody              // from anywhere: it holds nothing of anybody
	byVisitor              // as byAnybody, but other sites may only lead a person there
	byToken                // the control API: its token, or a session on its own pages
)

// reaches is the table of who may ask for what, by the routes' patterns; a *
// at the end stands for whatever follows. What is not listed is bySession.
var reaches = []struct {
	pattern string
	reach   reach
	why     string
}{
	{"/static/*", byAnybody, "styles and scripts, which change with the program alone"},
	{"/healthz", byAnybody, "for supervisors"},
	{"/readyz", byAnybody, "for supervisors"},
	{"/metrics", byAnybody, "counts, for Prometheus"},
	{"/pki/*", byAnybody, "the addresses that certificates name"},
	{"/fhir/*", byAnybody, "the public directory, one person at a time"},
	{"/why", byAnybody, "the catalogue of refusals"},
	{"/why/:code", byAnybody, "the same; what came in a login is shown to who opened the console"},
	{"/phone/sw.js", byAnybody, "a script"},
	{"/open", byAnybody, "where the console is opened"},
	{"/api/v1/openapi.json", byAnybody, "the description of the control API"},
	{"/api/v1/*", byToken, "the control API"},
	{"/demo", byVisitor, "an application: logins and logouts end there"},
	{"/demo/callback", byVisitor, "guarded by the cookie of the browser that began the login"},
	{"/desk", byVisitor, "an application: who is logged in sees their own"},
	{"/desk/callback", byVisitor, "guarded by the cookie of the browser that began the login"},
}

// reachOf finds a route's row; the first that fits counts.
func reachOf(pattern string) reach {
	for _, r := range reaches {
		head, open := strings.CutSuffix(r.pattern, "*")
		if pattern == r.pattern || open && strings.HasPrefix(pattern, head) {
			return r.reach
		}
	}
	return bySession
}

// origin is where a request comes from.
type origin int

const (
	fromUnknown origin = iota // a program, or a browser that does not say
	fromPerson                // an address that somebody typed, a bookmark, a link outside the browser
	fromOwn                   // a page of this origin
	fromForeign               // a page of another site, or of another port of this machine
)

// originOf judges by what browsers say of themselves: Origin and
// Sec-Fetch-Site, and Referer where they send neither. No page can leave out
// or change the first two.
func originOf(r *http.Request) origin {
	self := "http://" + r.Host
	said := r.Header.Values("Origin")
	for _, o := range said {
		if !strings.EqualFold(o, self) { // null too
			return fromForeign
		}
	}
	sites := r.Header.Values("Sec-Fetch-Site")
	for _, site := range sites {
		if site != "same-origin" && site != "none" {
			return fromForeign
		}
	}
	switch referer := r.Referer(); {
	case len(sites) > 0 && sites[0] == "none":
		return fromPerson
	case len(sites) > 0 || len(said) > 0:
		return fromOwn
	case referer == "":
		return fromUnknown
	case strings.EqualFold(referer, self) || len(referer) > len(self) && strings.EqualFold(referer[:len(self)+1], self+"/"):
		return fromOwn
	}
	return fromForeign
}

// showsAPerson tells whether the answer becomes the page in a tab, and is not
// read by a script, a frame or a picture.
func showsAPerson(r *http.Request) bool {
	if r.Method != http.MethodGet || len(r.Header.Values("Origin")) > 0 {
		return false
	}
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	if mode == "" {
		return wantsPage(r) // a browser from before these headers
	}
	return mode == "navigate" && (dest == "" || dest == "document")
}

func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// isPrefetch tells of a request that a browser or a mail program makes before
// anybody clicked.
func isPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		said := strings.ToLower(r.Header.Get(name))
		if strings.Contains(said, "prefetch") || strings.Contains(said, "preview") ||
			strings.Contains(said, "prerender") {
			return true
		}
	}
	return false
}
