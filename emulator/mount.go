package emulator

import (
	"net/http"
	"strings"
)

// spacePath is what the paths of a space begin with: /s/NAME/…
const spacePath = "/s/"

// under serves a handler below a path of its own. It knows nothing of that:
// the path is taken off requests and put before the addresses of this host
// that answers name — in redirects, cookies and pages, whose attributes the
// templates escape, so that ="/ is always the beginning of an address.
func under(root string, h http.Handler) http.Handler {
	return http.StripPrefix(root, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m := &mounted{ResponseWriter: w, root: root}
		h.ServeHTTP(m, r)
	}))
}

type mounted struct {
	http.ResponseWriter
	root string
	sent bool
	html bool
}

func (m *mounted) WriteHeader(status int) {
	if !m.sent {
		m.sent = true
		m.rewrite(m.Header())
	}
	m.ResponseWriter.WriteHeader(status)
}

func (m *mounted) rewrite(h http.Header) {
	if to := h.Get("Location"); strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") {
		h.Set("Location", m.root+to)
	}
	for i, c := range h["Set-Cookie"] {
		if strings.Contains(c, "; Path=/") && !strings.Contains(c, "; Path=/;") && !strings.HasSuffix(c, "; Path=/") {
			h["Set-Cookie"][i] = strings.Replace(c, "; Path=/", "; Path="+m.root+"/", 1)
		}
	}
	if allowed := h.Get("Service-Worker-Allowed"); allowed != "" {
		h.Set("Service-Worker-Allowed", m.root+allowed)
	}
	m.html = strings.HasPrefix(h.Get("Content-Type"), "text/html")
	if m.html {
		h.Del("Content-Length")
	}
}

func (m *mounted) Write(b []byte) (int, error) {
	if !m.sent {
		m.WriteHeader(http.StatusOK)
	}
	if !m.html {
		return m.ResponseWriter.Write(b)
	}
	_, err := m.ResponseWriter.Write([]byte(strings.ReplaceAll(string(b), `="/`, `="`+m.root+`/`)))
	return len(b), err
}

// Unwrap lets streams flush.
func (m *mounted) Unwrap() http.ResponseWriter { return m.ResponseWriter }
