package emulator_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/internal/testkit"
)

// chunked sends a body without telling its length.
type chunked struct{ io.Reader }

// patient is a client that waits to be told whether to send a body.
func patient(c *http.Client) *http.Client {
	c.Transport.(*http.Transport).ExpectContinueTimeout = 5 * time.Second
	return c
}

func TestABodyOverTheLimitIs413WithTheReason(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "max-import=2")
	large := strings.Repeat("x", 1<<20+1)
	for name, c := range map[string]struct {
		client *http.Client
		at     string
		body   string
		want   string
	}{
		"token":       {patient(s.HTTP(s.DemoCertificate())), s.Issuer + "/protocol/openid-connect/token", large, "max-body"},
		"login page":  {patient(s.HTTP(nil)), s.BaseURL + "/login/x/ecps", large, "max-body"},
		"control API": {http.DefaultClient, s.APIURL + "/identities", large, "max-body"},
		"import":      {http.DefaultClient, s.APIURL + "/identities/import", large + large, "max-import"},
	} {
		for how, body := range map[string]io.Reader{
			"":           strings.NewReader(c.body),
			" in chunks": chunked{strings.NewReader(c.body)},
		} {
			t.Run(name+how, func(t *testing.T) {
				req, _ := http.NewRequest(http.MethodPost, c.at, body)
				req.Header.Set("Authorization", "Bearer "+s.APIToken)
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("Expect", "100-continue")
				resp, err := c.client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				if got := testkit.Text(
					t,
					resp,
				); resp.StatusCode != http.StatusRequestEntityTooLarge ||
					!strings.Contains(got, c.want) {
					t.Errorf("%d %s", resp.StatusCode, got)
				}
			})
		}
	}
	req, _ := http.NewRequest(http.MethodGet, s.Discovery, nil)
	req.Header.Set("X-Long", strings.Repeat("x", 128<<10))
	resp, err := s.HTTP(nil).Do(req)
	if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 128 KiB: %v %v", resp, err)
	}
}

// dialled is a connection with one request on it, and what came back.
func dialled(s *testkit.Server, request string) (net.Conn, string) {
	s.T.Helper()
	c, err := tls.Dial("tcp", s.Listen, &tls.Config{RootCAs: s.Roots(), Time: testkit.Now, ServerName: "localhost"})
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { _ = c.Close() })
	fmt.Fprint(c, request)
	b := make([]byte, 4096)
	n, _ := c.Read(b)
	return c, string(b[:n])
}

const plainRequest = "GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n"

func TestTheOldestIdleConnectionGivesWayToANewOne(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "max-connections=3")
	var held []net.Conn
	for n := range 8 {
		c, got := dialled(s, plainRequest)
		if !strings.HasPrefix(got, "HTTP/1.1 200") {
			t.Fatalf("connection %d: %q", n+1, got)
		}
		held = append(held, c)
	}
	_ = held[0].SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, held[0]); err != nil {
		t.Errorf("the first one was not closed: %v", err)
	}
	c := held[len(held)-1]
	fmt.Fprint(c, "GET /static/style.css HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if b, err := io.ReadAll(c); err != nil || !strings.Contains(string(b), "HTTP/1.1 200") {
		t.Errorf("the last one does not serve: %v", err)
	}
}

func TestHTTP2ConnectionsGiveWayToo(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "max-connections=3")
	for n := range 8 {
		c := &http.Client{
			Timeout: 20 * time.Second,
			Transport: &http.Transport{
				TLSClientConfig:   &tls.Config{RootCAs: s.Roots(), Time: testkit.Now},
				ForceAttemptHTTP2: true,
			},
		}
		t.Cleanup(c.CloseIdleConnections)
		resp, err := c.Get(s.BaseURL + "/static/style.css")
		if err != nil {
			t.Fatalf("connection %d: %v", n+1, err)
		}
		if testkit.Text(t, resp); resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
			t.Fatalf("connection %d: %s %s", n+1, resp.Proto, resp.Status)
		}
	}
}

func TestConnectionsThatAllWorkAreBoundedAndTheReasonIsTold(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "max-connections=3")
	var held []net.Conn
	for range 3 { // each waits for the rest of its body
		c, _ := dialled(s,
			"POST /auth HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: "+
				"100-continue\r\nContent-Length: 10\r\n\r\n",
		)
		held = append(held, c)
	}
	if _, got := dialled(s,
		plainRequest,
	); !strings.HasPrefix(got, "HTTP/1.1 429") ||
		!strings.Contains(got, "max-connections") {
		t.Errorf("the fourth: %s", got)
	}
	for _, c := range held {
		c.Close()
	}
	testkit.Eventually(t, "a connection is free again", func() bool {
		_, got := dialled(s, plainRequest)
		return strings.HasPrefix(got, "HTTP/1.1 200")
	})
}

// The streams of a console that shows many phones leave the control API free.
func TestStreamsAreBoundedApartSoThatTheAPIStaysReachable(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "max-connections=20", "max-streams=5")
	stream := func() *http.Response {
		t.Helper()
		req, _ := http.NewRequest(http.MethodGet, s.APIURL+"/ecps/requests/stream", nil)
		req.Header.Set("Authorization", "Bearer "+s.APIToken)
		resp, err := (&http.Client{Transport: &http.Transport{}}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	var held []*http.Response
	for range 5 {
		resp := stream()
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
		held = append(held, resp)
	}
	if resp := stream(); resp.StatusCode != http.StatusTooManyRequests ||
		!strings.Contains(testkit.Text(t, resp), "streams-too-many") {
		t.Errorf("the sixth: %s", resp.Status)
	}
	if got := s.CodeOf("GET", "/logins/wait?event=none&timeout=1s", ""); got != "streams-too-many" {
		t.Errorf("a long poll: %q", got)
	}
	if status := s.API("GET", "/settings", "", nil); status != http.StatusOK {
		t.Errorf("the API: %d", status)
	}
	held[0].Body.Close()
	testkit.Eventually(
		t,
		"a stream is free again",
		func() bool { return s.CodeOf("GET", "/logins/wait?event=none&timeout=1ms", "") == "event-not-seen" },
	)
}

func TestEveryStreamFillsUpAndTheAPIHasATenthOfTheConnections(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "max-connections=10", "max-streams=1000")
	refused := 0
	for range 12 {
		req, _ := http.NewRequest(http.MethodGet, s.APIURL+"/ecps/requests/stream", nil)
		req.Header.Set("Authorization", "Bearer "+s.APIToken)
		resp, err := (&http.Client{Transport: &http.Transport{}}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		if resp.StatusCode == http.StatusTooManyRequests {
			refused++
			testkit.Text(t, resp)
		}
	}
	if refused != 3 {
		t.Errorf("%d of twelve were refused, nine connections may be streams", refused)
	}
	if status := s.API("GET", "/settings", "", nil); status != http.StatusOK {
		t.Errorf("the API: %d", status)
	}
}

func TestTheDataFileIsBoundedAndWhatIsThereStays(t *testing.T) {
	t.Parallel()
	boundedAndStays(t, testkit.StartFresh(t, t.TempDir(), "max-store=1"))
}

func TestWhatIsKeptInMemoryIsBoundedAsTheDataFileIs(t *testing.T) {
	t.Parallel()
	s := testkit.StartFresh(t, t.TempDir(), "memory=true", "max-store=4")
	sp := s.Space("bounded")
	boundedAndStays(t, sp)
	// What one space takes, the others and the server's own world cannot.
	for n := 0; ; n++ {
		if n == 100 {
			t.Fatal("nothing refused")
		}
		if sp.CodeOf(
			"POST",
			"/identities/generate",
			fmt.Sprintf(`{"count":100,"seed":%d,"quiet":true}`, 1000+n),
		) == "store-full" {
			break
		}
	}
	if got := s.CodeOf("POST", "/identities/generate", `{"count":100,"quiet":true}`); got != "store-full" {
		t.Errorf("beside a space that is full: %q", got)
	}
	if got := s.CodeOf("POST", "/spaces", `{"name":"another"}`); got != "store-full" {
		t.Errorf("another space: %q", got)
	}
	if status := s.API("DELETE", "/spaces/bounded", "", nil); status != http.StatusNoContent {
		t.Fatal(status)
	}
	testkit.Eventually(t, "its room is free again", func() bool {
		return s.API("POST", "/identities/generate", `{"count":100,"quiet":true}`, nil) == http.StatusCreated
	})
	boundedAndStays(t, s)
}

// A soft limit leaves half of it to the work itself.
func TestAMemoryLimitBoundsWhatIsStoredInMemory(t *testing.T) {
	t.Parallel()
	s := testkit.StartFresh(t, t.TempDir(), "memory=true", "memory-limit=10")
	boundedAndStays(t, s)
	if used := s.Figure("pscemu_store_used_bytes"); used > 5<<20 {
		t.Errorf("%.0f bytes are stored", used)
	}
	if status := testkit.StartFresh(t, t.TempDir(), "memory-limit=64").API(
		"GET",
		"/identities/"+testkit.Doctor,
		"",
		nil,
	); status != 200 {
		t.Error(status)
	}
}

// boundedAndStays fills a world until it is refused, and makes room again.
func boundedAndStays(t *testing.T, s *testkit.Server) {
	t.Helper()
	var refused string
	for n := 0; refused == "" && n < 100; n++ {
		var p struct{ Code, Detail string }
		if status := s.API(
			"POST",
			"/identities/generate",
			fmt.Sprintf(`{"count":100,"seed":%d,"quiet":true}`, n+1),
			&p,
		); status == http.StatusRequestEntityTooLarge &&
			p.Code == "store-full" {
			refused = p.Detail
		} else if status >= 300 {
			t.Fatal(status, p)
		}
	}
	if !strings.Contains(refused, "max-store") {
		t.Fatalf("nothing refused: %q", refused)
	}
	if status := s.API("GET", "/identities/"+testkit.Doctor, "", nil); status != 200 {
		t.Errorf("an earlier person: %d", status)
	}
	if status := s.API("DELETE", "/state", "", nil); status != http.StatusNoContent {
		t.Errorf("making room: %d", status)
	}
	if status := s.API("POST", "/identities/generate", `{"count":10,"quiet":true}`, nil); status != http.StatusCreated {
		t.Errorf("after that: %d", status)
	}
}
