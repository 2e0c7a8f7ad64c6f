package testkit

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// AuthorizePath begins a login of the demo client.
const AuthorizePath = "/auth?response_type=code&client_id=demo&scope=openid&" +
	"redirect_uri=http%3A%2F%2Flocalhost%3A5555%2Fcallback"

// Visit is one request to a console, without cookies of its own.
type Visit struct {
	Method, At, Body string
	Header           map[string]string
	Cookies          []*http.Cookie
}

// Send makes the request and returns the answer with its text.
func (v Visit) Send(t testing.TB) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(v.Method, v.At, strings.NewReader(v.Body))
	if err != nil {
		t.Fatal(err)
	}
	if v.Body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range v.Header {
		if name == "Host" {
			req.Host = value
		} else {
			req.Header.Set(name, value)
		}
	}
	for _, c := range v.Cookies {
		req.AddCookie(c)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp, Text(t, resp)
}

// Asks starts a login by e-CPS and returns its request.
func (s *Server) Asks() string {
	s.T.Helper()
	s.AtPhone(Asked)
	return s.Latest(Asked).ID
}

// ConsoleBrowser holds the console's cookie and follows no redirects.
func (s *Server) ConsoleBrowser() *http.Client {
	s.T.Helper()
	c := s.Browser()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := c.Get(s.ConsoleURL + "/clients")
	if err != nil {
		s.T.Fatal(err)
	}
	resp.Body.Close()
	return c
}

// DeskBrowser is a browser in which a holder is logged in at the desk.
func (s *Server) DeskBrowser(c Card) *http.Client {
	s.T.Helper()
	browser := s.ConsoleBrowser()
	s.API("PUT", "/reader", `{"card":"`+c.Serial+`"}`, nil)
	resp, err := browser.Get(s.ConsoleURL + "/desk/start")
	if err != nil {
		s.T.Fatal(err)
	}
	resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		s.T.Fatal(err)
	}
	var performed struct {
		RedirectTo string `json:"redirect_to"`
	}
	body, _ := json.Marshal(
		map[string]string{"authorize_url": to.String(), "identity": c.NationalID, "means": "card", "pin": c.PIN},
	)
	s.API("POST", "/logins", string(body), &performed)
	if resp, err = browser.Get(performed.RedirectTo); err != nil {
		s.T.Fatal(err)
	}
	if page := Text(s.T, resp); resp.StatusCode != http.StatusSeeOther {
		s.T.Fatalf("not let in at the desk: %s %.600s", resp.Status, page)
	}
	return browser
}

// AuthorizeWith asks for a login at the vendor client "exact", whose redirect
// URI is matched exactly, and returns status and Location.
func (s *Server) AuthorizeWith(params url.Values) (int, string) {
	s.T.Helper()
	q := url.Values{
		"response_type": {"code"},
		"client_id":     {"exact"},
		"redirect_uri":  {"https://app.example/cb?x=1"},
		"scope":         {"openid"},
		"login_hint":    {"auto:" + Nurse},
	}
	for k, v := range params {
		q[k] = v
	}
	resp, err := s.HTTP(nil).Get(s.BaseURL + "/auth?" + q.Encode())
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Location")
}

// AtCard opens the card tab of a login in a new browser.
func (s *Server) AtCard() (browser *http.Client, page, text string) {
	s.T.Helper()
	browser, page = s.LoginPage()
	return browser, page, Read(s, browser, page+"?tab=card")
}

// Read is the text of a page.
func Read(s *Server, c *http.Client, url string) string {
	s.T.Helper()
	resp, err := c.Get(url)
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

// Present submits a card; the answer is the callback or the page's text.
func Present(s *Server, c *http.Client, page, serial, pin string) string {
	s.T.Helper()
	resp, err := c.PostForm(page+"/card", url.Values{"card": {serial}, "pin": {pin}})
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.Header.Get("Location") + string(b)
}

// LoginPage begins a login in a new browser.
func (s *Server) LoginPage() (browser *http.Client, page string) {
	s.T.Helper()
	browser = s.Browser()
	q := url.Values{
		"response_type": {"code"},
		"client_id":     {"demo"},
		"redirect_uri":  {CallbackURL},
		"scope":         {"openid"},
	}
	resp, err := browser.Get(s.BaseURL + "/auth?" + q.Encode())
	if err != nil {
		s.T.Fatal(err)
	}
	resp.Body.Close()
	return browser, resp.Request.URL.String()
}

// AtPhone begins a login by e-CPS in a new browser and returns the page.
func (s *Server) AtPhone(id string) (browser *http.Client, page, text string) {
	s.T.Helper()
	browser, page = s.LoginPage()
	resp, err := browser.PostForm(page+"/ecps", url.Values{"login": {id}})
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return browser, page, string(b)
}

// Latest is the person's newest request.
func (s *Server) Latest(id string) (r struct{ ID, State, Number string }) {
	s.T.Helper()
	var all struct {
		Items []struct{ ID, State, Number string }
	}
	s.API("GET", "/ecps/requests?all=true&national_id="+url.QueryEscape(id), "", &all)
	if len(all.Items) > 0 {
		r = all.Items[len(all.Items)-1]
	}
	return r
}

// CardLogin goes to the card origin with this certificate and returns the
// callback URL, or the page it ended on.
func CardLogin(t testing.TB, s *Server, card *tls.Certificate) string {
	t.Helper()
	c := s.Browser()
	c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), s.BaseURL) || strings.HasPrefix(r.URL.String(), s.CardURL) {
			return nil
		}
		return http.ErrUseLastResponse
	}
	tlsConfig := c.Transport.(*http.Transport).TLSClientConfig
	tlsConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return card, nil
	}
	resp, err := c.Get(
		s.BaseURL + "/auth?response_type=code&client_id=demo&scope=openid&redirect_uri=" + url.QueryEscape(CallbackURL),
	)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp, err = c.Get(resp.Request.URL.String() + "/card-browser"); err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if to := resp.Header.Get("Location"); to != "" {
		return to
	}
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}
