package console_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// oneBrowser has the cookies of every world on this host: cookies know no ports.
func oneBrowser(s *testkit.Server) (*http.Client, map[string]string) {
	c, set := s.HTTP(nil), map[string]string{}
	c.Jar, _ = cookiejar.New(nil)
	base := c.Transport
	c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := base.RoundTrip(r)
		if err == nil {
			for _, k := range resp.Cookies() {
				set[k.Name] = k.Path
			}
		}
		return resp, err
	})
	return c, set
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// begun is a login that one of the emulator's own applications began.
type begun struct {
	world *testkit.Server
	at    string // /demo or /desk
	url   string
}

func TestAttack46CookiesOfWorldsDemoAndDeskDoNotDisturbOneAnother(t *testing.T) {
	t.Parallel()
	one, two := testkit.Start(t), testkit.Start(t)
	// Names that could run into those of other cookies.
	worlds := map[string]*testkit.Server{
		"one":                  one,
		"two":                  two,
		"a space":              one.Space("lang"),
		"another space":        one.Space("login"),
		"a space of the other": two.Space("lang"),
	}
	c, set := oneBrowser(one)
	names := map[string]string{}
	var all []begun
	for name, w := range worlds {
		clear(set)
		for _, path := range []string{"/", "/phone?lang=en", "/identities"} {
			resp, err := c.Get(w.ConsoleURL + path)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		for _, at := range []string{"/demo", "/desk"} {
			resp, err := c.Get(w.ConsoleURL + at + "/start")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			all = append(all, begun{w, at, resp.Header.Get("Location")})
		}
		for _, path := range []string{
			"/auth?response_type=code&client_id=demo&scope=openid&redirect_uri=" + url.QueryEscape(testkit.CallbackURL),
			"/home?lang=en",
			"/auth?response_type=code&" +
				"client_id=demo&scope=openid&login_hint=auto:" + testkit.Doctor + "&redirect_uri=" + url.QueryEscape(
				testkit.CallbackURL,
			),
		} {
			resp, err := w.HTTP(nil).Get(w.BaseURL + path) // its own cookies: certificates differ
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			for _, k := range resp.Cookies() {
				set[k.Name] = k.Path
			}
		}
		for cookie, path := range set {
			if other, taken := names[cookie]; taken {
				t.Errorf("%s and %s both set %s", other, name, cookie)
			}
			names[cookie] = name
			if u, _ := url.Parse(
				w.ConsoleURL,
			); !strings.HasPrefix(cookie, "__Host-") && !strings.HasPrefix(cookie, "pscemu-state-") &&
				!strings.HasPrefix(path, u.Path) {
				t.Errorf("%s: %s is set for %s", name, cookie, path)
			}
		}
		if len(set) < 8 {
			t.Errorf("%s set %v only", name, set)
		}
	}
	// Every login that was begun ends where it began, the first ones last.
	for n := len(all) - 1; n >= 0; n-- {
		b := all[n]
		var done struct {
			To string `json:"redirect_to"`
		}
		if status := b.world.API(
			"POST",
			"/logins",
			testkit.Encoded(t, map[string]string{"authorize_url": b.url, "identity": testkit.Doctor, "means": "card"}),
			&done,
		); status != 201 {
			t.Fatalf("%s%s: %d", b.world.ConsoleURL, b.at, status)
		}
		resp, err := c.Get(done.To)
		if err != nil {
			t.Fatal(err)
		}
		if page := testkit.Text(t, resp); resp.StatusCode != 303 {
			t.Errorf("%s%s: %s %.300s", b.world.ConsoleURL, b.at, resp.Status, page)
		}
	}
	for name, w := range worlds {
		resp, err := c.Get(w.ConsoleURL + "/demo")
		if err != nil {
			t.Fatal(err)
		}
		if page := testkit.Text(
			t,
			resp,
		); !strings.Contains(page, testkit.Doctor) || !strings.Contains(page, "demo-logged-in") {
			t.Errorf("%s: nobody is logged in at the demo: %.300s", name, page)
		}
	}
	for name, w := range worlds {
		resp, err := c.Get(w.ConsoleURL + "/desk")
		if err != nil {
			t.Fatal(err)
		}
		if page := testkit.Text(t, resp); !strings.Contains(page, `data-testid="desk-by"`) {
			t.Errorf("%s: nobody is at the desk any more", name)
		}
	}
	// Leaving one desk leaves the others.
	leave := func(w *testkit.Server) int {
		resp, err := c.PostForm(w.ConsoleURL+"/desk/leave", url.Values{})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := leave(worlds["a space"]); got != 303 {
		t.Errorf("leaving: %d", got)
	}
	for name, w := range worlds {
		resp, err := c.Get(w.ConsoleURL + "/desk")
		if err != nil {
			t.Fatal(err)
		}
		if at := strings.Contains(testkit.Text(t, resp), `data-testid="desk-by"`); at != (name != "a space") {
			t.Errorf("%s: somebody at the desk: %v", name, at)
		}
	}
}

// Another local port may set cookies of our names, for longer paths.
func TestAttack46ACookieThatAnotherPortSetHidesNone(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "console-access=link")
	resp, _ := testkit.Visit{Method: "GET", At: s.OpenURL}.Send(t)
	mine := resp.Cookies()[0]
	planted := *mine
	planted.Value = "planted"
	for _, cookies := range [][]*http.Cookie{{&planted, mine}, {mine, &planted}} {
		if resp, _ := (testkit.Visit{Method: "GET", At: s.ConsoleURL + "/clients", Cookies: cookies}).Send(
			t,
		); resp.StatusCode != 200 {
			t.Errorf("with another of the same name: %s", resp.Status)
		}
	}
}
