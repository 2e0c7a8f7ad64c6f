package emulator_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestAttack40ALongParameterIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	long := strings.Repeat("s", 20_000)
	resp, err := s.HTTP(nil).Get(s.BaseURL + testkit.AuthorizePath + "&state=" + long)
	if err != nil {
		t.Fatal(err)
	}
	if body := testkit.Text(
		t,
		resp,
	); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "parameter-too-long") ||
		!strings.Contains(body, "state de 20000 octets") {
		t.Errorf("authorize: %d %.600s", resp.StatusCode, body)
	}
	secret := url.Values{"client_id": {"demo"}, "client_secret": {s.DemoClient.ClientSecret}}
	for path, form := range map[string]url.Values{
		"/ext/par/request": {
			"response_type": {"code"},
			"scope":         {"openid"},
			"redirect_uri":  {testkit.CallbackURL},
			"nonce":         {long},
		},
		"/ext/ciba/auth": {"scope": {"openid scope_all"}, "login_hint": {testkit.Doctor}, "acr_values": {long}},
	} {
		for k, v := range secret {
			form[k] = v
		}
		resp, err := s.HTTP(s.DemoCertificate()).PostForm(s.Issuer+"/protocol/openid-connect"+path, form)
		if err != nil {
			t.Fatal(err)
		}
		if body := testkit.Text(t, resp); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "at most") {
			t.Errorf("%s: %d %.300s", path, resp.StatusCode, body)
		}
	}
	// What clients really send goes through: a state of some KiB comes back.
	state := strings.Repeat("s", 4096)
	if resp, err = s.Browser().
		Get(s.BaseURL + testkit.AuthorizePath + "&login_hint=auto:" + testkit.Doctor + "&state=" + state); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if back, _ := resp.Location(); back == nil || back.Query().Get("state") != state {
		t.Errorf("a state of 4 KiB: %s", resp.Status)
	}
}

// plainTo is a connection to a listener of the server.
func plainTo(s *testkit.Server, address string, over bool) net.Conn {
	s.T.Helper()
	c, err := net.Dial("tcp", address)
	if err == nil && over {
		c = tls.Client(c, &tls.Config{RootCAs: s.Roots(), Time: testkit.Now, ServerName: "localhost"})
	}
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { _ = c.Close() })
	return c
}

func TestAttack40ABodyThatTricklesIsCutWithTheReason(t *testing.T) {
	s := testkit.Start(t, "request-timeout=1s")
	sp := s.Space("slow")
	hostOf := func(base string) string {
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		return u.Host
	}
	for name, to := range map[string]struct{ base, path string }{
		"the protocol":    {s.BaseURL, "/auth"},
		"the card origin": {s.CardURL, "/card"},
		"the console":     {s.ConsoleURL, "/api/v1/identities"},
		"an import":       {s.ConsoleURL, "/api/v1/identities/import"},
		"a space":         {sp.BaseURL, "/auth"},
	} {
		for how, header := range map[string]string{"": "Content-Length: 60000", " in chunks": "Transfer-Encoding: chunked"} {
			t.Run(name+how, func(t *testing.T) {
				t.Parallel()
				u, _ := url.Parse(to.base + to.path)
				c := plainTo(s, hostOf(to.base), u.Scheme == "https")
				fmt.Fprintf(
					c,
					"POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: "+
						"application/x-www-form-urlencoded\r\n%s\r\n\r\n",
					u.Path,
					u.Host,
					s.APIToken,
					header,
				)
				stop := make(chan struct{})
				defer close(stop)
				go func() {
					tick := time.NewTicker(50 * time.Millisecond)
					defer tick.Stop()
					for {
						select {
						case <-stop:
							return
						case <-tick.C:
							if how == "" {
								fmt.Fprint(c, "x")
							} else {
								fmt.Fprint(c, "1\r\nx\r\n")
							}
						}
					}
				}()
				_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				if resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(body), "request-too-slow") {
					t.Errorf("%s %.400s", resp.Status, body)
				}
			})
		}
	}
}

func TestAttack40ABodyThatTricklesOverHTTP2IsCutToo(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "request-timeout=1s")
	c := &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: s.Roots(), Time: testkit.Now},
			ForceAttemptHTTP2: true,
		},
	}
	defer c.CloseIdleConnections()
	body, trickle := io.Pipe()
	defer trickle.Close()
	resp, err := c.Post(s.BaseURL+"/auth", "application/x-www-form-urlencoded", body)
	if err != nil {
		t.Fatal(err)
	}
	if got := testkit.Text(
		t,
		resp,
	); resp.ProtoMajor != 2 || resp.StatusCode != http.StatusRequestTimeout ||
		!strings.Contains(got, "request-too-slow") {
		t.Errorf("%s %s %.300s", resp.Proto, resp.Status, got)
	}
	if resp, err = c.Get(s.BaseURL + "/static/style.css"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the connection afterwards: %v", err)
	} else {
		testkit.Text(t, resp)
	}
}

// A large body has the timeout for each MiB of it.
func TestALargeBodyThatProgressesIsTaken(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "request-timeout=1s")
	body, in := io.Pipe()
	go func() {
		part := strings.Repeat(" ", 1<<18)
		for range 12 { // three MiB in 1.8 seconds
			time.Sleep(150 * time.Millisecond)
			if _, err := io.WriteString(in, part); err != nil {
				return
			}
		}
		in.Close()
	}()
	req, _ := http.NewRequest(http.MethodPost, s.APIURL+"/identities/import", body)
	req.ContentLength = 3 << 20
	req.Header.Set("Authorization", "Bearer "+s.APIToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := testkit.Text(t, resp); resp.StatusCode == http.StatusRequestTimeout || strings.Contains(got, "too-slow") {
		t.Errorf("%s %.300s", resp.Status, got)
	}
}

func TestAttack40WhoNeitherShakesHandsNorSendsAHeaderNorReadsIsClosed(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "request-timeout=1s")
	silent := plainTo(s, s.Listen, false)
	begun := plainTo(s, s.Listen, true)
	fmt.Fprint(begun, "GET /auth HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	for what, c := range map[string]net.Conn{"no handshake": silent, "half a header": begun} {
		_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: %v", what, err)
		}
	}
	console, _ := url.Parse(s.ConsoleURL)
	deaf := plainTo(s, console.Host, false)
	request := "GET /api/v1/openapi.json HTTP/1.1\r\nHost: " + console.Host + "\r\n\r\n"
	// It asks without end, and reads none of the answers.
	if _, err := io.Copy(deaf, &endless{text: request}); err == nil {
		t.Error("the deaf one is still served")
	}
}

// endless repeats a text.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], e.text[e.at:])
		n, e.at = n+k, (e.at+k)%len(e.text)
	}
	return n, nil
}

// Ids of nobody leave a bounded number of entries, and each is still counted.
func TestAttack40ActivationsOfNobodyLeaveABoundedNumberOfEntries(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Flood(10_000, "/wallet/contact", "login=8{n}", http.StatusOK)
	entries := 0
	for key := range s.Entries() {
		if strings.HasPrefix(key, "ecps-activations") {
			entries++
		}
	}
	if entries > 4200 {
		t.Errorf("%d entries of people who do not exist", entries)
	}
	for n := range 6 {
		resp, err := s.HTTP(nil).PostForm(s.BaseURL+"/wallet/contact", url.Values{"login": {"899700000000"}})
		if err != nil {
			t.Fatal(err)
		}
		if body := testkit.Text(t, resp); strings.Contains(body, "ecps-activation-too-many") != (n == 5) {
			t.Errorf("try %d of nobody: %s %.300s", n+1, resp.Status, body)
		}
	}
}
