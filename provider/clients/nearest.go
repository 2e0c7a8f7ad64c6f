package clients

import (
	"net/url"
	"strings"

	"pscemu.invalid/pscemu/internal/problem"
)

// difference is a way in which two addresses that look alike are not the same.
type difference struct {
	name string
	// same makes both alike when this is all that sets them apart.
	same func(u url.URL) url.URL
}

var differences = []difference{
	{"a trailing slash", func(u url.URL) url.URL { u.Path = strings.TrimSuffix(u.Path, "/"); return u }},
	{"upper and lower case", func(u url.URL) url.URL {
		u.Scheme, u.Host, u.Path = strings.ToLower(u.Scheme), strings.ToLower(u.Host), strings.ToLower(u.Path)
		return u
	}},
	{"http instead of https, or the reverse", func(u url.URL) url.URL { u.Scheme = ""; return u }},
	{"the port", func(u url.URL) url.URL { u.Host = u.Hostname(); return u }},
	{"localhost instead of 127.0.0.1, or the reverse", func(u url.URL) url.URL {
		u.Host = strings.Replace(u.Host, "127.0.0.1", "localhost", 1)
		return u
	}},
	{"the query", func(u url.URL) url.URL { u.RawQuery, u.ForceQuery = "", false; return u }},
	{"a fragment", func(u url.URL) url.URL { u.Fragment, u.RawFragment = "", ""; return u }},
	{"user information before the host", func(u url.URL) url.URL { u.User = nil; return u }},
	{"the path", func(u url.URL) url.URL { u.Path, u.RawPath = "", ""; return u }},
	{"the host", func(u url.URL) url.URL { u.Host = ""; return u }},
}

// NearestRedirect finds the registered redirect URI that is most like another,
// and by what the two differ; "" when they have nothing in common.
func (c *Client) NearestRedirect(uri string) (near, by string) {
	sent, err := url.Parse(uri)
	if err != nil {
		return "", ""
	}
	for _, d := range differences {
		for _, r := range c.RedirectURIs {
			registered, err := url.Parse(r)
			if err != nil {
				continue
			}
			a, b := d.same(*sent), d.same(*registered)
			if a.String() == b.String() {
				return r, d.name
			}
		}
	}
	if near := problem.Nearest(uri, c.RedirectURIs); near != "" {
		return near, "a few characters"
	}
	return "", ""
}
