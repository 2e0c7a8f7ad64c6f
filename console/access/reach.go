package access

import (
	"net/http"
	"strings"
)

// Reach is who may ask for a route.
type Reach int

// The reaches.
const (
	BySession Reach = iota // whoever opened the console, from its own pages
	ByAnybody              // from anywhere: it holds nothing of anybody
	ByVisitor              // as ByAnybody, but other sites may only lead a person there
	ByToken                // the control API: its token, or a session on its own pages
)

// Row is a row of the table of reaches.
type Row struct {
	Pattern string
	Reach   Reach
	Why     string
}

// Reaches is the table of who may ask for what, by the routes' patterns; a *
// at the end stands for whatever follows. What is not listed is BySession.
var Reaches = []Row{
	{"/static/*", ByAnybody, "styles and scripts, which change with the program alone"},
	{"/healthz", ByAnybody, "for supervisors"},
	{"/readyz", ByAnybody, "for supervisors"},
	{"/metrics", ByAnybody, "counts, for Prometheus"},
	{"/pki/*", ByAnybody, "the addresses that certificates name"},
	{"/fhir/*", ByAnybody, "the public directory, one person at a time"},
	{"/why", ByAnybody, "the catalogue of refusals"},
	{"/why/:code", ByAnybody, "the same; what came in a login is shown to who opened the console"},
	{"/phone/sw.js", ByAnybody, "a script"},
	{"/open", ByAnybody, "where the console is opened"},
	{"/api/v1/openapi.json", ByAnybody, "the description of the control API"},
	{"/api/v1/*", ByToken, "the control API"},
	{"/demo", ByVisitor, "an application: logins and logouts end there"},
	{"/demo/callback", ByVisitor, "guarded by the cookie of the browser that began the login"},
	{"/demo/backchannel-logout", ByAnybody, "the emulator's own call, guarded by the signature of its token"},
	{"/desk", ByVisitor, "an application: who is logged in sees their own"},
	{"/desk/callback", ByVisitor, "guarded by the cookie of the browser that began the login"},
}

// ReachOf finds a route's row; the first that fits counts.
func ReachOf(pattern string) Reach {
	for _, r := range Reaches {
		head, open := strings.CutSuffix(r.Pattern, "*")
		if pattern == r.Pattern || open && strings.HasPrefix(pattern, head) {
			return r.Reach
		}
	}
	return BySession
}

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
