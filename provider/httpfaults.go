package provider

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"pscemu.invalid/pscemu/provider/faults"
	"pscemu.invalid/pscemu/provider/journal"
	"pscemu.invalid/pscemu/provider/oidc"
)

// endpoints names the places that HTTP faults strike, by the end of the path.
var endpoints = []struct {
	ending string
	at     faults.Endpoint
}{
	{"openid-configuration", faults.AtDiscovery},
	{"/certs", faults.AtJWKS},
	{"/ext/ciba/auth", faults.AtCIBA},
	{"/ext/par/request", faults.AtPAR},
	{"/auth", faults.AtAuthorize},
	{"/token/introspect", faults.AtIntrospection},
	{"/token", faults.AtToken},
	{"/userinfo", faults.AtUserInfo},
	{"/revoke", faults.AtRevocation},
	{"/logout", faults.AtLogout},
}

// httpFaults makes answers late, failing or cut where a fault asks for that.
type httpFaults struct {
	faults  *faults.Set
	journal *journal.Journal
	oidc    *oidc.Provider
	closing <-chan struct{} // closed when the server stops
}

// strike stands before the endpoints. When there is no fault, it costs
// nothing.
func (h *httpFaults) strike(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		endpoint := faults.Endpoint("")
		if h.faults.Active() {
			endpoint = endpointAt(r.URL.Path)
		}
		if endpoint == "" {
			next.ServeHTTP(w, r)
			return
		}
		client, identity := h.whose(r)
		fault, ok := h.faults.Take(faults.HTTP, endpoint, client, identity)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		noted := map[string]string{"fault": string(fault.Kind), "endpoint": string(endpoint), "client_id": client}
		h.journal.Add(r.Context(), h.oidc.LoginOf(r), journal.KindFault, noted, nil)
		h.apply(fault, w, r, next)
	})
}

// endpointAt names the endpoint at a path, "" for none.
func endpointAt(path string) faults.Endpoint {
	for _, e := range endpoints {
		if strings.HasSuffix(path, e.ending) {
			return e.at
		}
	}
	return ""
}

// whose request is it, and about whom, as far as can be told beforehand.
func (h *httpFaults) whose(r *http.Request) (client, identity string) {
	_ = r.ParseForm() // what cannot be read is judged later
	client, _, _ = r.BasicAuth()
	if id := r.Form.Get("client_id"); id != "" {
		client = id
	}
	if session := h.oidc.SessionOf(r); session != nil {
		client, identity = session.ClientID, session.NationalID
	}
	return client, identity
}

func (h *httpFaults) apply(f faults.Fault, w http.ResponseWriter, r *http.Request, next http.Handler) {
	switch f.Kind {
	case faults.KindSlow:
		select {
		case <-time.After(f.Late()):
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		case <-h.closing:
		}
	case faults.KindStatus:
		http.Error(w, "fault of the emulator: status", f.HTTPStatus())
	case faults.KindMalformed:
		b := &buffered{ResponseWriter: w}
		next.ServeHTTP(b, r)
		b.send(append(b.body[:len(b.body)/2], `"<<>>{`...))
	case faults.KindCut:
		b := &buffered{ResponseWriter: w}
		next.ServeHTTP(b, r)
		w.Header().Set("Content-Length", strconv.Itoa(len(b.body)+64))
		b.send(b.body[:len(b.body)/2])
		panic(http.ErrAbortHandler)
	}
}

// buffered holds an answer back.
type buffered struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (b *buffered) WriteHeader(status int) { b.status = status }

func (b *buffered) Write(p []byte) (int, error) {
	b.body = append(b.body, p...)
	return len(p), nil
}

func (b *buffered) send(body []byte) {
	if b.status != 0 {
		b.ResponseWriter.WriteHeader(b.status)
	}
	_, _ = b.ResponseWriter.Write(body)
	if f, ok := b.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}
