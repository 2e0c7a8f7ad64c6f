package journal

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"time"

	"pscemu.invalid/pscemu/internal/web"
)

// Exchange is an HTTP request with its answer. It is kept as it was, and shown
// masked: MarshalJSON, Curl and HAR hold no secret.
type Exchange struct {
	Time        time.Time
	Duration    time.Duration
	Method      string
	URL         string
	Header      http.Header
	Form        url.Values // of the body
	Certificate []byte     // DER of the client certificate
	TLS         uint16
	Status      int
	Answer      http.Header
	Body        []byte // of the answer, maxBody at most

	secrets func() *masker // what its login shows to be secret
}

const maxBody = 64 << 10

// recording is an exchange under way.
type recording struct {
	http.ResponseWriter
	exchange *Exchange // what events hold; filled in when the answer was sent
	loginID  string
	keep     bool // an event belongs to it
	done     bool
	request  *http.Request
	status   int
	body     []byte
}

type recordingKey struct{}

func recordingOf(ctx context.Context) *recording {
	r, _ := ctx.Value(recordingKey{}).(*recording)
	return r
}

// LoginOf is the login that a request belongs to, as far as it is known; "" for
// none.
func LoginOf(ctx context.Context) string {
	if r := recordingOf(ctx); r != nil {
		return r.loginID
	}
	return ""
}

// Record keeps the exchanges that events belong to.
func (j *Journal) Record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recording{ResponseWriter: w}
		began := time.Now()
		r = r.WithContext(context.WithValue(r.Context(), recordingKey{}, rec))
		rec.request = r
		defer func() { j.finish(rec, r, began) }()
		next.ServeHTTP(rec, r)
	})
}

// finish fills in what is known when the answer has been sent.
func (j *Journal) finish(rec *recording, r *http.Request, began time.Time) {
	if !rec.keep {
		return
	}
	x := Exchange{
		Time:     j.clock.Now(),
		Duration: time.Since(began),
		Method:   r.Method,
		URL:      "https://" + r.Host + web.Path(r.Context(), r.URL.RequestURI()),
		Header:   r.Header,
		Form:     r.PostForm,
		Status:   rec.status,
		Answer:   rec.Header().Clone(),
		Body:     rec.body,
	}
	x.certificate(r.TLS)
	x.Time = x.Time.Add(-x.Duration)
	j.mu.Lock()
	defer j.mu.Unlock()
	l := j.logins[rec.loginID]
	room := j.limits.Bytes / 4 // of the whole journal
	if l != nil {
		room -= l.size
	}
	x.bound(room)
	*rec.exchange, rec.done = x, true
	if l != nil {
		j.grow(l, x.size())
	}
}

func (x *Exchange) certificate(state *tls.ConnectionState) {
	if state == nil {
		return
	}
	x.TLS = state.Version
	if len(state.PeerCertificates) > 0 {
		x.Certificate = state.PeerCertificates[0].Raw
	}
}

func (x *Exchange) size() int {
	n := 500 + len(x.URL) + len(x.Body) + len(x.Certificate)
	for _, values := range []map[string][]string{x.Header, x.Form, x.Answer} {
		for k, v := range values {
			n += len(k) + 40
			for _, s := range v {
				n += len(s)
			}
		}
	}
	return n
}

// HeaderWhy names the page that explains a refusal.
const HeaderWhy = "Pscemu-Why"

// explain names the page that tells why, in a header of the answer.
func (r *recording) explain(why string) {
	if why != "" && r.status == 0 {
		r.Header().Set(HeaderWhy, why)
	}
}

func (r *recording) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recording) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.keep && len(r.body)+len(b) <= maxBody {
		r.body = append(r.body, b...)
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets streams flush.
func (r *recording) Unwrap() http.ResponseWriter { return r.ResponseWriter }
