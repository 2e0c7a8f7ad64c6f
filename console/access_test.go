package console

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"pscemu.invalid/pscemu/console/api"
	"pscemu.invalid/pscemu/internal/telemetry"
	"pscemu.invalid/pscemu/static"
)

func nobody() string { return "" }

func TestASessionEndsWhenItIsIdleAndAfterAWeek(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	s := newSessions(func() time.Time { return at })
	idle, busy := s.begin(""), s.begin("")
	for began := at; at.Sub(began) < sessionLife; at = at.Add(time.Hour) {
		if !s.holds(busy, nobody) {
			t.Fatalf("ended after %s of use", at.Sub(began))
		}
		if at.Sub(began) > sessionIdle && s.holds(idle, nobody) {
			t.Fatal("an idle one goes on")
		}
	}
	if at = at.Add(time.Second); s.holds(busy, nobody) {
		t.Error("it goes on after a week")
	}
	if s.holds("", nobody) || s.holds("x", nobody) || len(s.all) != 0 {
		t.Errorf("%d are kept", len(s.all))
	}
}

func TestSessionsAreBoundedAndTheIdlestGoesFirst(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	s := newSessions(func() time.Time { return at })
	first := s.begin("")
	second := s.begin("")
	for range maxSessions {
		at = at.Add(time.Millisecond)
		if !s.holds(first, nobody) {
			t.Fatal("the one in use went")
		}
		s.begin("")
	}
	if len(s.all) != maxSessions || s.holds(second, nobody) {
		t.Errorf("%d are kept, the idlest among them", len(s.all))
	}
}

func TestASessionIsOfTheUserWhoOpenedIt(t *testing.T) {
	s := newSessions(time.Now)
	value := s.begin("1000")
	for user, want := range map[string]bool{"1000": true, "1001": false, "0": false, "": false} {
		if got := s.holds(value, func() string { return user }); got != want {
			t.Errorf("user %q: %v", user, got)
		}
	}
}

func TestTheSystemTellsWhoseAConnectionIs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system does not tell")
	}
	var seen string
	server := httptest.NewUnstartedServer(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = peer(r.Context()) }),
	)
	server.Config.ConnContext = ConnContext
	server.Start()
	defer server.Close()
	for _, network := range []string{"tcp4", "tcp"} {
		client := &http.Client{
			Transport: &http.Transport{DialContext: func(ctx context.Context, _, at string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, at)
			}, DisableKeepAlives: true},
		}
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if want := strconv.Itoa(os.Getuid()); seen != want {
			t.Errorf("%s: it is user %q's, not %q's", network, seen, want)
		}
	}
}

func TestWrongTokensAreCountedAndGivenBack(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	s := newSessions(func() time.Time { return at })
	no, yes := func() bool { return false }, func() bool { return true }
	for range maxTries {
		if ok, wait := s.try(no); ok || wait != 0 {
			t.Fatal(ok, wait)
		}
	}
	if ok, wait := s.try(yes); ok || wait <= 0 || wait > tryAgain {
		t.Errorf("the eleventh: %v, wait %s", ok, wait)
	}
	at = at.Add(tryAgain)
	if ok, _ := s.try(yes); !ok {
		t.Error("after a while the right one is refused")
	}
	if ok, wait := s.try(no); ok || wait != 0 {
		t.Error(ok, wait)
	}
	if _, wait := s.try(yes); wait == 0 {
		t.Error("one was given back, two were taken")
	}
}

func TestEachRowOfTheTableOfReachesIsARoute(t *testing.T) {
	s := New(Parts{Pages: static.Pages(), Metrics: telemetry.NewMetrics(), Demo: &Demo{}, API: &api.API{}, Pprof: true})
	s.Handler()
	counts := map[reach]int{}
	for route := range s.routed {
		_, pattern, _ := strings.Cut(route, " ")
		counts[reachOf(pattern)]++
	}
	for _, row := range reaches {
		head := strings.TrimSuffix(row.pattern, "*")
		found := false
		for route := range s.routed {
			_, pattern, _ := strings.Cut(route, " ")
			found = found || pattern == row.pattern || head != row.pattern && strings.HasPrefix(pattern, head)
		}
		if !found || row.why == "" {
			t.Errorf("%s stands for no route, or says no reason", row.pattern)
		}
	}
	if counts[byAnybody] > 25 || counts[byVisitor] != 4 || counts[bySession] < 40 || counts[byToken] < 80 {
		t.Errorf("the routes are divided so: %v", counts)
	}
	for _, pattern := range []string{"/debug/pprof/*", "/demo/start", "/desk/start", "/logins/stream", "/desk/order", "/whyever"} {
		if got := reachOf(pattern); got != bySession {
			t.Errorf("%s is %d", pattern, got)
		}
	}
}

func TestWhereARequestComesFrom(t *testing.T) {
	for name, c := range map[string]struct {
		header map[string]string
		want   origin
	}{
		"a program":                   {nil, fromUnknown},
		"a typed address":             {map[string]string{"Sec-Fetch-Site": "none"}, fromPerson},
		"an own page":                 {map[string]string{"Sec-Fetch-Site": "same-origin"}, fromOwn},
		"an own form":                 {map[string]string{"Origin": "http://127.0.0.1:9440"}, fromOwn},
		"an old browser's own page":   {map[string]string{"Referer": "http://127.0.0.1:9440/x"}, fromOwn},
		"an old browser's other port": {map[string]string{"Referer": "http://127.0.0.1:94401/x"}, fromForeign},
		"a name that begins alike":    {map[string]string{"Referer": "http://127.0.0.1:9440.evil.example/"}, fromForeign},
		"another port":                {map[string]string{"Sec-Fetch-Site": "same-site"}, fromForeign},
		"another site":                {map[string]string{"Sec-Fetch-Site": "cross-site"}, fromForeign},
		"a word of tomorrow":          {map[string]string{"Sec-Fetch-Site": "same-planet"}, fromForeign},
		"no origin":                   {map[string]string{"Origin": "null"}, fromForeign},
		"an empty origin":             {map[string]string{"Origin": ""}, fromForeign},
		"another origin, own site":    {map[string]string{"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-origin"}, fromForeign},
		"TLS":                         {map[string]string{"Origin": "https://127.0.0.1:9440"}, fromForeign},
	} {
		r := httptest.NewRequest("GET", "http://127.0.0.1:9440/", nil)
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
		if got := originOf(r); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestWhereTheConsoleGoesOnTo(t *testing.T) {
	for to, want := range map[string]string{"": "", "/": "", "/identities?q=a": "identities?q=a", "//evil.example": "", "https://evil.example/": "", `/\evil.example`: "", "/a\nb": "", "identities": "", "/why/x?login=Y": "why/x?login=Y"} {
		if got := ownPath(to); got != want {
			t.Errorf("%q leads to %q", to, got)
		}
	}
}
