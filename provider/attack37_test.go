package provider_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

// leaf is an answer that was not followed.
type leaf struct {
	status   int
	to, body string
}

// in tells a way on: to a callback with a code, or a page of the portal.
func (p leaf) in() bool {
	return strings.Contains(p.to, "code=") || strings.Contains(p.to, "/wallet/activation/") ||
		strings.Contains(p.body, "activation-qr")
}

// stepwise is a browser that follows nothing by itself; card, unless nil, is
// what it holds.
func stepwise(s *testkit.Server, card *tls.Certificate) func(to string) leaf {
	c := s.HTTP(card)
	c.Jar, _ = cookiejar.New(nil)
	return func(to string) leaf {
		s.T.Helper()
		if strings.HasPrefix(to, "/") {
			to = s.BaseURL[:strings.LastIndex(s.BaseURL, ":")] + to
		}
		resp, err := c.Get(to)
		if err != nil {
			s.T.Fatal(err)
		}
		body := testkit.Text(s.T, resp)
		location := ""
		if u, err := resp.Location(); err == nil {
			location = u.String()
		}
		return leaf{resp.StatusCode, location, body}
	}
}

// begin is the start of a login, or of the portal's activation by card: it
// returns the address of the login page.
func begin(s *testkit.Server, get func(string) leaf, portal bool) string {
	s.T.Helper()
	at := s.BaseURL + testkit.AuthorizePath
	if portal {
		at = s.BaseURL + "/wallet/start/activate"
	}
	p := get(at)
	if !strings.Contains(p.to, "/login/") {
		s.T.Fatalf("no login page: %+v", p)
	}
	login, _, _ := strings.Cut(p.to, "?")
	return login
}

func TestAttack37ACardIsReadForTheBrowserThatBeganTheLoginOnly(t *testing.T) {
	t.Parallel()
	plain, strict := testkit.StartIn(t, t.TempDir()), testkit.Start(t, "strict=true")
	for name, s := range map[string]*testkit.Server{
		"on disk": plain, "under strict": strict, "in a space": plain.Space("attack-37"),
		"in a space under strict": strict.Space("attack-37"),
	} {
		for task, portal := range map[string]bool{"login": false, "the portal's activation": true} {
			t.Run(name+", "+task, func(t *testing.T) {
				s.T = t
				attackThroughTheCardOrigin(t, s, portal)
			})
		}
	}
}

func attackThroughTheCardOrigin(t *testing.T, s *testkit.Server, portal bool) {
	card := s.CardCertificate(s.CardOf(testkit.Doctor).Serial)
	attacker, victim := stepwise(s, nil), stepwise(s, card)
	login := begin(s, attacker, portal)
	refusedBy := func(what string, p leaf, code string) {
		t.Helper()
		if p.in() || p.status < 400 {
			t.Errorf("%s: %d %s", what, p.status, p.to)
		}
		if !strings.Contains(s.Story(login[strings.LastIndex(login, "/")+1:]), code) {
			t.Errorf("%s: the journal holds no %s", what, code)
		}
	}
	link := attacker(login + "/card-browser").to
	refusedBy("the victim follows the attacker's link", victim(link), "login-other-browser")
	begin(s, victim, portal) // with a login and a cookie of the victim's own
	refusedBy("the victim follows it in the middle of another login", victim(link), "login-other-browser")
	u, _ := url.Parse(link)
	refusedBy(
		"the attacker returns with the ticket out",
		attacker(login+"/card-return?ticket="+u.Query().Get("ticket")),
		"card-ticket-wrong",
	)
	fresh, _ := url.Parse(attacker(login + "/card-browser").to)
	refusedBy(
		"the attacker returns with a fresh ticket",
		attacker(login+"/card-return?ticket="+fresh.Query().Get("ticket")),
		"card-ticket-wrong",
	)
	refusedBy("without a ticket", attacker(login+"/card-return"), "card-ticket-wrong")

	// What the card gave to its own browser is of no use elsewhere, nor twice.
	owner, login := victim, begin(s, victim, portal)
	out := owner(login + "/card-browser").to
	back := owner(out).to
	if !strings.Contains(back, "/card-return?ticket=") {
		t.Fatalf("the owner's own way: %s", back)
	}
	refusedBy("the ticket out again", owner(out), "card-ticket-wrong")
	if p := attacker(back); p.in() || p.status < 400 {
		t.Errorf("the attacker takes the victim's way back: %+v", p)
	}
	other := begin(s, owner, portal)
	owner(other + "/card-browser")
	if p := owner(other + back[strings.Index(back, "/card-return"):]); p.in() {
		t.Errorf("the ticket back at another login: %+v", p)
	}
	owner(login + "/card-browser") // asked again: the holder and the ticket back are forgotten
	refusedBy("the ticket back after another was asked for", owner(back), "card-ticket-wrong")
	end := owner(owner(owner(login + "/card-browser").to).to)
	if !end.in() {
		t.Fatalf("the owner, at last: %+v", end)
	}
	if portal {
		if p := attacker(end.to); p.in() || p.status != http.StatusForbidden || strings.Contains(p.body, "qr=") {
			t.Errorf("the attacker sees the QR code: %+v", p)
		}
		if p := attacker(end.to + "/state"); p.status != http.StatusForbidden {
			t.Errorf("the attacker asks how it is: %+v", p)
		}
		if p := owner(end.to); !strings.Contains(p.body, "activation-qr") {
			t.Errorf("the owner's QR code: %.400s", p.body)
		}
	}
}

func TestAttack37TicketsOfACardLiveShortly(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "strict=true")
	browser := stepwise(s, s.CardCertificate(s.CardOf(testkit.Doctor).Serial))
	login := begin(s, browser, false)
	out := browser(login + "/card-browser").to
	s.API("PUT", "/clock", `{"advance":"6m"}`, nil)
	if p := browser(out); p.status != http.StatusBadRequest {
		t.Errorf("a ticket out after six minutes: %+v", p)
	}
	back := browser(browser(login + "/card-browser").to).to
	s.API("PUT", "/clock", `{"advance":"2m"}`, nil)
	if p := browser(back); p.in() || p.status != http.StatusBadRequest {
		t.Errorf("a ticket back after two minutes: %+v", p)
	}
}

// Twenty races of the ways to and from the card origin: one login at most ends.
func TestAttack37ParallelStepsOfOneLoginNeverUndoEachOther(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	card := s.CardCertificate(s.CardOf(testkit.Doctor).Serial)
	for round := range 20 {
		browser := stepwise(s, card)
		login := begin(s, browser, false)
		back := browser(browser(login + "/card-browser").to).to
		var wg sync.WaitGroup
		answers := make([]leaf, 12)
		for i := range answers {
			wg.Go(func() {
				switch i % 3 {
				case 0:
					answers[i] = browser(back)
				case 1:
					answers[i] = browser(login + "/card-browser")
				case 2:
					answers[i] = browser(login + "?tab=card")
				}
			})
		}
		wg.Wait()
		ended := 0
		for i, p := range answers {
			if i%3 == 0 && p.in() {
				ended++
			}
		}
		if ended > 1 {
			t.Fatalf("round %d: %d callbacks of one card", round, ended)
		}
		if p := browser(back); p.in() {
			t.Fatalf("round %d: the ticket back once more: %+v", round, p)
		}
	}
}

// Under the real names, and under the loopback's, the card origin has the name
// that the login has: the cookie comes along.
func TestTheCardOriginHasTheNameOfTheLogin(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "hosts=psc.test")
	card := s.CardCertificate(s.CardOf(testkit.Doctor).Serial)
	_, listen, _ := net.SplitHostPort(s.Listen)
	cardURL, _ := url.Parse(s.CardURL)
	for _, name := range []string{
		"localhost", "127.0.0.1", "psc.test", "wallet.bas.psc.esante.gouv.fr", "auth.bas.psc.esante.gouv.fr",
	} {
		t.Run(name, func(t *testing.T) {
			c := s.HTTP(card)
			c.Jar, _ = cookiejar.New(nil)
			c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
				if r.URL.Hostname() != name || strings.HasPrefix(r.URL.String(), testkit.CallbackURL) {
					return http.ErrUseLastResponse
				}
				return nil
			}
			c.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				_, port, _ := net.SplitHostPort(address)
				return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+port)
			}
			resp, err := c.Get("https://" + net.JoinHostPort(name, listen) + testkit.AuthorizePath)
			if err != nil {
				t.Fatal(err)
			}
			testkit.Text(t, resp)
			if resp, err = c.Get(resp.Request.URL.String() + "/card-browser"); err != nil {
				t.Fatal(err)
			}
			if body := testkit.Text(t, resp); !strings.Contains(resp.Header.Get("Location"), "code=") {
				t.Errorf("%s %s (card origin %s) %.400s", resp.Status, resp.Header.Get("Location"), cardURL, body)
			}
		})
	}
}
