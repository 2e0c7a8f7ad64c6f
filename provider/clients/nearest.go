package clients

import (
	"net/url"
	"strings"

	"pscemu.invalid/pscemu/internal/problem"
)

// difference is a way in which two addresses that look alike are not the same.
type difference struct {
	name problem.Phrase
	// same makes both alike when this is all that sets them apart.
	same func(u url.URL) url.URL
}

var differences = []difference{
	{problem.DifferentSlash, func(u url.URL) url.URL { u.Path = strings.TrimSuffix(u.Path, "/"); return u }},
	{problem.DifferentCase, func(u url.URL) url.URL {
		u.Scheme, u.Host, u.Path = strings.ToLower(u.Scheme), strings.ToLower(u.Host), strings.ToLower(u.Path)
		return u
	}},
	{problem.DifferentScheme, func(u url.URL) url.URL { u.Scheme = ""; return u }},
	{problem.DifferentPort, func(u url.URL) url.URL { u.Host = u.Hostname(); return u }},
	{problem.DifferentLoopback, func(u url.URL) url.URL {
		u.Host = strings.Replace(u.Host, "127.0.0.1", "localhost", 1)
		return u
	}},
	{problem.DifferentQuery, func(u url.URL) url.URL { u.RawQuery, u.ForceQuery = "", false; return u }},
	{problem.DifferentFragment, func(u url.URL) url.URL { u.Fragment, u.RawFragment = "", ""; return u }},
	{problem.DifferentUser, func(u url.URL) url.URL { u.User = nil; return u }},
	{problem.DifferentPath, func(u url.URL) url.URL { u.Path, u.RawPath = "", ""; return u }},
	{problem.DifferentHost, func(u url.URL) url.URL { u.Host = ""; return u }},
}

// NearestRedirect finds the registered redirect URI that is most like another,
// and by what the two differ; "" when they have nothing in common.
func (c *Client) NearestRedirect(uri string) (near string, by problem.Phrase) {
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
		return near, problem.DifferentCharacters
	}
	return "", ""
}
