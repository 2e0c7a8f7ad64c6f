package conformance

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// listen starts a server on loopback that answers each call with answer.
func (rp *relyingParty) listen(answer http.HandlerFunc) *listener {
	at, err := net.Listen("tcp", "127.0.0.1:0")
	rp.must(err)
	l := &listener{url: "http://" + at.Addr().String() + "/notified", calls: make(chan call, 16)}
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
			form, _ := url.ParseQuery(string(body))
			answer(w, r)
			l.calls <- call{r.Header, form, string(body)}
		}),
	}
	go func() { _ = server.Serve(at) }()
	rp.cleanup = append(rp.cleanup, func() { _ = server.Close() })
	return l
}
