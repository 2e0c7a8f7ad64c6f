package shell

import (
	"net/http"
	"strings"
)

// Origin is where a request comes from.
type Origin int

// The origins.
const (
	FromUnknown Origin = iota // a program, or a browser that does not say
	FromPerson                // an address that somebody typed, a bookmark, a link outside the browser
	FromOwn                   // a page of this origin
	FromForeign               // a page of another site, or of another port of this machine
)

// OriginOf judges by what browsers say of themselves: Origin and
// Sec-Fetch-Site, and Referer where they send neither. No page can leave out
// or change the first two.
func OriginOf(r *http.Request) Origin {
	self := "http://" + r.Host
	said := r.Header.Values("Origin")
	for _, o := range said {
		if !strings.EqualFold(o, self) { // null too
			return FromForeign
		}
	}
	sites := r.Header.Values("Sec-Fetch-Site")
	for _, site := range sites {
		if site != "same-origin" && site != "none" {
			return FromForeign
		}
	}
	switch referer := r.Referer(); {
	case len(sites) > 0 && sites[0] == "none":
		return FromPerson
	case len(sites) > 0 || len(said) > 0:
		return FromOwn
	case referer == "":
		return FromUnknown
	case strings.EqualFold(referer, self), beginsWith(referer, self+"/"):
		return FromOwn
	}
	return FromForeign
}

// beginsWith tells whether a text begins so, in whatever case.
func beginsWith(text, head string) bool {
	return len(text) >= len(head) && strings.EqualFold(text[:len(head)], head)
}

// ShowsAPerson tells whether the answer becomes the page in a tab, and is not
// read by a script, a frame or a picture.
func ShowsAPerson(r *http.Request) bool {
	if r.Method != http.MethodGet || len(r.Header.Values("Origin")) > 0 {
		return false
	}
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	if mode == "" {
		return WantsPage(r) // a browser from before these headers
	}
	return mode == "navigate" && (dest == "" || dest == "document")
}

// WantsPage tells whether whoever asks wants to see a page.
func WantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }
