package clients

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/config"
	"pscemu.invalid/pscemu/internal/problem"
)

// Methods a setting or a registration may ask for.
const (
	MTLS   = "mtls"
	Secret = "secret"
	Either = "either"
)

// Authenticator decides which client sent a request to the back channel.
type Authenticator struct {
	Registry *Registry
	PKI      *pki.PKI
	Settings *config.Live
}

// credentials are what a request carries besides its certificate.
type credentials struct {
	id, secret string
	basic      bool
}

// Authenticate returns the client, or a problem whose code begins with
// "client-" or "certificate-".
func (a *Authenticator) Authenticate(r *http.Request, form url.Values) (*Client, error) {
	cred, err := read(r, form)
	if err != nil {
		return nil, err
	}
	identity, certErr := a.certificate(r)
	if cred.id == "" && certErr == nil {
		cred.id = identity.CN // the certificate alone names the client
	}
	if cred.id == "" {
		return nil, certErr
	}
	client, err := a.Registry.Get(r.Context(), cred.id)
	if err != nil {
		return nil, err
	}
	method := a.Settings.Policies(client.Policies, nil).ClientAuth
	byCert := certErr
	if certErr == nil {
		byCert = client.admits(identity)
	}
	bySecret := secretProblem(client, cred)
	switch {
	case method == MTLS && byCert != nil:
		return nil, byCert
	case method == Secret && bySecret != nil:
		return nil, bySecret
	case method == Either && byCert != nil && bySecret != nil:
		if cred.secret != "" {
			return nil, bySecret
		}
		return nil, byCert
	}
	if cred.secret != "" && client.Secret != "" && bySecret != nil {
		return nil, bySecret // a wrong secret is wrong, whatever else is right
	}
	return client, nil
}

func (a *Authenticator) certificate(r *http.Request) (*pki.OrgIdentity, error) {
	if r.TLS == nil {
		return a.PKI.VerifyOrg(r.Context(), nil)
	}
	return a.PKI.VerifyOrg(r.Context(), r.TLS.PeerCertificates)
}

func secretProblem(c *Client, cred credentials) error {
	got, want := sha256.Sum256([]byte(cred.secret)), sha256.Sum256([]byte(c.Secret))
	if subtle.ConstantTimeCompare(got[:], want[:]) == 1 && c.Secret != "" {
		return nil
	}
	p := problem.ClientSecretWrong.Of()
	if cred.secret == "" {
		p = problem.ClientSecretMissing.Of()
	}
	return p
}

// read takes the credentials from the Authorization header and the body. Both
// at once are accepted when they agree, as PHP clients send them.
func read(r *http.Request, form url.Values) (credentials, error) {
	if q := r.URL.Query(); q.Has("client_secret") {
		return credentials{}, problem.ClientSecretInURL.Of()
	}
	body := credentials{id: form.Get("client_id"), secret: form.Get("client_secret")}
	header := r.Header.Get("Authorization")
	if header == "" || !strings.HasPrefix(strings.ToLower(header), "basic ") {
		return body, nil
	}
	user, pass, ok := r.BasicAuth()
	if !ok {
		return body, problem.ClientBasicMalformed.Of()
	}
	basic := credentials{id: unescape(user), secret: unescape(pass), basic: true}
	differ := body.id != "" && body.id != basic.id && body.id != user ||
		body.secret != "" && body.secret != basic.secret && body.secret != pass
	if differ {
		return body, problem.ClientCredentialsDisagree.Of()
	}
	return basic, nil
}

// unescape undoes the form encoding of RFC 6749 §2.3.1; many clients skip it.
func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}
